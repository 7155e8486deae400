using Mm.Core;
using Mm.Core.Frames;
using Mm.Core.Spaces;

namespace Mm.Hmm.Migration;

/// <summary>Goes over an area's entries and takes those pages that may migrate: locked, held, a migration entry in their place.</summary>
/// <remarks>
/// <b>Linux:</b> migrate_vma_collect_pmd, migrate_vma_collect_hole (v6.12); migrate_vma_collect_huge_pmd (v6.19).
/// <para><b>Locking:</b> the space's lock, for reading; the range is being invalidated.</para>
/// </remarks>
internal readonly ref struct AreaCollector(AddressSpace space, Area area, MigrationRequest request, MigrationSteps steps)
{
    private FrameTable Frames => space.Parts.Frames;

    private AddressSpaces Owner => space.Owner;

    private bool TakesWhole => Selects(MigrateSelect.Compound) && space.Parts.Profile.MigratesLargePages;

    /// <summary>Collects.</summary>
    internal void Collect()
    {
        ulong end = request.Range.Start.Value + request.Range.Length.Value;
        for (ulong at = request.Range.Start.Value; at < end;)
        {
            PteRun run = space.Tables.RunAt(at, end);
            ulong next = at + run.Pages.ToBytes().Value;
            if (run.IsHole)
            {
                AddHoles(at, next);
            }
            else if (!run.Large.IsNone)
            {
                if (TryTakeWhole(new VirtAddr(at), run))
                {
                    at = next;
                    continue;
                }

                if (Wants(run.Large) && TryBreakUp(new VirtAddr(at), run.Large))
                {
                    continue;
                }

                Skip(run.Pages, Wants(run.Large) ? StayReason.PartOfLarge : StayReason.NotSelected);
            }
            else
            {
                for (int index = 0; index < (int)run.Pages.Value; index++)
                {
                    CollectOne(new VirtAddr(at + ((ulong)index << PageSize.Small.Shift)), run[index]);
                }
            }

            at = next;
        }

        space.FlushTlb();
    }

    private void AddHoles(ulong at, ulong end)
    {
        bool isOffered = area.Traits.Kind == AreaKind.AnonymousPrivate;
        ulong whole = PageSize.Large.Bytes.Value;
        while (at < end)
        {
            bool isWhole = isOffered && TakesWhole && at % whole == 0 && end - at >= whole;
            if (isWhole)
            {
                steps.AddLarge(MigratePfn.Hole.MadeCompound());
            }
            else
            {
                steps.Add(isOffered ? MigratePfn.Hole : default, isOffered ? StayReason.None : StayReason.HoleOfFile);
            }

            at += isWhole ? whole : PageSize.Small.Bytes.Value;
        }
    }

    // Linux: migrate_vma_collect_huge_pmd. What is not of the kind selected is left whole by kernels that can move it so.
    private bool Wants(Pte leaf) => !space.Parts.Profile.MigratesLargePages
        || (leaf.IsDevicePrivate
            ? Selects(MigrateSelect.DevicePrivate) && IsOurs(leaf.Frame)
            : leaf.IsPresent && Selects(MigrateSelect.System));

    private bool TryTakeWhole(VirtAddr at, PteRun run)
    {
        if (!TakesWhole || !at.IsAligned(PageSize.Large) || run.Pages != PageSize.Large.Pages || !Wants(run.Large))
        {
            return false;
        }

        if (run.Large.IsZeroPage)
        {
            steps.AddLarge(MigratePfn.Hole.MadeCompound());
            return true;
        }

        Pfn head = run.Large.Frame;
        bool isFaultPage = request.Fault?.Page == head;
        if (!Frames.TryGet(head, out PageRef held).IsOk)
        {
            return false;
        }

        if (!isFaultPage && !space.PageLocks.TryLock(head))
        {
            held.Dispose();
            Skip(run.Pages, StayReason.Locked);
            return true;
        }

        if (space.TryTakeLeaf(at, head, out Pte before))
        {
            steps.AddLarge(MigratePfn.Offer(head, before.IsWritable || before.IsWritableDevicePrivate).MadeCompound());
            return true;
        }

        if (!isFaultPage)
        {
            space.PageLocks.Unlock(head);
        }

        held.Dispose();
        return false;
    }

    private void Skip(PageCount pages, StayReason reason)
    {
        for (ulong index = 0; index < pages.Value; index++)
        {
            steps.Add(default, reason);
        }
    }

    // True: small entries stand there now.
    private bool TryBreakUp(VirtAddr at, Pte leaf)
    {
        if (leaf.IsZeroPage)
        {
            space.SplitLeaf(at);
            return true;
        }

        bool isHeld = leaf.IsPresent || leaf.IsDevicePrivate;
        return isHeld && TrySplitFolio(at, leaf.Frame);
    }

    // The folio of an entry as it stands: 4 KiB entries stand there afterwards, of pages that are single.
    private bool TrySplitFolio(VirtAddr at, Pfn page)
    {
        Pfn head = Frames.HeadOf(page, out _);
        if (request.Fault?.Page == head || !Frames.TryGet(head, out PageRef folio).IsOk)
        {
            return false;
        }

        Pte now = space.Tables.Read(at);
        bool isSplit = now.HasFrame && !now.IsMigration && Frames.IsLarge(head) && Frames.HeadOf(now.Frame, out _) == head
            && space.PageLocks.TryLock(head);
        if (isSplit)
        {
            isSplit = Owner.Migration.TrySplit(head).IsOk;
            space.PageLocks.Unlock(head);
        }

        folio.Dispose();
        return isSplit;
    }

    private void CollectOne(VirtAddr at, Pte entry)
    {
        StayReason reason = Examine(entry);
        if (reason == StayReason.PartOfLarge && space.Parts.Profile.MigratesLargePages && TrySplitFolio(at, entry.Frame))
        {
            entry = space.Tables.Read(at); // a larger page that is mapped page by page is broken up now (v6.19)
            reason = Examine(entry);
        }

        if (reason != StayReason.None)
        {
            steps.Add(default, reason);
        }
        else if (entry.IsNone || entry.IsZeroPage)
        {
            steps.Add(MigratePfn.Hole);
        }
        else
        {
            Take(at, entry);
        }
    }

    private StayReason Examine(Pte entry)
    {
        if (entry.IsNone)
        {
            return area.Traits.Kind == AreaKind.AnonymousPrivate ? StayReason.None : StayReason.HoleOfFile;
        }

        if (!entry.IsPresent && !entry.IsDevicePrivate)
        {
            return StayReason.Elsewhere;
        }

        if (entry.IsSpecial)
        {
            return StayReason.NotNormal;
        }

        bool wantsSystem = Selects(MigrateSelect.System);
        if (entry.IsZeroPage)
        {
            return wantsSystem ? StayReason.None : StayReason.NotSelected;
        }

        PageUsage usage = Frames.UsageOf(entry.Frame);
        bool isWanted = entry.IsDevicePrivate ? Selects(MigrateSelect.DevicePrivate) && IsOurs(entry.Frame)
            : !usage.IsDevice ? wantsSystem
            : !Owner.IsDeviceCoherent(entry.Frame) || (Selects(MigrateSelect.DeviceCoherent) && IsOurs(entry.Frame));
        return !isWanted ? StayReason.NotSelected
            : usage.Mapping == 0 ? StayReason.NotNormal
            : usage.IsLarge ? StayReason.PartOfLarge
            : StayReason.None;
    }

    private bool Selects(MigrateSelect kind) => (request.Select & kind) != MigrateSelect.None;

    private bool IsOurs(Pfn page) => Owner.OwnerOf(page) is { } owner && owner == request.Owner;

    private void Take(VirtAddr at, Pte entry)
    {
        if (!Frames.TryGet(entry.Frame, out PageRef held).IsOk)
        {
            steps.Add(default, StayReason.Elsewhere);
            return;
        }

        bool isFaultPage = request.Fault?.Page == entry.Frame && !Owner.FaultsShareReferences;
        if (!isFaultPage && !space.PageLocks.TryLock(entry.Frame))
        {
            held.Dispose();
            steps.Add(default, StayReason.Locked);
            return;
        }

        if (space.TryTakeEntry(at, entry.Frame, entry, out Pte before))
        {
            bool isWritable = before.IsWritable || before.IsWritableDevicePrivate;
            steps.Add(MigratePfn.Offer(entry.Frame, isWritable));
            return;
        }

        if (!isFaultPage)
        {
            space.PageLocks.Unlock(entry.Frame);
        }

        held.Dispose();
        steps.Add(default, StayReason.Pinned);
    }
}
