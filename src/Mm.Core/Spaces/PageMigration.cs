using Mm.Core.Checks;
using Mm.Core.Frames;

namespace Mm.Core.Spaces;

/// <summary>The steps by which a page moves to another frame while processes map it.</summary>
/// <remarks>
/// Owns nothing: who moves a page locks it, holds a reference of it, unmaps, copies or lets a device copy, hands over what
/// the page is, and puts the entries back. The core never copies for a device.
/// <para><b>Linux:</b> migrate_device_unmap, migrate_vma_check_page, folio_migrate_mapping, split_folio,
/// migrate_device_coherent_folio (v6.12).</para>
/// <para><b>States:</b> of a page: on the reclaim list → isolated by one mover → on the list again, or gone. Device pages are
/// never on it.</para>
/// <para><b>Locking:</b> the page's lock is the caller's.</para>
/// </remarks>
internal sealed class PageMigration(AddressSpaces owner)
{
    /// <summary>What a page keeps when it changes frames. <b>Linux:</b> folio_migrate_flags.</summary>
    internal const PageFlags KeptFlags = PageFlags.Dirty | PageFlags.Uptodate | PageFlags.Referenced | PageFlags.SwapBacked;

    private FrameTable Frames => owner.Parts.Frames;

    /// <summary>Takes a page off the reclaim list, for one mover alone.</summary>
    /// <param name="page">The page.</param>
    /// <returns>Whether it was on the list; device pages never are, and need not be. <b>Linux:</b> folio_isolate_lru.</returns>
    internal bool TryIsolate(Pfn page) => Frames.IsDevice(page)
        || (Frames.ClearFlags(Frames.HeadOf(page, out _), PageFlags.Lru) & PageFlags.Lru) != PageFlags.None;

    /// <summary>Whether a page is on the reclaim list. <b>Linux:</b> folio_test_lru.</summary>
    /// <param name="page">The page.</param>
    /// <returns>Whether it is.</returns>
    internal bool IsListed(Pfn page) => (Frames.FlagsOf(Frames.HeadOf(page, out _)) & PageFlags.Lru) != PageFlags.None;

    /// <summary>Puts a page on the reclaim list again. <b>Linux:</b> folio_putback_lru, folio_add_lru.</summary>
    /// <param name="page">The page.</param>
    /// <param name="mayHaveLeft">Whether its file may have let go of it meanwhile: then it is nobody's, and goes with its last
    /// reference. Deliberate difference: in Linux a file waits for the page's lock.</param>
    internal void PutBack(Pfn page, bool mayHaveLeft = false)
    {
        if (Frames.IsDevice(page))
        {
            return;
        }

        if (Frames.BelongsTo(page).Mapping == 0)
        {
            Check.That(mayHaveLeft, $"{page} is nobody's, and would be on the reclaim list");
            return;
        }

        PageFlags before = Frames.SetFlags(Frames.HeadOf(page, out _), PageFlags.Lru);
        if ((before & PageFlags.Lru) != PageFlags.None)
        {
            Check.That(false, $"{page} is on the reclaim list already");
        }
    }

    /// <summary>Whether nobody but its mappings and its mover holds a page. <b>Linux:</b> migrate_vma_check_page.</summary>
    /// <param name="page">The page, unmapped as far as it could be.</param>
    /// <param name="isFaultPage">Whether a CPU's fault holds it too.</param>
    /// <returns>Whether it may move.</returns>
    internal bool CanMove(Pfn page, bool isFaultPage)
    {
        PageUsage usage = Frames.UsageOf(page);
        uint extra = 1u + (isFaultPage ? 1u : 0u) + (usage.IsDevice ? 1u : 0u) + (usage.IsOfFile ? 1u : 0u);
        return usage.References <= extra + usage.MapCount;
    }

    /// <summary>Hands over what a page is to another frame: whose it is, and its flags.</summary>
    /// <param name="source">The page, locked and unmapped.</param>
    /// <param name="target">The frame, locked, that nobody else knows.</param>
    /// <param name="extra">References besides the mover's that are known.</param>
    /// <returns>Whether no other reference has come up. <b>Linux:</b> folio_migrate_mapping, folio_migrate_flags.</returns>
    internal bool TryHandOver(Pfn source, Pfn target, uint extra)
    {
        if (Frames.ReferencesOf(source) != 1 + extra)
        {
            return false;
        }

        (ulong mapping, ulong index) = Frames.BelongsTo(source);
        if ((mapping & PageMeta.AnonMapping) == 0)
        {
            Check.That(false, $"{source} is anonymous");
        }

        Frames.SetBelongsTo(target, mapping, index);
        _ = Frames.SetFlags(target, Frames.FlagsOf(source) & KeptFlags);
        return true;
    }

