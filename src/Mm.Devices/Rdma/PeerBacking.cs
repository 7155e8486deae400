using Mm.Core;
using Mm.Core.Dma;
using Mm.Core.Locking;
using Mm.Core.PhysRanges;

namespace Mm.Devices.Rdma;

/// <summary>Memory of a peer's driver, which takes it away at will.</summary>
/// <remarks>
/// Owns the mapping, and the use of the list until it is put back.
/// <para><b>Linux:</b> none in the tree: PeerDirect's region and its invalidation, which destroys it at once.</para>
/// <para><b>Invariants:</b> (1) the list is put back once, whoever comes first.</para>
/// <para><b>Locking:</b> as its base.</para>
/// </remarks>
internal sealed class PeerBacking : RegionBacking
{
    private readonly IPeerMemory peer;
    private PhysRangeList? list; // this and those below: protected by Gate
    private DmaMapping? mapping;
    private RegionTable? table;
    private bool isTakenAway;

    private PeerBacking(RdmaContext context, IPeerMemory peer)
        : base(context.Nic.View) => this.peer = peer;

    internal static Errno TryCreate(
        RdmaContext context, IPeerMemory peer, VirtAddr start, ByteCount length, out PeerBacking? backing)
    {
        backing = null;
        if (length.IsZero || !PinnedBacking.TryFindPages(start, length, out _))
        {
            return Errno.EINVAL;
        }

        if (context.Nic.Machine.Faults.ShouldFail(FaultPoint.Slab))
        {
            return Errno.ENOMEM;
        }

        var made = new PeerBacking(context, peer);
        Errno errno = PeerMemoryContract.TryGetPages(peer, start, length, made.TakeAway, out PhysRangeList? given);
        if (!errno.IsOk)
        {
            return errno;
        }

        errno = context.Nic.View.TryMap(given!, DmaDirection.Bidirectional, out DmaMapping? mapped);
        if (!errno.IsOk)
        {
            peer.PutPages(given!);
            return errno;
        }

        backing = made.TryBegin(given!, mapped!) ? made : null;
        return backing is null ? Errno.EAGAIN : Errno.Ok;
    }

    /// <inheritdoc/>
    internal override Errno TryAccess(ByteCount offset, Span<byte> bytes, bool isWrite)
    {
        using RankedLock.Guard held = Gate.Enter();
        return table is null ? Errno.EINVAL : table.TryAccess(Device.Port, offset, bytes, isWrite);
    }

    /// <inheritdoc/>
    internal override void Revoke()
    {
        using RankedLock.Guard held = Gate.Enter();
        table = null;
    }

    /// <inheritdoc/>
    internal override void Release() => End();

    /// <inheritdoc/>
    internal override void Report(string holder, ICollection<LedgerEntry> entries)
    {
        using RankedLock.Guard held = Gate.Enter();
        if (list is not null)
        {
            entries.Add(new LedgerEntry(holder, HoldingKind.Mapping, $"memory of {peer.Name}", BufferBacking.OwnerOf(list), 1));
        }
    }

    // False where the memory was taken away before anybody could use it: everything is put back.
    private bool TryBegin(PhysRangeList given, DmaMapping mapped)
    {
        using (Gate.Enter())
        {
            (list, mapping) = (given, mapped);
            if (!isTakenAway)
            {
                table = RegionTable.Of(mapped.Segments, ByteCount.Zero, given.Length);
                TableLoads++;
                return true;
            }
        }

        End();
        return false;
    }

    private void TakeAway()
    {
        using (Gate.Enter())
        {
            if (isTakenAway)
            {
                return;
            }

            isTakenAway = true;
        }

        End();
        TellTakenAway();
    }

    private void End()
    {
        PhysRangeList? given;
        DmaMapping? mapped;
        using (Gate.Enter())
        {
            (given, mapped, list, mapping, table) = (list, mapping, null, null, null);
        }

        mapped?.Dispose();
        if (given is not null)
        {
            peer.PutPages(given);
        }
    }
}
