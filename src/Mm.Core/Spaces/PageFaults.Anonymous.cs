using Mm.Core.Frames;
using Mm.Core.Native;
using Mm.Core.Notifiers;

namespace Mm.Core.Spaces;

/// <content>Pages of the process's own: fresh ones, and copies of what it shares.</content>
internal sealed partial class PageFaults
{
    // Linux: do_anonymous_page.
    private Step BringAnonymous(Area area, VirtAddr page, FaultFlags flags)
    {
        if ((flags & FaultFlags.Write) == FaultFlags.None)
        {
            return StepOf(Tables.TryExchange(page, default, Pte.ZeroPage(Owner.ZeroPage), out _));
        }

        PrepareRoot(area);
        if (!space.TryAllocateFor(area, page, AllocationRequest.User with { IsZeroed = true }, out PageRef fresh).IsOk)
        {
            return Step.OutOfMemory;
        }

        return Install(area, page, default, fresh, OwnEntry(area, fresh.Page));
    }

    // Linux: do_wp_page.
    private Step MakeOwn(Area area, VirtAddr page, Pte entry, FaultFlags flags)
    {
        if (area.Traits.IsShared)
        {
            return StepOf(Tables.TryExchange(page, entry, entry.MakeWritable().MakeDirty().MakeAccessed(), out _));
        }

        bool isUnshare = (flags & FaultFlags.Write) == FaultFlags.None;
        bool isNormal = !entry.IsZeroPage && !entry.IsSpecial;
        if (isNormal && Owner.IsAnonymous(entry.Frame) && (entry.IsAnonExclusive || CanReuse(entry.Frame)))
        {
            if (!entry.IsAnonExclusive)
            {
                space.MoveToRoot(area, entry.Frame);
            }

            Pte own = entry.MakeAnonExclusive();
            own = isUnshare ? own : MaybeWritable(area, own.MakeDirty().MakeAccessed());
            return StepOf(Tables.TryExchange(page, entry, own, out _));
        }

        return CopyForWrite(area, page, entry, isUnshare);
    }

    // The only reference is our entry's: nobody else can see the page. Linux: wp_can_reuse_anon_folio.
    private bool CanReuse(Pfn frame)
    {
        if (Frames.IsLarge(frame) || Frames.ReferencesOf(frame) != 1 || !space.PageLocks.TryLock(frame))
        {
            return false;
        }

        bool isAlone = Frames.ReferencesOf(frame) == 1;
        space.PageLocks.Unlock(frame);
        return isAlone;
    }

    // Linux: wp_page_copy.
    private Step CopyForWrite(Area area, VirtAddr page, Pte entry, bool isUnshare)
    {
        PageRef old = default;
        bool hasOld = !entry.IsZeroPage && !entry.IsSpecial;
        if (hasOld && !TryHold(page, entry, out old))
        {
            return Step.Done;
        }

        PrepareRoot(area);
        AllocationRequest request = AllocationRequest.User with { IsZeroed = entry.IsZeroPage };
        if (!space.TryAllocateFor(area, page, request, out PageRef fresh).IsOk)
        {
            old.Dispose();
            return Step.OutOfMemory;
        }

        if (!entry.IsZeroPage)
        {
            CopyFrame(entry, fresh.Page);
        }

        Pte next = OwnEntry(area, fresh.Page);
        if (isUnshare)
        {
            next = Pte.Present(fresh.Page, area.EntryProtection).MakeAccessed().MakeAnonExclusive();
            next = entry.IsSoftDirty ? next.MakeSoftDirty() : next;
        }

        Step step = ReplaceByCopy(area, page, entry, fresh, next);
        old.Dispose();
        return step;
    }

    private Step ReplaceByCopy(Area area, VirtAddr page, Pte entry, PageRef fresh, Pte next)
    {
        var notice = new NotifierRange(new VirtRange(page, PageSize.Small.Bytes), NotifierEvent.Clear) { CanBlock = true };
        space.Notifiers.TryInvalidate(notice, out NotifierInvalidation invalidation).ThrowIfError();
        using (invalidation)
        {
            bool isCounted = !entry.IsZeroPage && !entry.IsSpecial;
            RssKind kind = isCounted ? Owner.KindOf(entry.Frame) : default;
            Step step = Install(area, page, entry, fresh, next, out bool isInstalled);
            if (isInstalled && isCounted)
            {
                space.CountRss(kind, -1);
                Frames.RemoveMapping(entry.Frame);
                space.FlushTlb();
                Frames.PutFrame(entry.Frame);
            }
            else if (isInstalled)
            {
                space.FlushTlb();
            }

            return step;
        }
    }

    // A frame without metadata may have gone with its device.
    private void CopyFrame(Pte from, Pfn to)
    {
        using SpanLease target = Owner.LeasePage(to);
        if (!Owner.TryLeaseFrame(from, out SpanLease source))
        {
            target.Bytes.Fill(byte.MaxValue);
            return;
        }

        using (source)
        {
            ByteCopy.Plain(source.Bytes, target.Bytes);
        }
    }

    private static Pte OwnEntry(Area area, Pfn frame) =>
        MaybeWritable(area, Pte.Present(frame, area.EntryProtection).MakeDirty().MakeAccessed().MakeAnonExclusive());

    private static Pte MaybeWritable(Area area, Pte entry) => area.IsWritable ? entry.MakeWritable() : entry;

    private Step Install(Area area, VirtAddr page, Pte expected, PageRef fresh, Pte next) =>
        Install(area, page, expected, fresh, next, out _);

    // The reference becomes the entry's; if another thread was faster, the page goes back.
    private Step Install(Area area, VirtAddr page, Pte expected, PageRef fresh, Pte next, out bool isInstalled)
    {
        space.AddNewAnonymous(area, page, fresh.Page, pages: 1);
        space.Parts.Points?.Reach("install");
        Errno errno = Tables.TryExchange(page, expected, next, out _);
        isInstalled = errno.IsOk;
        if (!isInstalled)
        {
            space.RemoveAnonymous(fresh.Page, pages: 1);
            fresh.Dispose();
        }

        return StepOf(errno);
    }

    // A reference of a page that an entry shows, taken without a lock: the entry is looked at again afterwards.
    private bool TryHold(VirtAddr page, Pte entry, out PageRef held)
    {
        if (!Frames.TryGet(entry.Frame, out held).IsOk)
        {
            return false;
        }

        if (Tables.Read(page) == entry)
        {
            return true;
        }

        held.Dispose();
        held = default;
        return false;
    }

    private void PrepareRoot(Area area)
    {
        if (area.AnonRoot == 0)
        {
            space.PrepareRoot(area);
        }
    }
}
