using System.Runtime.InteropServices;
using Mm.Core.Checks;

namespace Mm.Core.Spaces;

/// <content>Recounting: what entries say, against what pages and counters say.</content>
public sealed partial class AddressSpaces
{
    /// <inheritdoc/>
    public void Validate()
    {
        var mapped = new Dictionary<Pfn, Tally>();
        foreach (AddressSpace space in Snapshot())
        {
            space.AreaSet.Validate();
            space.Tables.Validate();
            space.ValidateHolds();
            Recount(space, mapped);
        }

        var parts = new Dictionary<Pfn, ulong>();
        foreach ((Pfn page, Tally tally) in mapped)
        {
            CollectionsMarshal.GetValueRefOrAddDefault(parts, Parts.Frames.HeadOf(page, out _), out _) += tally.Small + tally.Leaves;
            ulong small = Parts.Frames.Meta(page.Value).MapCount;
            Check.That(small == tally.Small, $"invariant 2: {page} has {tally.Small} entries, and counts {small}");
            ulong entire = Parts.Frames.EntireMapCountOf(page);
            bool isLeafCount = tally.Leaves == 0 || entire == tally.Leaves;
            Check.That(isLeafCount, $"invariant 2: {page} has {tally.Leaves} leaves, and counts {entire}");
            uint references = Parts.Frames.ReferencesOf(page);
            bool isHeld = references >= tally.Held;
            Check.That(isHeld, $"invariant 2: {page} is held by {tally.Held} entries, and has {references} references");
            bool isAlone = tally.Small + tally.Leaves <= 1;
            Check.That(isAlone || !tally.IsExclusive, $"invariant 4: {page} is exclusive, and mapped {tally.Small} times");
        }

        foreach ((Pfn head, ulong entries) in parts)
        {
            ulong counted = Parts.Frames.MapCountOf(head);
            Check.That(counted == entries, $"invariant 2: the folio at {head} has {entries} entries in all, and counts {counted}");
        }
    }

    private void Recount(AddressSpace space, Dictionary<Pfn, Tally> mapped)
    {
        Span<long> rss = stackalloc long[3];
        rss.Clear();
        foreach (PteRun run in space.Tables.Walk(new VirtRange(AreaSet.Addresses.Start, AreaSet.Addresses.Length)))
        {
            if (run.IsHole)
            {
                continue;
            }

            int step = run.Large.IsNone ? 1 : (int)run.Pages.Value;
            for (int index = 0; index < (int)run.Pages.Value; index += step)
            {
                var at = new VirtAddr(run.Start.Value + ((ulong)index << PageSize.Small.Shift));
                Pte entry = run.Large.IsNone ? run[index] : run.Large;
                if (!entry.IsNone)
                {
                    Check.That(space.FindArea(at) is not null, $"invariant 1: an entry at {at} lies in no area: {entry}");
                    CountEntry(entry, mapped, rss);
                }
            }
        }

        for (int kind = 0; kind < rss.Length; kind++)
        {
            PageCount counted = space.CountResident((RssKind)kind);
            long found = rss[kind];
            Check.That(counted.Value == (ulong)found, $"invariant 3: {found} {(RssKind)kind} pages are there, {counted} counted");
        }
    }

    private void CountEntry(Pte entry, Dictionary<Pfn, Tally> mapped, Span<long> rss)
    {
        if (!entry.HasFrame || entry.IsZeroPage || entry.IsSpecial || entry.IsHwPoison)
        {
            return;
        }

        rss[(int)KindOf(entry.Frame)] += entry.IsLarge ? (long)PageSize.Large.Pages.Value : 1;
        if (entry.IsMigration)
        {
            return;
        }

        ref Tally tally = ref CollectionsMarshal.GetValueRefOrAddDefault(mapped, entry.Frame, out _);
        tally.Held++;
        tally.Leaves += entry.IsLarge ? 1UL : 0;
        tally.Small += entry.IsLarge || entry.IsDeviceExclusive ? 0UL : 1;
        tally.IsExclusive |= entry.IsAnonExclusive && !entry.IsDeviceExclusive;
    }

    private struct Tally
    {
        internal ulong Small;
        internal ulong Leaves;
        internal ulong Held;
        internal bool IsExclusive;
    }
}
