namespace Mm.Core.Spaces;

/// <content>How the set changes: an area takes a place, and joins its neighbours where it may.</content>
internal sealed partial class AreaSet
{
    // The one place where the set changes: what lies in the range goes, the parts outside stay, and the new area, if any, comes
    // in and joins its neighbours where it may. False: there would be too many, and nothing has changed.
    private bool TryReplace(VirtRange range, Area? with)
    {
        VirtAddr end = range.Start.AddChecked(range.Length);
        int first = FirstEndingAbove(range.Start.Value);
        int last = first;
        while (last < areas.Count && areas[last].Start < end)
        {
            last++;
        }

        var pieces = new List<Area>(5);
        int low = Math.Max(first - 1, 0);
        pieces.AddRange(Areas[low..first]); // the neighbour below, for merging
        if (first < last && areas[first].Start < range.Start)
        {
            pieces.Add(areas[first].Part(areas[first].Start, range.Start));
        }

        int current = pieces.Count;
        if (with is not null)
        {
            pieces.Add(with);
        }

        if (first < last && areas[last - 1].End > end)
        {
            pieces.Add(areas[last - 1].Part(end, areas[last - 1].End));
        }

        int high = Math.Min(last + 1, areas.Count);
        pieces.AddRange(Areas[last..high]); // the neighbour above
        if (with is not null)
        {
            Join(pieces, current);
        }

        if (areas.Count - (high - low) + pieces.Count > Limit && pieces.Count > high - low)
        {
            return false;
        }

        Stamp(pieces, Areas[low..high]);
        areas.RemoveRange(low, high - low);
        areas.InsertRange(low, pieces);
        return true;
    }

    // What keeps its place keeps its age.
    private void Stamp(List<Area> pieces, ReadOnlySpan<Area> before)
    {
        foreach (Area old in before)
        {
            DisplacedCount -= old.IsDisplaced ? 1 : 0;
        }

        foreach (Area piece in pieces)
        {
            DisplacedCount += piece.IsDisplaced ? 1 : 0;
            bool isKept = false;
            foreach (Area old in before)
            {
                isKept |= old.Range == piece.Range && old.Offset == piece.Offset;
            }

            if (!isKept)
            {
                piece.Sequence = nextSequence();
                piece.FileOrder = piece.Traits.Backing is MemoryFile ? [checked((long)piece.Sequence)] : [];
            }
        }
    }

    // Linux: vma_merge_existing_range, vma_merge_new_range. Both neighbours, or the lower one rather than the upper.
    private static void Join(List<Area> pieces, int current)
    {
        Area area = pieces[current];
        Area? below = current > 0 && pieces[current - 1].GoesOnInto(area) && area.MayJoin(pieces[current - 1]) ? pieces[current - 1] : null;
        Area? above = current + 1 < pieces.Count && area.GoesOnInto(pieces[current + 1]) && area.MayJoin(pieces[current + 1])
            ? pieces[current + 1]
            : null;
        bool haveTwoRoots = below is { AnonRoot: not 0 } && above is { AnonRoot: not 0 } && below.AnonRoot != above.AnonRoot;
        if (above is not null && !haveTwoRoots)
        {
            pieces[current] = area.MergedWith(above);
            pieces.RemoveAt(current + 1);
        }

        if (below is not null)
        {
            pieces[current - 1] = below.MergedWith(pieces[current]);
            pieces.RemoveAt(current);
        }
    }
}
