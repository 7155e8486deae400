using Mm.Core;
using Mm.Core.PhysRanges;

namespace Mm.Devices.Rdma;

/// <summary>A driver that lets regions reach its memory, and may take it away at any time.</summary>
/// <remarks>
/// Owns the memory. Users write them; a GPU's driver is the usual one.
/// <para><b>Linux:</b> none in the tree: struct peer_memory_client of PeerDirect, as the mails describe it.</para>
/// <para><b>Locking:</b> called from any thread, with no lock of Mm held but, where the region ends by the callback, those of
/// the caller of the callback.</para>
/// </remarks>
public interface IPeerMemory
{
    /// <summary>What reports call it.</summary>
    string Name { get; }

    /// <summary>Says where memory is, until <see cref="PutPages"/> or until it is taken away.</summary>
    /// <param name="start">The first address, as the process names it.</param>
    /// <param name="length">How many bytes.</param>
    /// <param name="takeAway">Call it to take the memory away: when it returns, no device uses it. It may be called once the
    /// pages were given, by any thread, and again to no effect.</param>
    /// <param name="list">All bytes in order; null when refused. It stays the driver's.</param>
    /// <returns>Ok; EINVAL: the addresses are not this driver's; ENOMEM: no memory.</returns>
    Errno TryGetPages(VirtAddr start, ByteCount length, Action takeAway, out PhysRangeList? list);

    /// <summary>The memory is not used any more. Called once for each list, also for one that was taken away.</summary>
    /// <param name="list">What was given.</param>
    void PutPages(PhysRangeList list);
}
