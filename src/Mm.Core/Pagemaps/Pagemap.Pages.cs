using Mm.Core.Checks;
using Mm.Core.Frames;
using Mm.Core.Locking;

namespace Mm.Core.Pagemaps;

// The facet of pages: how they leave the map, come back to it, and let it die.
public abstract partial class Pagemap
{
    /// <summary>Hands 2^order idle pages out as one folio, locked. They come back one by one: the driver hears of each.</summary>
    /// <param name="head">The first page, aligned to the order.</param>
    /// <param name="order">The order, in [1, 9].</param>
    /// <param name="reference">The one reference to it, or an empty one when refused; the caller disposes it.</param>
    /// <param name="pageLock">Its lock.</param>
    /// <returns>
    /// <see cref="Errno.EOPNOTSUPP"/>: the memory is of a kind whose idle pages have a reference.
    /// <see cref="Errno.ENODEV"/>: the map is dying or dead.
    /// <see cref="Errno.EBUSY"/>: one of the pages is handed out.
    /// <see cref="Errno.ENXIO"/>: not all of them are in one range of the map.
    /// </returns>
    /// <exception cref="ArgumentOutOfRangeException">The page is not the map's or not aligned, or not such an order.</exception>
    /// <remarks><b>Linux:</b> zone_device_folio_init (v6.19).</remarks>
    public Errno TryHandOutFolio(Pfn head, int order, out PageRef reference, out PageLock pageLock)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(order);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(order, PageSize.Large.Order);
        ThrowUnlessMine(head);
        ArgumentOutOfRangeException.ThrowIfNotEqual(head.IsAligned(order), true, nameof(head));
        reference = default;
        pageLock = default;
        if (rule != HandOutRule.FromZero)
        {
            return Errno.EOPNOTSUPP;
        }

        if (!TryHold(1UL << order))
        {
            return Errno.ENODEV;
        }

        Errno errno = parts.Frames.TryTakeDeviceFolio(head, order);
        if (!errno.IsOk)
        {
            Unhold(1UL << order);
            return errno;
        }

