using System.Buffers;
using Mm.Core;
using Mm.Core.Frames;
using Mm.Core.Spaces;

namespace Mm.Hmm.Migration;

/// <summary>The pages of one migration: where they are, where they are to go, and why some stay.</summary>
/// <remarks>
/// Owns a lock and a reference of each page that it offers and of each destination. What begins it, an area or a list of a
/// device's frames, collects the pages first. The core never copies.
/// <para><b>Linux:</b> the src and dst arrays of migrate_vma; migrate_device_unmap, migrate_device_pages,
/// migrate_device_finalize (mm/migrate_device.c, v6.12). Deliberate difference: a destination counts only once the caller
/// has said that it is wholly written (museum 12).</para>
/// <para><b>States:</b> collected → unmapped → moved → finished. Each page: offered, or staying with a reason.</para>
/// <para><b>Invariants:</b> (1) a page that migrates is locked, unmapped and held once by the migration; (2) a finished
/// migration holds and locks nothing.</para>
/// <para><b>Locking:</b> one caller at a time.</para>
/// </remarks>
internal sealed class MigrationSteps
{
    private AddressSpaces owner = null!; // set by Open
    private MigratePfn[] sources = [];
    private MigratePfn[] targets = [];
    private PageRef[] targetRefs = [];
    private StayReason[] reasons = [];
    private bool[] isWritten = [];

    /// <summary>How many pages.</summary>
    internal int Count { get; private set; }

    /// <summary>The page of a CPU's fault, which the fault holds and has locked.</summary>
    internal Pfn? FaultPage { get; private set; }

    private FrameTable Frames => owner.Parts.Frames;

    /// <summary>The source words.</summary>
    internal ReadOnlySpan<MigratePfn> Sources => sources.AsSpan(0, Count);

    /// <summary>The destination words.</summary>
    internal ReadOnlySpan<MigratePfn> Targets => targets.AsSpan(0, Count);

    /// <summary>Why each page stays.</summary>
    internal ReadOnlySpan<StayReason> Reasons => reasons.AsSpan(0, Count);

    /// <summary>Room for a number of pages.</summary>
    /// <param name="spaces">The machine's spaces.</param>
    /// <param name="faultPage">The page of a CPU's fault, if one is served.</param>
    /// <param name="pages">How many at most.</param>
    internal void Open(AddressSpaces spaces, Pfn? faultPage, int pages)
    {
        owner = spaces;
        FaultPage = faultPage;
        sources = ArrayPool<MigratePfn>.Shared.Rent(pages);
        targets = ArrayPool<MigratePfn>.Shared.Rent(pages);
        targetRefs = ArrayPool<PageRef>.Shared.Rent(pages);
        reasons = ArrayPool<StayReason>.Shared.Rent(pages);
        isWritten = ArrayPool<bool>.Shared.Rent(pages);
        Count = 0;
    }

    /// <summary>Gives the room back.</summary>
    internal void Close()
    {
        ArrayPool<MigratePfn>.Shared.Return(sources);
        ArrayPool<MigratePfn>.Shared.Return(targets);
        ArrayPool<PageRef>.Shared.Return(targetRefs, clearArray: true);
        ArrayPool<StayReason>.Shared.Return(reasons);
        ArrayPool<bool>.Shared.Return(isWritten);
        (sources, targets, targetRefs, reasons, isWritten) = ([], [], [], [], []);
        Count = 0;
    }

    /// <summary>The next page.</summary>
    /// <param name="source">Its word; none when it stays.</param>
    /// <param name="reason">Why it stays.</param>
    internal void Add(MigratePfn source, StayReason reason = StayReason.None)
    {
        sources[Count] = source;
        targets[Count] = default;
        targetRefs[Count] = default;
        reasons[Count] = reason;
        isWritten[Count] = false;
        Count++;
    }

