using Mm.Core.Frames;
using Mm.Core.Locking;
using Mm.Core.Notifiers;

namespace Mm.Core.Spaces;

/// <summary>From a page to every entry that maps it: to take the entries away while it moves, and to put them back.</summary>
/// <remarks>
/// Owns nothing. An anonymous page is looked for in each space of its family, first where it was mapped when it was made,
/// then, if its area has moved, in every area that could hold it; a page of a file in each area that maps the file, in the
/// file's order.
/// <para><b>Linux:</b> rmap_walk, try_to_migrate, remove_migration_ptes, page_make_device_exclusive_one (mm/rmap.c,
/// mm/migrate.c, v6.12).</para>
/// <para><b>Invariants:</b> (1) an anonymous page has at most one entry in a space; (2) an entry is restored with the
/// protection that its area has at that moment.</para>
/// <para><b>Locking:</b> the page is locked. Takes the family's gate, and under it the areas' lock of each space; notifiers
/// are called under the family's gate alone.</para>
/// </remarks>
internal sealed partial class ReverseMap(AddressSpaces owner)
{
    private FrameTable Frames => owner.Parts.Frames;

    /// <summary>Puts a migration entry in the place of every entry that maps a page.</summary>
    /// <param name="head">A single page, or the first frame of a folio, whose leaves are broken up.</param>
    /// <param name="keepsLeaves">Whether leaves become migration leaves, and are not broken up.</param>
    /// <returns>Whether no entry is left; if not, the caller puts back what was taken. <b>Linux:</b> try_to_migrate.</returns>
    internal bool TryUnmap(Pfn head, bool keepsLeaves = false)
    {
        _ = Frames.HeadOf(head, out int order);
        (ulong word, ulong index) = Frames.BelongsTo(head);
        var mapping = new AnonMapping(word);
        if (!mapping.IsAnonymous)
        {
            return TryUnmapFilePage(head, word, index);
        }

        if (owner.FindFamily(mapping) is { } family)
        {
            using RankedLock.Guard _ = family.Gate.Enter();
            List<RmapSite> sites = CollectSites(family, mapping.Root, index, 1UL << order);
            for (int next = 0; next < sites.Count && Frames.MapCountOf(head) != 0; next++)
            {
                UnmapAt(sites[next], head, 1UL << order, keepsLeaves);
            }
        }

        return Frames.MapCountOf(head) == 0;
    }

    /// <summary>Puts entries back where migration entries name a page.</summary>
    /// <param name="source">The page that they name.</param>
    /// <param name="target">The page that they are to map: the same one, or where it lies now.</param>
    /// <param name="mapsZero">Whether an entry of a page that is all zeros becomes one of the page of zeros.</param>
    /// <remarks><b>Linux:</b> remove_migration_ptes.</remarks>
    internal void Restore(Pfn source, Pfn target, bool mapsZero = false)
    {
        RestoreRun run = StartRestoring();
        try
        {
            run.Restore(source, target, mapsZero);
        }
        finally
        {
            run.End();
        }
    }

    /// <summary>Breaks up the migration leaves that name a folio, so that its parts can go apart.</summary>
    /// <param name="head">The folio: locked, and unmapped.</param>
    /// <remarks><b>Linux:</b> split_huge_pmd_address of a migration entry (v6.19).</remarks>
    internal void SplitMoving(Pfn head)
    {
        (ulong word, ulong index) = Frames.BelongsTo(head);
        var mapping = new AnonMapping(word);
        if (mapping.IsAnonymous && owner.FindFamily(mapping) is { } family)
        {
            using RankedLock.Guard _ = family.Gate.Enter();
            foreach (RmapSite site in CollectSites(family, mapping.Root, index, PageSize.Large.Pages.Value))
            {
                site.Space.SplitMovingLeaf(site.Range.Start, head);
            }
        }
    }

    /// <summary>Gives a page of system memory to a device alone: every entry that maps it becomes device-exclusive.</summary>
    /// <param name="page">The page, single or the head of a folio, all of whose entries become so; locked.</param>
    /// <param name="space">Whose address is meant.</param>
    /// <param name="at">The address.</param>
    /// <param name="tag">Who asks; mirrors that know it ignore the call.</param>
    /// <returns>Whether the entry at the address was writable, and no other is left. <b>Linux:</b> folio_make_device_exclusive.</returns>
    internal bool TryMakeExclusive(Pfn page, AddressSpace space, VirtAddr at, object? tag)
    {
        (ulong word, ulong index) = Frames.BelongsTo(page);
        var mapping = new AnonMapping(word);
        if (!mapping.IsAnonymous || owner.FindFamily(mapping) is not { } family)
        {
            return false;
        }

        bool isValid = false;
        using (family.Gate.Enter())
        {
            _ = Frames.HeadOf(page, out int order);
            ulong pages = 1UL << order;
            List<RmapSite> sites = CollectSites(family, mapping.Root, index, pages);
            bool goesOn = true;
            for (int next = 0; next < sites.Count && goesOn && Frames.MapCountOf(page) != 0; next++)
            {
                goesOn = MakeExclusiveAt(sites[next], page, pages, at, tag, out bool isWritable);
                isValid |= isWritable && sites[next].Space == space;
            }
        }

        return isValid && Frames.MapCountOf(page) == 0;
    }

