using Mm.Core.Frames;
using Mm.Core.Locking;

namespace Mm.Core.Spaces;

/// <content>Leaves of 2 MiB whose pages move in one piece.</content>
public sealed partial class AddressSpace
{
    /// <summary>Puts a migration leaf in the place of one that maps a folio, and lets go of what that held.</summary>
    /// <param name="start">Where the leaf begins.</param>
    /// <param name="head">The folio.</param>
    /// <param name="before">The leaf that stood there.</param>
    /// <returns>Whether it is gone; false: no such leaf, or the folio may be pinned through it, and it stands as before.</returns>
    /// <remarks><b>Linux:</b> set_pmd_migration_entry.</remarks>
    internal bool TryTakeLeaf(VirtAddr start, Pfn head, out Pte before)
    {
        while (true)
        {
            before = Tables.ReadLeaf(start, out PageSize size);
            if (size != PageSize.Large || !(before.IsPresent || before.IsDevicePrivate) || before.IsZeroPage || before.Frame != head)
            {
                return false;
            }

            Pte moving = before.ToMigration();
            if (!Tables.TryExchangeLarge(start, before, moving, out _).IsOk)
            {
                continue;
            }

            // The entry first, the pins second, as for a small one. If it was broken up meanwhile, it is put back with its parts.
            FlushTlb();
            Parts.Points?.Reach("entry-taken");
            bool mayBePinned = before.IsPresent && before.IsAnonExclusive && Parts.Frames.MaybePinned(head);
            if (mayBePinned && Tables.TryExchangeLarge(start, moving, before, out _).IsOk)
            {
                return false;
            }

            _ = before.IsDirty ? Parts.Frames.SetFlags(head, PageFlags.Dirty) : default;
            Parts.Frames.RemoveEntireMapping(head);
            Parts.Frames.PutFrame(head);
            return true;
        }
    }

    /// <summary>Puts the leaf back where a migration leaf names a folio.</summary>
    /// <param name="index">Which page the folio's first one is of its area.</param>
    /// <param name="source">The folio that the leaf names.</param>
    /// <param name="target">Where its pages lie now: a folio too.</param>
    /// <returns>Whether a leaf stood there; if not, there may be small entries.</returns>
    /// <remarks><b>Linux:</b> remove_migration_pmd.</remarks>
    internal bool TryRestoreLeaf(ulong index, Pfn source, Pfn target)
    {
        using RankedLock.Guard _ = areasGate.Enter();
        while (TryFindMovingLeaf(index, source, out VirtAddr start, out Area? area))
        {
            Pte moving = Tables.ReadLeaf(start, out PageSize _);
            if (!IsMovingLeaf(moving, source))
            {
                continue;
            }

            Parts.Frames.GetFrame(target);
            Parts.Frames.AddEntireMapping(target);
            Pte entry = Owner.IsDevicePrivate(target)
                ? moving.ToDevicePrivate(target)
                : moving.ToPresent(target, isAnonymous: true, area?.EntryProtection ?? PteProtection.None);
            if (Tables.TryExchangeLarge(start, moving, entry, out Pte _).IsOk)
            {
                return true;
            }

            Parts.Frames.RemoveEntireMapping(target);
            Parts.Frames.PutFrame(target);
        }

        return false;
    }

    /// <summary>Turns a migration leaf of a folio into small migration entries.</summary>
    /// <param name="start">Where the leaf begins.</param>
    /// <param name="head">The folio.</param>
    internal void SplitMovingLeaf(VirtAddr start, Pfn head)
    {
        Pte leaf = Tables.ReadLeaf(start, out _);
        while (IsMovingLeaf(leaf, head) && !Tables.TrySplit(start, leaf))
        {
            leaf = Tables.ReadLeaf(start, out _);
        }
    }

    private static bool IsMovingLeaf(Pte entry, Pfn head) => entry.IsLarge && entry.IsMigration && entry.Frame == head;

    private bool TryFindMovingLeaf(ulong index, Pfn head, out VirtAddr start, out Area? area)
    {
        start = new VirtAddr(index << PageSize.Small.Shift);
        area = AreaSet.Find(start);
        if (IsMovingLeaf(Tables.ReadLeaf(start, out _), head))
        {
            return true; // without an area: it is being unmapped, and the leaf goes next, with what it holds
        }

        for (int other = 0; other < AreaSet.Areas.Length && AreaSet.DisplacedCount != 0; other++)
        {
            area = AreaSet.Areas[other];
            if (!area.Traits.IsShared && area.HoldsIndex(index, 1) && IsMovingLeaf(Tables.ReadLeaf(area.AddressOf(index), out _), head))
            {
                start = area.AddressOf(index);
                return true;
            }
        }

        return false;
    }
}
