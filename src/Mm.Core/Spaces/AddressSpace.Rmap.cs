using Mm.Core.Checks;
using Mm.Core.Frames;
using Mm.Core.Locking;

namespace Mm.Core.Spaces;

/// <content>What pages know of the space that maps them.</content>
public sealed partial class AddressSpace
{
    /// <summary>Counts a fresh page or folio as mapped here, by nobody else.</summary>
    /// <remarks>Before its entry stands. <b>Linux:</b> folio_add_new_anon_rmap, folio_add_lru_vma.</remarks>
    /// <param name="area">The area.</param>
    /// <param name="at">The address of its first page.</param>
    /// <param name="head">The page, or the folio's head.</param>
    /// <param name="pages">1, or 512 for a leaf of 2 MiB.</param>
    internal void AddNewAnonymous(Area area, VirtAddr at, Pfn head, int pages)
    {
        Parts.Frames.SetBelongsTo(head, AnonMapping.Of(Family.Id, area.AnonRoot).Bits, area.OffsetOf(at).Value);
        bool isDevice = Parts.Frames.IsDevice(head);
        _ = Parts.Frames.SetFlags(head, PageFlags.SwapBacked | PageFlags.Uptodate | (isDevice ? PageFlags.None : PageFlags.Lru));
        CountAnonymous(head, pages);
    }

    /// <summary>Takes that back, for an entry that never stood.</summary>
    /// <param name="head">The page, or the folio's head.</param>
    /// <param name="pages">1, or 512.</param>
    internal void RemoveAnonymous(Pfn head, int pages)
    {
        CountRss(RssKind.Anonymous, -pages);
        if (pages == 1)
        {
            Parts.Frames.RemoveMapping(head);
        }
        else
        {
            Parts.Frames.RemoveEntireMapping(head);
        }
    }

    /// <summary>Puts back the entry that stood before a device had the page for itself. The page is locked.</summary>
    /// <param name="area">The area.</param>
    /// <param name="page">The address.</param>
    /// <param name="entry">The device-exclusive entry.</param>
    /// <returns>Whether it stood there still. <b>Linux:</b> restore_exclusive_pte.</returns>
    internal bool RestoreExclusive(Area area, VirtAddr page, Pte entry)
    {
        Parts.Frames.AddMapping(entry.Frame);
        Pte present = entry.ToPresent(entry.Frame, isAnonymous: true, area.EntryProtection);
        if (Tables.TryExchange(page, entry, present, out _).IsOk)
        {
            return true;
        }

        Parts.Frames.RemoveMapping(entry.Frame);
        return false;
    }

    /// <summary>Says that a page, which nobody else can see, is of this area's root now. <b>Linux:</b> folio_move_anon_rmap.</summary>
    /// <param name="area">The area, with a root.</param>
    /// <param name="head">The page, or the folio's head.</param>
    internal void MoveToRoot(Area area, Pfn head)
    {
        (_, ulong index) = Parts.Frames.BelongsTo(head);
        Parts.Frames.SetBelongsTo(head, AnonMapping.Of(Family.Id, area.AnonRoot).Bits, index);
    }

    /// <summary>Collects where areas may map a page of a root: each address, whether an entry stands there or not.</summary>
    /// <param name="root">The root.</param>
    /// <param name="index">Which page.</param>
    /// <param name="pages">How many from there on.</param>
    /// <param name="sites">Where to.</param>
    /// <remarks><b>Linux:</b> anon_vma_interval_tree_foreach, before the order among several.</remarks>
    internal void CollectSites(ulong root, ulong index, ulong pages, List<RmapSite> sites)
    {
        using RankedLock.Guard _ = areasGate.Enter();
        if (pages == 1 && AreaSet.DisplacedCount == 0)
        {
            var at = new VirtAddr(index << PageSize.Small.Shift);
            if (AreaSet.Find(at) is { } area && area.HasRoot(root))
            {
                sites.Add(new RmapSite(this, new VirtRange(at, PageSize.Small.Bytes), area.Offset.Value, area.Sequence));
            }

            return;
        }

        foreach (Area area in AreaSet.Areas)
        {
            if (area.HasRoot(root) && area.HoldsIndex(index, pages))
            {
                sites.Add(new RmapSite(this, area.RangeOfPages(index, pages), area.Offset.Value, area.Sequence));
            }
        }
    }

