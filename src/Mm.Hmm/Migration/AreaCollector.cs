using Mm.Core;
using Mm.Core.Frames;
using Mm.Core.Spaces;

namespace Mm.Hmm.Migration;

/// <summary>Goes over an area's entries and takes those pages that may migrate: locked, held, a migration entry in their place.</summary>
/// <remarks>
/// <b>Linux:</b> migrate_vma_collect_pmd, migrate_vma_collect_hole (v6.12).
/// <para><b>Locking:</b> the space's lock, for reading; the range is being invalidated.</para>
/// </remarks>
internal readonly ref struct AreaCollector(AddressSpace space, Area area, MigrationRequest request, MigrationSteps steps)
{
    private FrameTable Frames => space.Parts.Frames;

    private AddressSpaces Owner => space.Owner;

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
                AddHoles(run.Pages);
            }
            else if (!run.Large.IsNone)
            {
                if (TryBreakUp(new VirtAddr(at), run.Large))
                {
                    continue;
                }

                Skip(run.Pages, StayReason.PartOfLarge);
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

    private void AddHoles(PageCount pages)
    {
        bool isOffered = area.Traits.Kind == AreaKind.AnonymousPrivate;
        for (ulong index = 0; index < pages.Value; index++)
        {
            steps.Add(isOffered ? MigratePfn.Hole : default, isOffered ? StayReason.None : StayReason.HoleOfFile);
        }
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

        if (!leaf.IsPresent || !Frames.TryGet(leaf.Frame, out PageRef folio).IsOk)
        {
            return false;
        }

        bool isSplit = space.Tables.ReadLeaf(at, out _) is { IsLarge: true } now && now.Frame == leaf.Frame
            && space.PageLocks.TryLock(leaf.Frame);
        if (isSplit)
        {
            isSplit = Owner.Migration.TrySplit(leaf.Frame).IsOk;
            space.PageLocks.Unlock(leaf.Frame);
        }

        folio.Dispose();
        return isSplit;
    }

    private void CollectOne(VirtAddr at, Pte entry)
    {
        StayReason reason = Examine(entry);
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