        reference = parts.Frames.AdoptReference(head);
        pageLock = new PageLock(parts.Frames, head);
        return Errno.Ok;
    }

    private Errno TryHandOutFromZero(Pfn page, out PageRef reference, out PageLock pageLock)
    {
        reference = default;
        pageLock = default;
        if (!TryHold(1))
        {
            return Errno.ENODEV;
        }

        parts.Points?.Reach("holds-map");
        Errno errno = parts.Frames.TryTakeDevicePage(page);
        if (!errno.IsOk)
        {
            Unhold(1);
            return errno;
        }

        reference = parts.Frames.AdoptReference(page);
        pageLock = new PageLock(parts.Frames, page);
        return Errno.Ok;
    }

    private Errno TryHandOutFromOne(Pfn page, out PageRef reference)
    {
        reference = default;
        if (!TryUse())
        {
            return Errno.ENODEV;
        }

        parts.Points?.Reach("uses-map");
        Errno errno = rule == HandOutRule.AddToOne
            ? TryAddToOne(page, out reference)
            : TryPassOneOn(page, out reference);
        Unuse();
        return errno;
    }

    private Errno TryAddToOne(Pfn page, out PageRef reference)
    {
        Errno errno = parts.Frames.TryGet(page, out reference);

        // A free page was retired: the map was unmapped since TryUse.
        return errno == Errno.ENOENT ? Errno.ENODEV : errno;
    }

    private Errno TryPassOneOn(Pfn page, out PageRef reference)
    {
        reference = default;
        ulong index = IndexOf(page);
        if (!marks!.TryChange(index, PageMarks.Mark.Idle, PageMarks.Mark.Taken))
        {
            return marks[index] == PageMarks.Mark.Retired ? Errno.ENODEV : Errno.EBUSY;
        }

        if (parts.Frames.HasIdleReference(page))
        {
            reference = parts.Frames.AdoptReference(page);
            return Errno.Ok;
        }

        // The map was unmapped since TryUse, and a page that was never used before comes without a reference now. The
        // mark is ours, so the kill has left the page's hold to us.
        Check.That(
            marks.TryChange(index, PageMarks.Mark.Taken, PageMarks.Mark.Retired), $"invariant 4: {page} is marked by us");
        Unhold(1);
        return Errno.ENODEV;
    }

    // A page whose idle state is one reference has lost its last: it was handed out, or the dying map dropped its own.
    private void ReturnToOne(Pfn page)
    {
        ulong index = IndexOf(page);

        // Once the mark is idle the page's hold is no longer ours, and a kill may let it go: without a hold of our own
        // the map could die under the rest of this method, and the driver hear of a page after the death.
        HoldAgain(page);
        if (marks!.TryChange(index, PageMarks.Mark.Taken, PageMarks.Mark.Idle))
        {
            // The mark first: the driver may hand the page out again from within its callback.
            parts.Points?.Reach("mark-idle");
            CallPageFree(page);
            if (State == PagemapState.Live || !marks.TryChange(index, PageMarks.Mark.Idle, PageMarks.Mark.Retired))
            {
                Unhold(1); // the page keeps its own hold: idle, or with whoever changed the mark since
                return;
            }
        }

        Check.That(marks[index] == PageMarks.Mark.Retired, $"invariant 4: {page} lost a reference that nobody held");
        Unhold(TryRetire(page) ? 2UL : 1UL);
    }

    private void RetireIdlePages()
    {
        if (marks is null)
        {
            return;
        }

        for (int i = 0; i < spans.Length; i++)
        {
            FrameSpan retired = spans[i] with { IdleReferences = 0 };
            parts.Frames.ReplaceDevicePages(spans[i], retired);
            spans[i] = retired;
        }

        parts.Points?.Reach("spans-replaced");
        ulong index = 0;
        ulong gone = 0;
        foreach (PfnRange range in ranges)
        {
            for (ulong i = 0; i < range.Count.Value; i++, index++)
            {
                if (marks.TryChange(index, PageMarks.Mark.Idle, PageMarks.Mark.Retired)
                    && TryRetire(new Pfn(range.Start.Value + i)))
                {
                    gone++;
                }
            }
        }

        Unhold(gone);
    }

    // Drops the idle reference of a page whose mark the caller changed to Retired. False when others hold the page: then
    // the hold goes with their last reference.
    private bool TryRetire(Pfn page)
    {
        if (parts.Frames.TryRetireDevicePage(page))
        {
            return true;
        }

        parts.Points?.Reach("page-busy");
        parts.Frames.AdoptReference(page).Dispose();
        return false;
    }

    private void CallPageFree(Pfn page)
    {
        RankedLock.CheckNoneHeldFrom(LockRank.AddressSpace, "OnPageFree");
        Ops?.OnPageFree(this, page);
    }

    private bool TryHold(ulong count)
    {
        ulong before;
        PagemapLife after;
        do
        {
            before = Volatile.Read(ref life);
            if (!new PagemapLife(before).TryHold(count, out after))
            {
                return false;
            }
        }
        while (Interlocked.CompareExchange(ref life, after.Bits, before) != before);

        return true;
    }

    private void HoldAgain(Pfn page)
    {
        ulong before;
        PagemapLife after;
        do
        {
            before = Volatile.Read(ref life);
            bool isHeld = new PagemapLife(before).TryHoldAgain(out after);
            Check.That(isHeld, $"invariant 1: {page} held a map that is {new PagemapLife(before)}");
        }
        while (Interlocked.CompareExchange(ref life, after.Bits, before) != before);
    }

    private void Unhold(ulong count)
    {
        ulong before;
        PagemapLife after;
        do
        {
            before = Volatile.Read(ref life);
            bool isHeld = new PagemapLife(before).TryUnhold(count, out after);
            Check.That(isHeld, $"invariant 1: {count} pages let go of a map that is {new PagemapLife(before)}");
        }
        while (Interlocked.CompareExchange(ref life, after.Bits, before) != before);

        if (count > 0)
        {
            DieIfDead(after);
        }
    }

    // Exactly one step leads to Dead, so one thread comes through here once.
    private void DieIfDead(PagemapLife after)
    {
        if (after.State != PagemapState.Dead)
        {
            return;
        }

        parts.Points?.Reach("dead");
        Undescribe(spans.Length);
        unregister!(this);
        RankedLock.CheckNoneHeldFrom(LockRank.AddressSpace, "a page map's death notice");
        whenDead?.Invoke();
        death.SetResult();
    }

    private void Undescribe(int count)
    {
        for (int i = 0; i < count; i++)
        {
            parts.Frames.RemoveDevicePages(spans[i]);
        }

        marks?.Dispose();
    }

    /// <summary>Recounts the pages that hold the map. Wants the machine at rest.</summary>
    internal void Validate()
    {
        ulong inUse = 0;
        foreach (FrameSpan span in spans)
        {
            inUse += parts.Frames.CountDevicePagesInUse(span);
        }

        PagemapLife now = Life;
        bool holdsAll = marks is not null && now.State == PagemapState.Live;
        Check.That(
            now.Pages == (holdsAll ? Pages.Value : inUse),
            $"invariant 1: {inUse} pages of {Pages} are in use; {now}");
        Check.That(now.State != PagemapState.Live || now.Users > 0, $"invariant 1 of PagemapLife: {now}");
    }

    private ulong IndexOf(Pfn page)
    {
        Check.That(TryIndexOf(page, out ulong index), $"{page} is in {string.Join(", ", Ranges)}");
        return index;
    }

    private bool TryIndexOf(Pfn page, out ulong index)
    {
        index = 0;
        foreach (PfnRange range in ranges)
        {
            if (range.Contains(page))
            {
                index += page.Value - range.Start.Value;
                return true;
            }

            index += range.Count.Value;
        }

        return false;
    }
}
