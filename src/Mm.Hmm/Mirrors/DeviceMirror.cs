using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.Locking;
using Mm.Core.Notifiers;
using Mm.Core.Spaces;
using Mm.Hmm.Faulting;

namespace Mm.Hmm.Mirrors;

/// <summary>One process's memory as one device sees it: a page table of the device's own, kept honest by a notifier.</summary>
/// <remarks>
/// Owns the table; its entries hold no page: an invalidation drops them before the page can go. An entry is readable, writable,
/// or for atomic operations alone.
/// <para><b>Linux:</b> struct dmirror (lib/test_hmm.c, v6.12).</para>
/// <para><b>States:</b> open → closed by <see cref="Dispose"/>; it outlives the process, whose memory it then no longer sees.
/// Closing it evicts the device's memory, every process's, as the test device does.</para>
/// <para><b>Invariants:</b> (1) an entry stands only while no invalidation of its page has ended since it was made, but those
/// of the device's own migrations.</para>
/// <para><b>Locking:</b> safe from any thread. Rank <see cref="LockRank.Mirror"/> guards the table: taken by invalidations,
/// never held while the space is asked.</para>
/// </remarks>
public sealed partial class DeviceMirror : IIntervalListener, IDisposable
{
    private readonly RankedLock gate = new(LockRank.Mirror);
    private readonly PageTables table;
    private IntervalNotifier notifier = null!; // set by TryCreate before anybody sees the mirror
    private bool hasTable = true; // protected by gate; pages that could not be evicted are served without it
    private int isClosed; // atomic

    private DeviceMirror(MirrorDevice device, AddressSpace space)
    {
        Device = device;
        Space = space;
        table = new PageTables(space.Parts.Memory, space.Parts.Faults);
    }

    /// <summary>The device.</summary>
    public MirrorDevice Device { get; }

    /// <summary>Whose memory.</summary>
    public AddressSpace Space { get; }

    /// <summary>Pages that the device has mapped.</summary>
    public PageCount MappedPages =>
        table.Counts[PteKind.Present].AddChecked(table.Counts[PteKind.DeviceExclusive]);

    /// <inheritdoc/>
    bool IIntervalListener.Invalidate(IntervalNotifier notifier, in NotifierRange range, NotifierSequence sequence)
    {
        // What the device itself migrates it maps anew, page by page.
        if (range.Event == NotifierEvent.Migrate && range.Owner == Device)
        {
            return true;
        }

        RankedLock.Guard guard = default;
        if (range.CanBlock)
        {
            guard = gate.Enter();
        }
        else if (!gate.TryEnter(out guard))
        {
            return false;
        }

        using (guard)
        {
            notifier.SetSequence(sequence);
            table.Unmap(Within(range.Range, Device.DropsPageBehind));
            return true;
        }
    }

    /// <summary>Closes it, and evicts the device's memory. Twice does nothing.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref isClosed, 1) != 0)
        {
            return;
        }

        notifier.Dispose();
        _ = Device.Evict();
        using RankedLock.Guard guard = gate.Enter();
        hasTable = false;
        table.Dispose();
    }

    internal static Errno TryCreate(MirrorDevice device, AddressSpace space, out DeviceMirror? mirror)
    {
        mirror = null;
        var fresh = new DeviceMirror(device, space);
        Errno errno = space.Notifiers.TryInsert(AreaSet.Addresses.Start, AreaSet.Addresses.Length, fresh, out IntervalNotifier? inserted);
        if (!errno.IsOk)
        {
            fresh.table.Dispose();
            return errno;
        }

        fresh.notifier = inserted!;
        mirror = fresh;
        return Errno.Ok;
    }

    private static VirtRange Within(VirtRange range, bool dropsPageBehind)
    {
        ulong length = Math.Min(range.Length.Value, AreaSet.Addresses.Length.Value) + (dropsPageBehind ? PageSize.Small.Bytes.Value : 0);
        ulong end = Math.Min(AreaSet.Addresses.Length.Value, range.Start.Value + Math.Min(length, ulong.MaxValue - range.Start.Value));
        return range.Start.Value >= end ? default : new VirtRange(range.Start, new ByteCount(end - range.Start.Value));
    }

    private static ulong EndOf(VirtRange range) => range.Start.Value + range.Length.Value;

    private static VirtRange Batch(VirtRange range, ulong at, ulong limit)
    {
        ulong end = Math.Min(Math.Min(at + MirrorDevice.BatchPages.ToBytes().Value, EndOf(range)), limit);
        return new VirtRange(new VirtAddr(at), new ByteCount(end - at));
    }

    private void RequirePages(VirtRange range)
    {
        ObjectDisposedException.ThrowIf(Volatile.Read(ref isClosed) != 0, this);
        if (((range.Start.Value | range.Length.Value) & (PageSize.Small.Bytes.Value - 1)) != 0 || range.IsEmpty)
        {
            throw new ArgumentException($"range must be whole pages, and not empty; it is {range}", nameof(range));
        }
    }

    // Linux: dmirror_fault. What the CPU's tables say is only trusted under the lock, if nothing was invalidated meanwhile.
    private Errno Fault(VirtRange range, bool isWrite)
    {
        if (Space.IsEnded)
        {
            return Errno.EFAULT;
        }

        MovePreferred(range);
        var request = new HmmRange(notifier)
        {
            DefaultFlags = isWrite ? HmmPfn.RequestWrite : HmmPfn.RequestFault,
            Owner = Device,
        };
        for (ulong at = range.Start.Value; at < EndOf(range); at += request.Range.Length.Value)
        {
            Errno errno = FaultBatch(request, Batch(range, at, ulong.MaxValue));
            if (!errno.IsOk)
            {
                return errno;
            }
        }

        return Errno.Ok;
    }

    private Errno FaultBatch(HmmRange request, VirtRange batch)
    {
        while (true)
        {
            request.Reset(batch);
            request.Sequence = notifier.ReadBegin();
            Errno errno = RangeFault.TryFault(Space, request);
            if (errno == Errno.EBUSY)
            {
                continue;
            }

            if (!errno.IsOk)
            {
                return errno;
            }

            Space.Parts.Points?.Reach("mirror-commit");
            using RankedLock.Guard _ = gate.Enter();
            if (!notifier.IsRetryNeeded(request.Sequence))
            {
                return MapLocked(batch.Start, request.Pfns, request.DefaultFlags.WantsWrite);
            }
        }
    }

    // A page that is in the device's own memory comes as it is, also where it may not be written. Linux: dmirror_do_fault.
    private Errno MapLocked(VirtAddr start, ReadOnlySpan<HmmPfn> pfns, bool isWrite)
    {
        for (int index = 0; index < pfns.Length; index++)
        {
            Check.That(pfns[index].IsValid, "a range that was faulted is valid");
            if (isWrite && !pfns[index].IsWritable)
            {
                return Errno.EFAULT;
            }

            var at = new VirtAddr(start.Value + ((ulong)index << PageSize.Small.Shift));
            Errno errno = Store(at, Pte.Present(pfns[index].Frame, pfns[index].IsWritable ? PteProtection.ReadWrite : PteProtection.Read));
            if (!errno.IsOk)
            {
                return errno;
            }
        }

        return Errno.Ok;
    }

    private Errno Store(VirtAddr at, Pte entry)
    {
        Pte before = table.Read(at);
        return before == entry ? Errno.Ok : table.TryExchange(at, before, entry, out _);
    }
}