    /// <summary>The next 2 MiB in one piece: the first word stands for all, the others say nothing until it is broken up.</summary>
    /// <param name="first">The first word; none when they stay.</param>
    /// <param name="reason">Why they stay.</param>
    internal void AddLarge(MigratePfn first, StayReason reason = StayReason.None)
    {
        Add(first, reason);
        for (ulong part = 1; part < PageSize.Large.Pages.Value; part++)
        {
            Add(default, reason);
        }
    }

    /// <summary>Unmaps what is still mapped elsewhere, and puts back what somebody else holds.</summary>
    /// <returns>How many pages are left to migrate, holes included. <b>Linux:</b> migrate_device_unmap.</returns>
    internal int Unmap()
    {
        int left = 0;
        int restore = 0;
        for (int index = 0; index < Count; index++)
        {
            if (!sources[index].HasPage)
            {
                left += sources[index].Migrates ? 1 : 0;
                continue;
            }

            StayReason reason = TryUnmapOne(sources[index]);
            if (reason == StayReason.None)
            {
                left++;
                continue;
            }

            Stay(index, reason);
            restore++;
        }

        for (int index = 0; index < Count && restore > 0; index++)
        {
            if (sources[index].HasPage && !sources[index].Migrates)
            {
                Pfn page = sources[index].Page;
                owner.ReverseMap.Restore(page, page);
                sources[index] = default;
                LetGo(page);
                restore--;
            }
        }

        return left;
    }

    /// <summary>Takes a destination.</summary>
    /// <param name="index">Which page.</param>
    /// <param name="target">A reference, the migration's from now on; locked, or free to be locked.</param>
    /// <param name="isLocked">Whether it is locked.</param>
    /// <param name="isWritable">Whether it may be written from now on.</param>
    internal void SetTarget(int index, PageRef target, bool isLocked, bool isWritable)
    {
        if (!isLocked)
        {
            owner.PageLocks.Lock(target.Page);
        }

        targetRefs[index] = target;
        MigratePfn word = MigratePfn.Of(target.Page);
        word = sources[index].IsCompound ? word.MadeCompound() : word;
        targets[index] = isWritable ? word.MadeWritable() : word;
    }

    /// <summary>Breaks up what is offered as one piece: each page is offered for itself afterwards.</summary>
    /// <param name="index">The first page.</param>
    /// <returns>Ok; EAGAIN: somebody else holds it, and it is offered as before.</returns>
    /// <remarks><b>Linux:</b> migrate_vma_split_unmapped_folio (v6.19).</remarks>
    internal Errno TryBreakUp(int index)
    {
        MigratePfn source = sources[index];
        int pages = (int)PageSize.Large.Pages.Value;
        if (!source.HasPage)
        {
            sources.AsSpan(index, pages).Fill(MigratePfn.Hole);
            return Errno.Ok;
        }

        Pfn head = source.Page;
        owner.ReverseMap.SplitMoving(head);
        if (!Frames.TrySplitFolio(head, expected: head == FaultPage ? 2U : 1U))
        {
            return Errno.EAGAIN;
        }

        for (int part = 0; part < pages; part++)
        {
            var page = new Pfn(head.Value + (ulong)part);
            sources[index + part] = MigratePfn.Offer(page, source.IsWritable);
            if (part != 0)
            {
                owner.PageLocks.Lock(page);
            }
        }

        return Errno.Ok;
    }

    /// <summary>Says that a destination is wholly written.</summary>
    /// <param name="index">Which page.</param>
    internal void SetWritten(int index) => isWritten[index] = true;

    /// <summary>Hands over what each page is to its destination.</summary>
    /// <param name="fillHole">What to do with a destination of a hole: whether it stands there now.</param>
    /// <remarks><b>Linux:</b> __migrate_device_pages.</remarks>
    internal void Move(Func<int, PageRef, bool>? fillHole)
    {
        for (int index = 0; index < Count; index++)
        {
            if (!targets[index].HasPage || (!isWritten[index] && !owner.TrustsUnwrittenPages))
            {
                Stay(index, targets[index].HasPage ? StayReason.NotWritten : StayReason.NoDestination);
            }
            else if (!sources[index].HasPage)
            {
                if (sources[index].Migrates && !(fillHole?.Invoke(index, targetRefs[index]) ?? false))
                {
                    Stay(index, StayReason.HoleFilled);
                }
            }
            else
            {
                MoveOne(index);
            }
        }
    }

