using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.Dma;
using Mm.Core.Locking;
using Mm.Core.Notifiers;
using Mm.Core.PhysRanges;
using Mm.Hmm.Faulting;

namespace Mm.Devices.Rdma;

/// <summary>A range of a process whose pages are faulted in when the device uses them, and given up when the process changes them.</summary>
/// <remarks>
/// Owns the subscription to the range and one mapping for each page that is resident for the device; it pins none.
/// <para><b>Linux:</b> struct ib_umem_odp, ib_umem_odp_map_dma_and_lock, ib_umem_odp_unmap_dma_pages
/// (drivers/infiniband/core/umem_odp.c, v6.12). Simplified: pages of 4 KiB; a page has no dirty bit to be set when it is given up.</para>
/// <para><b>States:</b> live → destroyed, once, when nobody uses it any more.</para>
/// <para><b>Invariants:</b> (1) an entry stands only while no invalidation of its page has begun since it was made; (2) destroyed
/// once, with no user.</para>
/// <para><b>Locking:</b> as its base: an invalidation enters its lock, which is never held while the space is asked.</para>
/// </remarks>
internal sealed class OnDemandBacking : RegionBacking, IIntervalListener
{
    private const ulong MostPages = int.MaxValue / sizeof(ulong); // a word for each: kvmalloc gives no more than INT_MAX bytes
    private const ulong TimeoutNs = 1_000_000_000; // HMM_RANGE_DEFAULT_TIMEOUT, 1000 ms

    private readonly RdmaContext context;
    private readonly ImplicitBacking? parent;
    private readonly VirtRange pages; // whole pages
    private readonly ulong firstOffset; // of the region's first byte in its first page
    private readonly DmaMapping?[] entries; // protected by Gate
    private IntervalNotifier notifier = null!; // set before anybody sees this
    private int resident; // protected by Gate
    private bool isRevoked; // protected by Gate
    private bool isDestroyed; // protected by Gate
    private int users = 1; // atomic: the owner is one; 0 destroys

    private OnDemandBacking(RdmaContext context, VirtAddr start, PageCount count, ImplicitBacking? parent)
        : base(context.Nic.View)
    {
        this.context = context;
        this.parent = parent;
        pages = new VirtRange(start.AlignDown(PageSize.Small), count.ToBytes());
        firstOffset = start.OffsetIn(PageSize.Small).Value;
        entries = new DmaMapping?[count.Value];
    }

    /// <summary>How many pages are resident for the device.</summary>
    internal PageCount Resident
    {
        get
        {
            using RankedLock.Guard held = Gate.Enter();
            return new PageCount((ulong)resident);
        }
    }

    /// <summary>Which child of an implicit region it is.</summary>
    internal ulong Index { get; init; }

    /// <summary>Subscribes to a range; nothing is resident.</summary>
    internal static Errno TryCreate(
        RdmaContext context, VirtAddr start, ByteCount length, ImplicitBacking? parent, ulong index, out OnDemandBacking? backing)
    {
        backing = null;
        if (!PinnedBacking.TryFindPages(start, length, out PageCount count))
        {
            return Errno.EOVERFLOW;
        }

        if (count.IsZero)
        {
            return Errno.EINVAL;
        }

        if (count.Value > MostPages || context.Nic.Machine.Faults.ShouldFail(FaultPoint.Slab))
        {
            return Errno.ENOMEM;
        }

        var made = new OnDemandBacking(context, start, count, parent) { Index = index };
        Errno errno = context.Space.Notifiers.TryInsert(made.pages.Start, made.pages.Length, made, out IntervalNotifier? inserted);
        made.notifier = inserted!;
        backing = errno.IsOk ? made : null;
        return errno;
    }

    /// <inheritdoc/>
    internal override Errno TryAccess(ByteCount offset, Span<byte> bytes, bool isWrite)
    {
        ulong at = firstOffset + offset.Value;
        while (!bytes.IsEmpty)
        {
            int page = (int)(at / PageSize.Small.Bytes.Value);
            var inPage = new ByteCount(at % PageSize.Small.Bytes.Value);
            int here = (int)Math.Min((ulong)bytes.Length, PageSize.Small.Bytes.Value - inPage.Value);
            Errno errno = TryAccessPage(page, inPage, bytes[..here], isWrite);
            if (!errno.IsOk)
            {
                return errno;
            }

            bytes = bytes[here..];
            at += (ulong)here;
        }

        return Errno.Ok;
    }

    /// <inheritdoc/>
    bool IIntervalListener.Invalidate(IntervalNotifier notifier, in NotifierRange range, NotifierSequence sequence)
    {
        RankedLock.Guard guard = default;
        if (range.CanBlock)
        {
            guard = Gate.Enter();
        }
        else if (!Gate.TryEnter(out guard))
        {
            return false;
        }

        bool isEmpty;
        using (guard)
        {
            notifier.SetSequence(sequence);
            DropPages(range.Range);
            isEmpty = resident == 0;
        }

        context.Nic.Points?.Reach("odp-invalidated");
        if (isEmpty)
        {
            parent?.GiveUp(this);
        }

        return true;
    }

    /// <inheritdoc/>
    internal override void Revoke()
    {
        using RankedLock.Guard held = Gate.Enter();
        isRevoked = true;
        DropPages(pages);
    }

