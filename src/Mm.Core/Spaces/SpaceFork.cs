using Mm.Core.Frames;

namespace Mm.Core.Spaces;

/// <summary>Copies the entries of areas from a parent to its child.</summary>
/// <remarks>
/// What may be written becomes read-only in both, what was exclusive is so no more; a page that may be pinned stays the
/// parent's alone, and the child gets a copy at once.
/// <para><b>Linux:</b> copy_pte_range, copy_present_ptes, copy_nonpresent_pte, copy_huge_pmd (v6.12). Deliberate difference:
/// a device-exclusive entry whose page is locked is waited for by looking again, instead of failing the fork.</para>
/// <para><b>Locking:</b> the parent's lock, for writing, and the family's gate; nobody knows the child yet.</para>
/// </remarks>
/// <param name="parent">Whose entries.</param>
/// <param name="child">Who gets them.</param>
internal sealed class SpaceFork(AddressSpace parent, AddressSpace child)
{
    private FrameTable Frames => parent.Parts.Frames;

    private AddressSpaces Owner => parent.Owner;

    /// <summary>Copies the entries of one area.</summary>
    /// <param name="area">The parent's area.</param>
    /// <returns>Ok, or ENOMEM.</returns>
    internal Errno TryCopy(Area area)
    {
        ulong end = area.End.Value;
        for (ulong at = area.Start.Value; at < end;)
        {
            PteRun run = parent.Tables.RunAt(at, end);
            Errno errno = Errno.Ok;
            if (!run.Large.IsNone)
            {
                errno = TryCopyLarge(area, run.Start.AlignDown(PageSize.Large), run.Large, out bool isSplit);
                if (isSplit)
                {
                    continue;
                }
            }
            else if (!run.IsHole)
            {
                errno = TryCopyRun(area, run);
            }

            if (!errno.IsOk)
            {
                return errno;
            }

            at += run.Pages.ToBytes().Value;
        }

        return Errno.Ok;
    }

    // The child gets a table where the parent has one, be it empty: no page of 2 MiB can come in there.
    private Errno TryCopyRun(Area area, PteRun run)
    {
        Errno errno = child.Tables.TryAddSmallTable(run.Start);
        for (int index = 0; errno.IsOk && index < (int)run.Pages.Value; index++)
        {
            var at = new VirtAddr(run.Start.Value + ((ulong)index << 12));
            do
            {
                Pte entry = run[index];
                errno = entry.IsNone ? Errno.Ok : TryCopyEntry(area, at, entry);
            }
            while (errno == Errno.EAGAIN);
        }

        return errno;
    }

    // EAGAIN: the entry has changed, look again.
    private Errno TryCopyEntry(Area area, VirtAddr at, Pte entry)
    {
        switch (entry.Kind)
        {
            case PteKind.Present:
                return TryCopyPresent(area, at, entry);
            case PteKind.Migration:
                Pte moving = area.Traits.IsCow ? entry.MakeReadable() : entry;
                return TryShare(at, entry, moving, moving, holdsPage: false, isCounted: true);
            case PteKind.DevicePrivate:
                Pte onDevice = area.Traits.IsCow ? entry.MakeReadable() : entry;
                return TryShare(at, entry, onDevice, onDevice, holdsPage: true, isCounted: true);
            case PteKind.DeviceExclusive:
                RestoreExclusive(area, at, entry);
                return Errno.EAGAIN;
            default:
                return TryShare(at, entry, entry, entry, holdsPage: false, isCounted: false);
        }
    }

    private Errno TryCopyPresent(Area area, VirtAddr at, Pte entry)
    {
        bool isPlain = !entry.IsZeroPage && !entry.IsSpecial;
        if (isPlain && entry.IsAnonExclusive && parent.HasPinned && Frames.MaybePinned(entry.Frame))
        {
            return TryCopyPage(area, at, entry);
        }

        parent.Parts.Points?.Reach("fork-unpinned");
        Pte kept = isPlain && entry.IsAnonExclusive ? entry.ClearAnonExclusive() : entry;
        kept = area.Traits.IsCow ? kept.MakeWriteProtected() : kept;
        Pte given = area.Traits.IsShared ? kept.MakeClean().MakeOld() : kept.MakeOld();
        return TryShare(at, entry, kept, given, isPlain, isPlain);
    }

