using Mm.Core;

namespace Mm.Devices;

/// <summary>One line of a ledger: who holds what of whom.</summary>
/// <param name="Holder">Who holds it, as <c>rdma0 mr 0x100</c>; the name of the device comes first.</param>
/// <param name="Kind">By what.</param>
/// <param name="Held">What is held, as <c>dma-buf 3</c>.</param>
/// <param name="Owner">The device that cannot go while it is held; none for memory of the machine.</param>
/// <param name="Count">How many of the kind, more than zero.</param>
public readonly record struct LedgerEntry(string Holder, HoldingKind Kind, string Held, DeviceId Owner, ulong Count);
