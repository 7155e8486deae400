using System.Runtime.InteropServices;
using Mm.Core.Locking;
using Mm.Core.Notifiers;

namespace Mm.Core.Spaces;

/// <content>Areas whose pages belong to somebody else: a file's, a driver's.</content>
public sealed partial class AddressSpace
{
    // Areas that are gone or moved while their entries still stand, for owners who take entries away meanwhile.
    private readonly List<Area> lingering = []; // protected by areasGate, changed under Lock
    private readonly WaitQueue removersDone;
    private long moves; // protected by areasGate
    private int removers; // atomic: those who take entries away without the lock; the tables stay for them

    /// <summary>Pages of a file or a driver go: every entry that shows them, and copies of them, with them.</summary>
    /// <remarks>Takes no lock of the space, so that an unmapping or a move may be under way: its entries are found too.</remarks>
    /// <param name="backing">The file or the backing.</param>
    /// <param name="first">The first page that goes.</param>
    /// <param name="end">The first page behind that stays.</param>
    /// <param name="keepsCopies">Whether copies stay.</param>
    internal void RemoveBackedPages(object backing, PageCount first, PageCount end, bool keepsCopies)
    {
        var left = new List<VirtRange>();
        var ranges = new List<VirtRange>();
        long seen;
        _ = Interlocked.Increment(ref removers); // before the areas are read: see WaitForRemovers
        do
        {
            left.Clear();
            ranges.Clear();
            using (areasGate.Enter())
            {
                seen = moves;
                Collect(CollectionsMarshal.AsSpan(lingering), left);
                Collect(AreaSet.Areas, ranges);
            }

            left.ForEach(range => ZapWithNotice(range, NotifierEvent.Clear, keepsCopies));
            PassFamily();
            ranges.ForEach(range => ZapWithNotice(range, NotifierEvent.Clear, keepsCopies));
            PassFamily();
        }
        while (HasMovedSince(seen));

        if (Interlocked.Decrement(ref removers) == 0 && IsEnded)
        {
            removersDone.WakeAll();
        }

        void Collect(ReadOnlySpan<Area> areas, List<VirtRange> into)
        {
            foreach (Area area in areas)
            {
                if (area.Traits.Backing == backing && area.OffsetOf(area.End) > first && area.Offset < end)
                {
                    ulong from = Math.Max(first.Value, area.Offset.Value);
                    into.Add(area.RangeOfPages(from, Math.Min(end.Value, area.OffsetOf(area.End).Value) - from));
                }
            }
        }
    }

    // Whoever comes later finds no area, and so no table.
    private void WaitForRemovers()
    {
        if (Volatile.Read(ref removers) != 0)
        {
            removersDone.WaitUntil("removers", () => Volatile.Read(ref removers) == 0);
        }
    }

    private static void ThrowUnlessOfKind(AreaTraits traits)
    {
        if (traits.Backing is AreaBacking backing && backing.Kind != traits.Kind)
        {
            throw new ArgumentException($"an area of this backing is of kind {backing.Kind}; it is {traits.Kind}", nameof(traits));
        }
    }

    // The owner fills a new area; refused, the area goes again. Linux: call_mmap in mmap_region.
    private Errno TryFill(AreaTraits traits, VirtRange place)
    {
        if (traits.Backing is not AreaBacking backing)
        {
            return Errno.Ok;
        }

        backings.Hold(traits);
        Errno errno = backing.Operations.TryMap(new AreaFilling(this, FindArea(place.Start)!));
        if (!errno.IsOk)
        {
            ZapWithNotice(place, NotifierEvent.Unmap);
            Tables.CollectEmpty(place);
            ChangeAreas(() => AreaSet.TryUnmap(place.Start, place.Length)).ThrowIfError(); // a whole area: none is split
        }

        return errno;
    }

    // Areas change, and entries follow later: until EndLingering, who looks for entries by areas finds them in the old ones.
    private Errno ChangeAreas(VirtRange leaves, Func<Errno> change)
    {
        using RankedLock.Guard _ = areasGate.Enter();
        NoteLingering(leaves);
        Errno errno = change();
        if (!errno.IsOk)
        {
            lingering.Clear();
        }

        return errno;
    }

    private Errno ChangeAreas(VirtRange moves, VirtRange replaced, Func<Errno> change)
    {
        using RankedLock.Guard _ = areasGate.Enter();
        NoteLingering(moves);
        NoteLingering(replaced);
        Errno errno = change();
        this.moves += errno.IsOk ? 1 : 0;
        if (!errno.IsOk)
        {
            lingering.Clear();
        }

        return errno;
    }

    private void NoteLingering(VirtRange range)
    {
        foreach (Area area in AreaSet.Overlapping(range))
        {
            if (area.Traits.Backing is not null)
            {
                lingering.Add(area);
            }
        }
    }

    private void EndLingering()
    {
        using RankedLock.Guard _ = areasGate.Enter();
        lingering.Clear();
    }

    // Entries that a move or a fork has in its hands stand again when it has left the gate.
    private void PassFamily()
    {
        using RankedLock.Guard _ = Family.Gate.Enter();
    }

    private bool HasMovedSince(long seen)
    {
        using RankedLock.Guard _ = areasGate.Enter();
        return moves != seen;
    }
}
