using Mm.Core.Frames;

namespace Mm.Core.Spaces;

/// <content>Leaves of 2 MiB.</content>
internal sealed partial class PageFaults
{
    // Linux: the part of __handle_mm_fault that is about PMDs.
    private Step TryLarge(Area area, VirtAddr page, FaultFlags flags)
    {
        VirtAddr start = page.AlignDown(PageSize.Large);
        Pte leaf = Tables.ReadLeaf(page, out PageSize size);
        if (size == PageSize.Large)
        {
            return UseLarge(area, start, leaf, flags);
        }

        bool isAllowed = area.Traits is { Kind: AreaKind.AnonymousPrivate, WantsHugePages: true }
            && leaf.IsNone && area.Range.Contains(new VirtRange(start, PageSize.Large.Bytes)) && !Tables.HasSmallTable(page);
        return isAllowed ? BringLarge(area, start, flags) : Step.Fallback;
    }

    // Linux: do_huge_pmd_anonymous_page.
    private Step BringLarge(Area area, VirtAddr start, FaultFlags flags)
    {
        PrepareRoot(area);
        if ((flags & FaultFlags.Write) == FaultFlags.None)
        {
            return Owner.TryGetLargeZeroPage(out Pfn zero)
                ? StepOfLarge(Tables.TryExchangeLarge(start, default, Pte.ZeroPage(zero).MakeLarge(), out _))
                : Step.Fallback;
        }

        AllocationRequest request = AllocationRequest.User with { Order = PageSize.Large.Order, IsZeroed = true };
        if (!space.TryAllocateFor(area, start, request, out PageRef fresh).IsOk)
        {
            return Step.Fallback;
        }

        space.AddNewAnonymous(area, start, fresh.Page, (int)PageSize.Large.Pages.Value);
        Errno errno = Tables.TryExchangeLarge(start, default, OwnEntry(area, fresh.Page).MakeLarge(), out _);
        if (!errno.IsOk)
        {
            space.RemoveAnonymous(fresh.Page, (int)PageSize.Large.Pages.Value);
            fresh.Dispose();
        }

        return StepOfLarge(errno);
    }

    private static Step StepOfLarge(Errno errno) => errno == Errno.EEXIST ? Step.Fallback : StepOf(errno);

    private Step UseLarge(Area area, VirtAddr start, Pte leaf, FaultFlags flags)
    {
        if (!leaf.IsPresent)
        {
            return Step.Fallback;
        }

        bool isWrite = (flags & FaultFlags.Write) != FaultFlags.None;
        if (leaf.IsWritable || !(isWrite || (flags & FaultFlags.Unshare) != FaultFlags.None))
        {
            Pte used = isWrite ? leaf.MakeDirty().MakeAccessed() : leaf.MakeAccessed();
            return used == leaf ? Step.Done : StepOfLarge(Tables.TryExchangeLarge(start, leaf, used, out _));
        }

        // Linux: do_huge_pmd_wp_page.
        if (!leaf.IsZeroPage && (leaf.IsAnonExclusive || IsOnlyReference(leaf.Frame)))
        {
            if (!leaf.IsAnonExclusive)
            {
                space.MoveToRoot(area, leaf.Frame);
            }

            Pte own = leaf.MakeAnonExclusive();
            own = isWrite ? MaybeWritable(area, own.MakeDirty().MakeAccessed()) : own;
            return StepOfLarge(Tables.TryExchangeLarge(start, leaf, own, out _));
        }

        space.SplitLeaf(start);
        return Step.Fallback;
    }

    private bool IsOnlyReference(Pfn head)
    {
        space.PageLocks.Lock(head);
        bool isAlone = Frames.ReferencesOf(head) == 1;
        space.PageLocks.Unlock(head);
        return isAlone;
    }
}