    /// <summary>Puts the entry back where a migration entry names a page.</summary>
    /// <param name="index">Which page it is of its area.</param>
    /// <param name="source">The page that the entry names.</param>
    /// <param name="target">Where the page lies now.</param>
    /// <param name="isZero">Whether the page of zeros takes its place.</param>
    internal void RestoreEntry(ulong index, Pfn source, Pfn target, bool isZero)
    {
        using RankedLock.Guard _ = areasGate.Enter();
        while (TryFindMoving(index, source, out VirtAddr at, out Area? area, out Pte moving)
            && !TryRestore(area, at, moving, target, isZero))
        {
            // a change of protection came in between: the entry is another one now
        }
    }

    /// <summary>The same at a known address.</summary>
    /// <param name="at">The address.</param>
    /// <param name="source">The page that the entry names.</param>
    /// <param name="target">Where the page lies now.</param>
    /// <param name="isZero">Whether the page of zeros takes its place.</param>
    internal void RestoreEntryAt(VirtAddr at, Pfn source, Pfn target, bool isZero)
    {
        using RankedLock.Guard _ = areasGate.Enter();
        while (AreaSet.Find(at) is { } area && Tables.Read(at) is var moving && Names(moving, source, isMigration: true)
            && !TryRestore(area, at, moving, target, isZero))
        {
            // as above
        }
    }

    /// <summary>Puts a migration entry in the place of the one that maps a page, and lets go of what that held.</summary>
    /// <param name="at">The address.</param>
    /// <param name="page">The page.</param>
    /// <param name="seen">The entry as the caller saw it; it may be another by now.</param>
    /// <param name="before">The entry that stood there.</param>
    /// <returns>Whether it is gone; false: it maps no such page, or the page may be pinned through it, and it stands as before.</returns>
    internal bool TryTakeEntry(VirtAddr at, Pfn page, Pte seen, out Pte before)
    {
        before = seen;
        while (Names(before, page, isMigration: false))
        {
            Pte moving = before.ToMigration();
            if (!Tables.TryExchange(at, before, moving, out Pte found).IsOk)
            {
                before = found;
                continue;
            }

            // The entry first, the pins second: who pins without a lock looks at the entry again after pinning.
            FlushTlb();
            Parts.Points?.Reach("entry-taken");
            if (before.IsPresent && before.IsAnonExclusive && Parts.Frames.MaybePinned(page))
            {
                Check.That(Tables.TryExchange(at, moving, before, out _).IsOk, "a migration entry is its maker's");
                return false;
            }

            if (before.IsDirty)
            {
                _ = Parts.Frames.SetFlags(Parts.Frames.HeadOf(page, out _), PageFlags.Dirty);
            }

            Parts.Frames.RemoveMapping(page);
            Parts.Frames.PutFrame(page);
            return true;
        }

        return false;
    }

    /// <summary>Locks and holds the page that an entry names, as long as the entry stands.</summary>
    /// <param name="at">The address.</param>
    /// <param name="entry">The entry, which holds its page.</param>
    /// <param name="held">A reference of the page, which is locked.</param>
    /// <param name="isGone">Whether another entry stands there; if not, and nothing is locked, somebody else has the lock.</param>
    /// <returns>Whether it is locked and held.</returns>
    /// <remarks><b>Linux:</b> do_swap_page of later kernels, which looks, locks and holds under the lock of the table. Here
    /// the gate stands for it: who takes an entry away drops its reference only after FlushTlb has passed the gate.</remarks>
    internal bool TryLockEntry(VirtAddr at, Pte entry, out PageRef held, out bool isGone)
    {
        held = default;
        using RankedLock.Guard _ = tlbGate.Enter();
        isGone = Tables.Read(at) != entry;
        if (isGone || !PageLocks.TryLock(entry.Frame))
        {
            return false;
        }

        Check.That(Parts.Frames.TryGet(entry.Frame, out held).IsOk, "invariant 2: a device-private entry holds its page");
        return true;
    }

    /// <summary>Waits while an entry stands and its page is on its way, or locked. The waiter holds no page.</summary>
    /// <param name="at">The address.</param>
    /// <param name="entry">The entry: of migration, or one that holds its page.</param>
    /// <remarks><b>Linux:</b> migration_entry_wait, softleaf_entry_wait_on_locked.</remarks>
    internal void WaitForEntry(VirtAddr at, Pte entry) => PageLocks.WaitUntil(() => IsOver(at, entry));