    /// <inheritdoc/>
    internal override void Release() => Drop();

    /// <summary>Keeps it from being destroyed, unless it is being.</summary>
    /// <returns>Whether it is kept.</returns>
    internal bool TryKeep()
    {
        int seen = Volatile.Read(ref users);
        while (seen != 0)
        {
            int before = Interlocked.CompareExchange(ref users, seen + 1, seen);
            if (before == seen)
            {
                return true;
            }

            seen = before;
        }

        return false;
    }

    /// <summary>Ends a use of it; the last one destroys it.</summary>
    internal void Drop()
    {
        int left = Interlocked.Decrement(ref users);
        Check.That(left >= 0, $"on-demand invariant 2: {pages} is let go once too often");
        if (left != 0)
        {
            return;
        }

        context.Nic.Points?.Reach("odp-destroy");
        notifier.Dispose();
        using RankedLock.Guard held = Gate.Enter();
        Check.That(!isDestroyed, $"on-demand invariant 2: {pages} is destroyed twice");
        isDestroyed = true;
        DropPages(pages);
        Check.That(resident == 0, $"on-demand: {resident} pages of {pages} are left");
    }

    /// <inheritdoc/>
    internal override void Report(string holder, ICollection<LedgerEntry> entries)
    {
        PageCount count = Resident;
        if (!count.IsZero)
        {
            entries.Add(new LedgerEntry(holder, HoldingKind.Mapping, "pages faulted in", DeviceId.None, count.Value));
        }
    }

    private Errno TryAccessPage(int page, ByteCount inPage, Span<byte> bytes, bool isWrite)
    {
        while (true)
        {
            using (Gate.Enter())
            {
                if (isRevoked || isDestroyed)
                {
                    return Errno.EINVAL;
                }

                DmaMapping? entry = entries[page];
                if (entry is not null && entry.IsValid && (!isWrite || entry.Direction == DmaDirection.Bidirectional))
                {
                    DmaAddr address = entry.Segments[0].Address.AddChecked(inPage);
                    return isWrite ? Device.Port.TryWrite(address, bytes, out _) : Device.Port.TryRead(address, bytes, out _);
                }
            }

            Errno errno = TryFault(page, isWrite);
            if (!errno.IsOk)
            {
                return errno;
            }
        }
    }

    // Retried while the process keeps changing the range: for a second before the lock, without end after it, as Linux does.
    private Errno TryFault(int page, bool isWrite)
    {
        if (context.Space.IsEnded)
        {
            return Errno.EINVAL;
        }

        var request = new HmmRange(notifier) { DefaultFlags = isWrite ? HmmPfn.RequestWrite : HmmPfn.RequestFault };
        MachineClock clock = context.Nic.Machine.Clock;
        ulong startNs = clock.NowNs;
        while (true)
        {
            request.Reset(new VirtRange(pages.Start.AddChecked(new PageCount((ulong)page).ToBytes()), PageSize.Small.Bytes));
            request.Sequence = notifier.ReadBegin();
            Errno errno = RangeFault.TryFault(context.Space, request);
            if (errno == Errno.EBUSY && clock.NowNs - startNs <= TimeoutNs)
            {
                continue;
            }

            if (!errno.IsOk)
            {
                return errno;
            }

            context.Nic.Points?.Reach("odp-commit");
            using RankedLock.Guard held = Gate.Enter();
            if (isRevoked || isDestroyed)
            {
                return Errno.EINVAL;
            }

            if (!notifier.IsRetryNeeded(request.Sequence))
            {
                return TryMapLocked(page, request.Pfns[0], isWrite);
            }
        }
    }

    private Errno TryMapLocked(int page, HmmPfn word, bool isWrite)
    {
        Check.That(word.IsValid, "a range that was faulted is valid");
        PhysRangeListBuilder builder = context.Nic.Pci.CreateListBuilder();
        Errno errno = builder.TryAppend(new PhysRange(word.Frame.Address, PageSize.Small.Bytes));
        if (!errno.IsOk)
        {
            return errno;
        }

        DmaDirection direction = isWrite ? DmaDirection.Bidirectional : DmaDirection.ToDevice;
        errno = Device.TryMap(builder.Build(), direction, out DmaMapping? mapping);
        if (errno.IsOk)
        {
            resident += entries[page] is null ? 1 : 0;
            entries[page]?.Dispose();
            entries[page] = mapping;
            TableLoads++;
        }

        return errno;
    }

    private void DropPages(VirtRange range)
    {
        ulong start = Math.Max(range.Start.Value, pages.Start.Value);
        ulong end = Math.Min(EndOf(range), EndOf(pages));
        for (ulong at = start & ~(PageSize.Small.Bytes.Value - 1); at < end; at += PageSize.Small.Bytes.Value)
        {
            ref DmaMapping? entry = ref entries[(at - pages.Start.Value) >> PageSize.Small.Shift];
            if (entry is not null)
            {
                entry.Dispose();
                entry = null;
                resident--;
            }
        }
    }

    private static ulong EndOf(VirtRange range) =>
        range.Start.Value + Math.Min(range.Length.Value, ulong.MaxValue - range.Start.Value);
}