    /// <summary>Nothing moves, whatever has a destination.</summary>
    internal void Abandon()
    {
        for (int index = 0; index < Count; index++)
        {
            Stay(index, StayReason.NoDestination);
        }
    }

    /// <summary>Puts entries back, of the destination where a page has moved, of the source elsewhere, and lets go of all.</summary>
    /// <remarks><b>Linux:</b> migrate_device_finalize.</remarks>
    internal void Finish()
    {
        RestoreEntries();
        for (int index = 0; index < Count; index++)
        {
            if (targets[index].HasPage && owner.ListsPagesThatGo && !sources[index].Migrates)
            {
                owner.Migration.PutBack(targets[index].Page);
            }

            if (sources[index].HasPage)
            {
                LetGo(sources[index].Page);
            }

            LetGo(targetRefs[index], targets[index].HasPage);
        }
    }

    private void RestoreEntries()
    {
        ReverseMap.RestoreRun run = owner.ReverseMap.StartRestoring();
        try
        {
            for (int index = 0; index < Count; index++)
            {
                if (sources[index].HasPage)
                {
                    bool isMoved = sources[index].Migrates && targets[index].HasPage;
                    Pfn now = isMoved ? targets[index].Page : sources[index].Page;
                    owner.Migration.PutBack(now, mayHaveLeft: !isMoved);
                    run.Restore(sources[index].Page, now);
                }
            }
        }
        finally
        {
            run.End();
        }
    }

    private void MoveOne(int index)
    {
        if (!sources[index].Migrates)
        {
            return; // it stays already
        }

        Pfn source = sources[index].Page;
        if (!owner.IsAnonymous(source))
        {
            Stay(index, StayReason.OfFile);
            return;
        }

        if (!owner.Migration.TryHandOver(source, targets[index].Page, source == FaultPage ? 1u : 0u))
        {
            Stay(index, StayReason.InUse);
        }
    }

    private StayReason TryUnmapOne(MigratePfn source)
    {
        Pfn page = source.Page;
        if (Frames.IsLarge(page) && !source.IsCompound)
        {
            return StayReason.PartOfLarge; // it is since before it was held: freed, and taken anew
        }

        if (!owner.Migration.TryIsolate(page))
        {
            return StayReason.Isolated;
        }

        bool isUnmapped = Frames.MapCountOf(page) == 0 || owner.ReverseMap.TryUnmap(page, keepsLeaves: true);
        if (isUnmapped && owner.Migration.CanMove(page, page == FaultPage))
        {
            return StayReason.None;
        }

        owner.Migration.PutBack(page, mayHaveLeft: true);
        return Frames.MaybePinned(page) ? StayReason.Pinned : StayReason.InUse;
    }

    private void Stay(int index, StayReason reason)
    {
        if (sources[index].Migrates)
        {
            int pages = sources[index].IsCompound ? (int)PageSize.Large.Pages.Value : 1;
            sources[index] = sources[index].Stays();
            reasons.AsSpan(index, pages).Fill(reason);
        }
    }

    private void LetGo(Pfn source)
    {
        if (source != FaultPage)
        {
            owner.PageLocks.Unlock(source);
        }
        else if (owner.FaultsShareReferences)
        {
            owner.PageLocks.Unlock(source); // the fault did not lock it: the migration did
        }

        Frames.PutFrame(source);
    }

    private void LetGo(PageRef target, bool hasTarget)
    {
        if (hasTarget)
        {
            owner.PageLocks.Unlock(target.Page);
            target.Dispose();
        }
    }
}
