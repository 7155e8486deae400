using Mm.Core;
using Mm.Core.Dma;
using Mm.Core.Locking;

namespace Mm.Devices.Rdma;

/// <summary>The memory behind a region, under one of the contracts: reads and writes it for the device, as long as it may.</summary>
/// <remarks>
/// Owns what the contract holds: pins, attachments, notifiers, mappings.
/// <para><b>Linux:</b> struct ib_umem (v6.12), with the accesses that a device makes through it.</para>
/// <para><b>Invariants:</b> (1) once memory was taken away, no byte of it is moved; (2) released once; (3) its region hears of a
/// taking away, also of one that came before the region was made.</para>
/// <para><b>Locking:</b> rank Mirror guards what a taking away takes; each access is made under it. Never held while memory is
/// asked for.</para>
/// </remarks>
internal abstract class RegionBacking(DmaDevice device)
{
    private Action? whenTakenAway; // atomic
    private int isTakenAway; // atomic; set before the other is read, as that is set before this is read

    /// <summary>What a taking away enters.</summary>
    protected RankedLock Gate { get; } = new(LockRank.Mirror);

    /// <summary>Whose accesses they are.</summary>
    protected DmaDevice Device { get; } = device;

    /// <summary>How often the device's table was loaded: once, and once for each time that the memory had moved.</summary>
    internal long TableLoads { get; private protected set; }

    /// <summary>Says whom to tell that the memory is taken away for good, maybe with locks held; tells at once where it is.</summary>
    internal void WhenTakenAway(Action tell)
    {
        _ = Interlocked.Exchange(ref whenTakenAway, tell);
        if (Volatile.Read(ref isTakenAway) != 0)
        {
            tell();
        }
    }

    /// <summary>Moves bytes between the memory and a packet.</summary>
    /// <param name="offset">Where in the region.</param>
    /// <param name="bytes">The packet's bytes.</param>
    /// <param name="isWrite">Whether the memory is written.</param>
    /// <returns>Ok; EFAULT: not mapped, or it cannot be; EINVAL: taken away; and what faulting it in is refused with.</returns>
    internal abstract Errno TryAccess(ByteCount offset, Span<byte> bytes, bool isWrite);

    /// <summary>Lets everything go. Once.</summary>
    internal abstract void Release();

    /// <summary>Takes the memory away from the device, as a reset of it does: uses end in errors from here on.</summary>
    internal abstract void Revoke();

    /// <summary>Tells what is held.</summary>
    internal abstract void Report(string holder, ICollection<LedgerEntry> entries);

    /// <summary>The memory was taken away for good.</summary>
    protected void TellTakenAway()
    {
        _ = Interlocked.Exchange(ref isTakenAway, 1);
        Volatile.Read(ref whenTakenAway)?.Invoke();
    }
}
