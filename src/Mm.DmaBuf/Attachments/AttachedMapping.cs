using Mm.Core.Dma;
using Mm.Core.PhysRanges;

namespace Mm.DmaBuf.Attachments;

/// <summary>One mapping of a buffer's list for one device, used by all who map it in that direction while nothing moves.</summary>
/// <remarks>
/// Owns the mapping, by count: the attachment has one, each lease another.
/// <para><b>Invariants:</b> (1) unmapped once, when the last one lets go or the attachment ends.</para>
/// <para><b>Locking:</b> users are added with the reservation locked, and taken off without.</para>
/// </remarks>
internal sealed class AttachedMapping(PhysRangeList list, DmaMapping dma)
{
    private int users = 1; // atomic
    private int isUnmapped; // atomic

    internal bool IsUnmapped => Volatile.Read(ref isUnmapped) != 0;

    internal PhysRangeList List => list;

    internal DmaMapping Dma => dma;

    /// <summary>Whether it still leads to the bytes where they are.</summary>
    internal bool IsOf(PhysRangeList now) => ReferenceEquals(list, now) && dma.IsValid;

    internal void AddUser() => Interlocked.Increment(ref users);

    internal void DropUser()
    {
        if (Interlocked.Decrement(ref users) == 0)
        {
            Unmap();
        }
    }

    /// <summary>Unmaps now, whoever uses it: what the device does from here on faults.</summary>
    internal void Unmap()
    {
        if (Interlocked.Exchange(ref isUnmapped, 1) == 0)
        {
            dma.Dispose();
        }
    }
}
