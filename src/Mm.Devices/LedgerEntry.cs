using Mm.Core;

namespace Mm.Devices;

/// <summary>One line of a ledger: who holds what of whom.</summary>
/// <remarks>
/// <para><b>Linux:</b> a line of a debugfs file, as of dma_buf/bufinfo (v6.12).</para>
/// <para><c>default</c> is no line. Immutable.</para>
/// </remarks>
/// <param name="Holder">Who holds it, as <c>rdma0 mr 0x100</c>; the name of the device comes first.</param>
/// <param name="Kind">By what.</param>
/// <param name="Held">What is held, as <c>dma-buf 3</c>.</param>
/// <param name="Owner">The device that cannot go while it is held; none for memory of the machine.</param>
/// <param name="Count">How many of the kind, more than zero.</param>
public readonly record struct LedgerEntry(string Holder, HoldingKind Kind, string Held, DeviceId Owner, ulong Count);
