namespace Mm.Devices.Rdma;

/// <summary>What NICs talk over: of one machine, or of several in one process.</summary>
/// <remarks>
/// Owns the order of packets: one is on its way at a time, whoever sent it.
/// <para><b>Linux:</b> none: this is the network.</para>
/// <para><b>Locking:</b> one lock, plain, taken before all others of a NIC and of its machine; nothing that takes memory away
/// waits for it.</para>
/// </remarks>
public sealed class RdmaWire
{
    internal Lock Gate { get; } = new();
}