    /// <summary>Breaks up the folio of a page, so that its pages can move one by one.</summary>
    /// <param name="head">The folio; locked, and held once by the caller.</param>
    /// <param name="tails">Where a reference of each part but the first goes; null: parts that nobody maps are freed.</param>
    /// <returns>Ok; EAGAIN: somebody else holds it, and it is as before. <b>Linux:</b> split_folio_to_list.</returns>
    internal Errno TrySplit(Pfn head, List<PageRef>? tails = null)
    {
        _ = Frames.HeadOf(head, out int order);
        if (Frames.MapCountOf(head) + 1 != Frames.ReferencesOf(head))
        {
            return Errno.EAGAIN;
        }

        bool isSplit = owner.ReverseMap.TryUnmap(head) && Frames.TrySplitFolio(head, expected: 1);
        ulong pages = 1UL << order;
        for (ulong part = 0; part < pages; part++)
        {
            owner.ReverseMap.Restore(new Pfn(head.Value + part), new Pfn(head.Value + part), isSplit && !Frames.IsDevice(head));
        }

        for (ulong part = 1; isSplit && part < pages; part++)
        {
            PageRef tail = Frames.AdoptReference(new Pfn(head.Value + part));
            if (tails is null)
            {
                tail.Dispose();
            }
            else
            {
                tails.Add(tail);
            }
        }

        return isSplit ? Errno.Ok : Errno.EAGAIN;
    }

    /// <summary>Moves one page to RAM by the CPU: coherent device memory that is to be pinned, or a page of a zone that pages must be able to leave.</summary>
    /// <param name="page">The page, held once by the caller besides its mappings.</param>
    /// <param name="request">Where to.</param>
    /// <returns>Ok; EBUSY: somebody holds it, it is no anonymous page, or there is no memory. <b>Linux:</b>
    /// migrate_device_coherent_folio, and migrate_pages of one page.</returns>
    internal Errno TryMoveToRam(Pfn page, AllocationRequest request)
    {
        owner.PageLocks.Lock(page);
        bool isIsolated = owner.IsAnonymous(page) && !Frames.IsLarge(page) && TryIsolate(page);
        bool isUnmapped = isIsolated && owner.ReverseMap.TryUnmap(page) && CanMove(page, isFaultPage: false);
        PageRef fresh = default;
        bool isMoved = isUnmapped && owner.Parts.Allocator.TryAllocate(request, out fresh).IsOk
            && TryMove(page, fresh.Page);
        if (isIsolated)
        {
            PutBack(isMoved ? fresh.Page : page);
            owner.ReverseMap.Restore(page, isMoved ? fresh.Page : page);
        }

        owner.PageLocks.Unlock(page);
        fresh.Dispose();
        return isMoved ? Errno.Ok : Errno.EBUSY;
    }

    /// <summary>Moves a page that is off the reclaim list to a frame, by the CPU: of processes, or of a file in memory.</summary>
    /// <param name="page">The page or folio, isolated, held once by the caller besides its mappings and its file.</param>
    /// <param name="fresh">The frame, or a folio as large, which the caller keeps its reference of.</param>
    /// <returns>Whether it has moved, and the frame is on the list; if not, somebody holds the page, and all is as before.
    /// <b>Linux:</b> migrate_folio_unmap and migrate_folio_move.</returns>
    internal bool TryMoveIsolated(Pfn page, PageRef fresh)
    {
        owner.PageLocks.Lock(page);
        owner.PageLocks.Lock(fresh.Page);
        bool isUnmapped = owner.ReverseMap.TryUnmap(page, keepsLeaves: true) && CanMove(page, isFaultPage: false);
        owner.Parts.Points?.Reach("move-unmapped");
        MemoryFile? file = Frames.UsageOf(page) is { IsOfFile: true } usage ? owner.FindFile(usage.Mapping) : null;
        bool isMoved = isUnmapped && (file is null
            ? owner.IsAnonymous(page) && TryMove(page, fresh.Page)
            : file.TryReplacePage(page, fresh, owner.CopyPage));
        if (isMoved)
        {
            PutBack(fresh.Page, mayHaveLeft: true);
        }

        owner.ReverseMap.Restore(page, isMoved ? fresh.Page : page);
        owner.PageLocks.Unlock(fresh.Page);
        owner.PageLocks.Unlock(page);
        return isMoved;
    }

    private bool TryMove(Pfn page, Pfn target)
    {
        bool isMoved = TryHandOver(page, target, extra: 0);
        _ = Frames.HeadOf(page, out int order);
        for (ulong part = 0; isMoved && part < 1UL << order; part++)
        {
            owner.CopyPage(new Pfn(page.Value + part), new Pfn(target.Value + part));
        }

        return isMoved;
    }
}