    private Errno TryCopyPage(Area area, VirtAddr at, Pte entry)
    {
        Errno errno = child.TryAllocateFor(child.FindArea(at)!, at, AllocationRequest.User, out PageRef fresh);
        if (!errno.IsOk)
        {
            return errno;
        }

        Owner.CopyPage(entry.Frame, fresh.Page);
        Pte given = Pte.Present(fresh.Page, area.EntryProtection).MakeDirty().MakeAnonExclusive();
        child.AddNewAnonymous(child.FindArea(at)!, at, fresh.Page, pages: 1);
        errno = child.Tables.TryExchange(at, default, area.IsWritable ? given.MakeWritable() : given, out _);
        if (!errno.IsOk)
        {
            child.RemoveAnonymous(fresh.Page, pages: 1);
            fresh.Dispose();
        }

        return errno;
    }

    private Errno TryShare(VirtAddr at, Pte entry, Pte kept, Pte given, bool holdsPage, bool isCounted)
    {
        if (kept != entry && !parent.Tables.TryExchange(at, entry, kept, out _).IsOk)
        {
            return Errno.EAGAIN;
        }

        if (holdsPage)
        {
            Frames.GetFrame(entry.Frame);
            Frames.AddMapping(entry.Frame);
        }

        RssKind kind = isCounted ? Owner.KindOf(entry.Frame) : default;
        child.CountRss(kind, isCounted ? 1 : 0);
        Errno errno = child.Tables.TryExchange(at, default, given, out _);
        if (!errno.IsOk)
        {
            child.CountRss(kind, isCounted ? -1 : 0);
            if (holdsPage)
            {
                Frames.RemoveMapping(entry.Frame);
                Frames.PutFrame(entry.Frame);
            }
        }

        return errno;
    }

    private void RestoreExclusive(Area area, VirtAddr at, Pte entry)
    {
        if (parent.PageLocks.TryLock(entry.Frame))
        {
            _ = parent.RestoreExclusive(area, at, entry);
            parent.PageLocks.Unlock(entry.Frame);
        }
    }

    private Errno TryCopyLarge(Area area, VirtAddr start, Pte leaf, out bool isSplit)
    {
        if (!leaf.IsPresent)
        {
            return TryCopyLargeElsewhere(area, start, leaf, out isSplit);
        }

        isSplit = leaf.IsAnonExclusive && parent.HasPinned && Frames.MaybePinned(leaf.Frame);
        if (isSplit)
        {
            parent.SplitLeafQuietly(start, leaf);
            return Errno.Ok;
        }

        if (leaf.IsZeroPage)
        {
            return child.Tables.TryExchangeLarge(start, default, leaf, out _);
        }

        Pte kept = (leaf.IsAnonExclusive ? leaf.ClearAnonExclusive() : leaf).MakeWriteProtected();
        while (kept != leaf && !parent.Tables.TryExchangeLarge(start, leaf, kept, out Pte before).IsOk)
        {
            leaf = before; // the processor has noted a use: nothing else changes a leaf under the lock
            kept = (leaf.IsAnonExclusive ? leaf.ClearAnonExclusive() : leaf).MakeWriteProtected();
        }

        long pages = (long)PageSize.Large.Pages.Value;
        Frames.GetFrame(leaf.Frame);
        Frames.AddEntireMapping(leaf.Frame);
        child.CountRss(RssKind.Anonymous, pages);
        Errno errno = child.Tables.TryExchangeLarge(start, default, kept.MakeOld(), out _);
        if (!errno.IsOk)
        {
            child.CountRss(RssKind.Anonymous, -pages);
            Frames.RemoveEntireMapping(leaf.Frame);
            Frames.PutFrame(leaf.Frame);
        }

        return errno;
    }

    // Pages that move, or are a device's. Told as split when the leaf has changed: it is looked at again.
    // Linux: copy_huge_non_present_pmd (v6.19).
    private Errno TryCopyLargeElsewhere(Area area, VirtAddr start, Pte leaf, out bool isSplit)
    {
        Pte kept = area.Traits.IsCow ? leaf.MakeReadable() : leaf;
        isSplit = kept != leaf && !parent.Tables.TryExchangeLarge(start, leaf, kept, out _).IsOk;
        if (isSplit)
        {
            return Errno.Ok;
        }

        long pages = (long)PageSize.Large.Pages.Value;
        if (leaf.IsDevicePrivate)
        {
            Frames.GetFrame(leaf.Frame);
            Frames.AddEntireMapping(leaf.Frame);
        }

        child.CountRss(RssKind.Anonymous, pages);
        Errno errno = child.Tables.TryExchangeLarge(start, default, kept, out _);
        if (!errno.IsOk)
        {
            child.CountRss(RssKind.Anonymous, -pages);
            if (leaf.IsDevicePrivate)
            {
                Frames.RemoveEntireMapping(leaf.Frame);
                Frames.PutFrame(leaf.Frame);
            }
        }

        return errno;
    }
}