    /// <summary>Gives an area the number of its pages' root: a neighbour's where the two could become one area.</summary>
    /// <param name="area">The area, without root.</param>
    /// <remarks><b>Linux:</b> __anon_vma_prepare, find_mergeable_anon_vma.</remarks>
    internal void PrepareRoot(Area area)
    {
        using RankedLock.Guard _ = areasGate.Enter();
        if (area.AnonRoot != 0)
        {
            return;
        }

        (Area? below, Area? above) = AreaSet.NeighboursOf(area);
        area.AnonRoot = above is { AnonRoot: not 0, IsInherited: false } && area.CanShareRootWith(above) ? above.AnonRoot
            : below is { AnonRoot: not 0, IsInherited: false } && below.CanShareRootWith(area) ? below.AnonRoot
            : Owner.NextRoot();
        area.Sequence = Owner.NextRoot();
    }

    // A migration entry holds no page, so the page is not looked at: it is restored before the page is unlocked.
    private bool IsOver(VirtAddr at, Pte entry)
    {
        using RankedLock.Guard _ = tlbGate.Enter(); // keeps what the entry holds from going
        return Tables.Read(at) != entry || (!entry.IsMigration && !PageLocks.IsLocked(entry.Frame));
    }

    private static bool Names(Pte entry, Pfn page, bool isMigration) =>
        (isMigration ? entry.IsMigration : entry.IsPresent || entry.IsDevicePrivate)
        && !entry.IsLarge && !entry.IsZeroPage && !entry.IsSpecial && entry.Frame == page;

    // Where the page was mapped first; only if some area has moved, or is a file's, in every area that could hold it.
    private bool TryFindMoving(ulong index, Pfn page, out VirtAddr at, out Area? area, out Pte moving)
    {
        at = new VirtAddr(index << PageSize.Small.Shift);
        area = AreaSet.Find(at);
        moving = Tables.Read(at);
        if ((area is null || area.OffsetOf(at).Value == index) && IsToRestore(moving, page))
        {
            return true; // without an area: it is being unmapped, and the entry goes next, with what it holds
        }

        for (int other = 0; other < AreaSet.Areas.Length && AreaSet.DisplacedCount != 0; other++)
        {
            area = AreaSet.Areas[other];
            if (area.Traits.IsShared || !area.HoldsIndex(index, 1))
            {
                continue;
            }

            at = area.AddressOf(index);
            moving = Tables.Read(at);
            if (IsToRestore(moving, page))
            {
                return true;
            }
        }

        return false;
    }

    private bool IsToRestore(Pte entry, Pfn page) => Names(entry, page, isMigration: true)
        || (entry.IsDeviceExclusive && entry.Frame == page && Parts.Profile.FailedMovesEndExclusive);

    private bool TryRestore(Area? area, VirtAddr at, Pte moving, Pfn target, bool isZero)
    {
        PteProtection protection = area?.EntryProtection ?? PteProtection.None;
        if (isZero)
        {
            Pte zero = protection == PteProtection.None
                ? Pte.ZeroPage(Owner.ZeroPage).Modify(PteProtection.None)
                : Pte.ZeroPage(Owner.ZeroPage);
            bool isPut = Tables.TryExchange(at, moving, zero, out _).IsOk;
            CountRss(RssKind.Anonymous, isPut ? -1 : 0);
            return isPut;
        }

        Parts.Frames.GetFrame(target);
        Parts.Frames.AddMapping(target);
        Pte entry = moving.IsDeviceExclusive ? moving.ToPresentMistaken(protection)
            : Owner.IsDevicePrivate(target) ? moving.ToDevicePrivate(target)
            : moving.ToPresent(target, Owner.IsAnonymous(target), protection);
        if (Tables.TryExchange(at, moving, entry, out _).IsOk)
        {
            if (moving.IsDeviceExclusive)
            {
                Owner.Lose(moving.Frame); // unlike an entry of migration, it held the page
            }

            return true;
        }

        Parts.Frames.RemoveMapping(target);
        Parts.Frames.PutFrame(target);
        return false;
    }

    private void CountAnonymous(Pfn head, int pages)
    {
        CountRss(RssKind.Anonymous, pages);
        if (pages == 1)
        {
            Parts.Frames.AddMapping(head);
        }
        else
        {
            Check.That(pages == (int)PageSize.Large.Pages.Value, "a folio is mapped whole or page by page");
            Parts.Frames.AddEntireMapping(head);
        }
    }
}