    /// <summary>Gives a page to a device alone by one entry, whatever other entries map it.</summary>
    /// <param name="page">The page, part of a folio perhaps; locked.</param>
    /// <param name="space">Whose entry.</param>
    /// <param name="at">Its address.</param>
    /// <param name="tag">Who asks; mirrors that know it ignore the call.</param>
    /// <returns>Whether the entry mapped the page writable, and is device-exclusive now.</returns>
    /// <remarks><b>Linux:</b> the second half of make_device_exclusive (v6.15).</remarks>
    internal bool TryMakeExclusiveHere(Pfn page, AddressSpace space, VirtAddr at, object? tag)
    {
        var notice = new NotifierRange(new VirtRange(at, PageSize.Small.Bytes), NotifierEvent.Exclusive) { CanBlock = true, Owner = tag };
        space.Notifiers.TryInvalidate(notice, out NotifierInvalidation invalidation).ThrowIfError();
        using (invalidation)
        {
            Pte leaf = space.Tables.ReadLeaf(at, out PageSize size);
            return size == PageSize.Small && leaf.IsWritable
                && MakeEntryExclusive(space, at, new PfnRange(page, PageCount.One));
        }
    }

    // Every area that could map the page, whether it does or not: its mirrors are told. Oldest first.
    private static List<RmapSite> CollectSites(SpaceFamily family, ulong root, ulong index, ulong pages)
    {
        List<RmapSite> sites = family.Sites;
        sites.Clear();
        foreach (AddressSpace space in family.Members)
        {
            space.CollectSites(root, index, pages, sites);
        }

        if (sites.Count > 1)
        {
            sites.Sort(RmapSite.SearchOrder);
        }

        return sites;
    }

    // One entry of a page; one that may be pinned stays.
    private static void TryUnmapOne(AddressSpace space, VirtAddr at, Pfn page)
    {
        var notice = new NotifierRange(new VirtRange(at, PageSize.Small.Bytes), NotifierEvent.Clear) { CanBlock = true };
        space.Notifiers.TryInvalidate(notice, out NotifierInvalidation invalidation).ThrowIfError();
        using (invalidation)
        {
            _ = space.TryTakeEntry(at, page, space.Tables.Read(at), out _);
        }
    }

    // All entries of the page, or of the folio that it heads, in one area; whether the one at the address was writable. Of a
    // folio some may be exclusive already: the search ends at the first such entry, and those behind it stay as they are.
    private bool MakeExclusiveAt(RmapSite site, Pfn head, ulong pages, VirtAddr at, object? tag, out bool isWritable)
    {
        AddressSpace space = site.Space;
        var folio = new PfnRange(head, new PageCount(pages));
        isWritable = false;
        var notice = new NotifierRange(site.Range, NotifierEvent.Exclusive) { CanBlock = true, Owner = tag };
        space.Notifiers.TryInvalidate(notice, out NotifierInvalidation invalidation).ThrowIfError();
        using (invalidation)
        {
            ulong end = site.Range.Start.Value + site.Range.Length.Value;
            for (ulong next = site.Range.Start.Value; next < end; next += PageSize.Small.Bytes.Value)
            {
                Pte entry = space.Tables.Read(new VirtAddr(next));
                if (entry.IsDeviceExclusive && folio.Contains(entry.Frame))
                {
                    return false;
                }

                isWritable |= MakeEntryExclusive(space, new VirtAddr(next), folio) && next == at.Value;
            }
        }

        return true;
    }

    private bool MakeEntryExclusive(AddressSpace space, VirtAddr at, PfnRange folio)
    {
        Pte entry = space.Tables.Read(at);
        while (entry.IsPresent && !entry.IsZeroPage && !entry.IsSpecial && folio.Contains(entry.Frame))
        {
            if (space.Tables.TryExchange(at, entry, entry.ToDeviceExclusive(), out Pte before).IsOk)
            {
                space.FlushTlb();
                _ = entry.IsDirty ? Frames.SetFlags(Frames.HeadOf(folio.Start, out _), PageFlags.Dirty) : default;
                Frames.RemoveMapping(entry.Frame);
                return entry.IsWritable;
            }

            entry = before;
        }

        return false;
    }

    // The entries of a page, or of a folio whose leaf is broken up first, in one area.
    private static void UnmapAt(RmapSite site, Pfn head, ulong pages, bool keepsLeaves)
    {
        AddressSpace space = site.Space;
        var notice = new NotifierRange(site.Range, NotifierEvent.Clear) { CanBlock = true };
        space.Notifiers.TryInvalidate(notice, out NotifierInvalidation invalidation).ThrowIfError();
        using (invalidation)
        {
            bool isWhole = keepsLeaves && site.Range.Start.IsAligned(PageSize.Large) && site.Range.Length == PageSize.Large.Bytes;
            if (isWhole && space.TryTakeLeaf(site.Range.Start, head, out _))
            {
                return;
            }

            Pte leaf = space.Tables.ReadLeaf(site.Range.Start, out PageSize size);
            if (size == PageSize.Large && !leaf.IsMigration && leaf.HasFrame && leaf.Frame == head)
            {
                space.SplitLeafQuietly(site.Range.Start.AlignDown(PageSize.Large), leaf);
            }

            ulong end = site.Range.Start.Value + site.Range.Length.Value;
            for (ulong at = site.Range.Start.Value; at < end; at += PageSize.Small.Bytes.Value)
            {
                Pte entry = space.Tables.Read(new VirtAddr(at));
                bool isOurs = (entry.IsPresent || entry.IsDevicePrivate) && !entry.IsZeroPage
                    && entry.Frame >= head && entry.Frame.Value < head.Value + pages;
                if (isOurs)
                {
                    _ = space.TryTakeEntry(new VirtAddr(at), entry.Frame, entry, out _);
                }
            }
        }
    }

    private bool IsZero(Pfn page)
    {
        using Native.SpanLease lease = owner.LeasePage(page);
        return !lease.Bytes.ContainsAnyExcept((byte)0);
    }
}
