namespace Mm.Core.Frames;

// The facet of falling back from one migrate type to another, at pageblock granularity, and of isolating ranges.
internal sealed partial class FrameZone
{
    // From which types a request of this type may take, in order; as in Linux, never from what is lent or isolated.
    private static readonly MigrateType[][] Fallbacks =
    [
        [MigrateType.Reclaimable, MigrateType.Movable],
        [MigrateType.Reclaimable, MigrateType.Unmovable],
        [MigrateType.Unmovable, MigrateType.Movable],
    ];

    /// <summary>Gives pageblocks of free memory another type: lends them out, isolates them or takes them back. The caller holds the gate.</summary>
    /// <param name="start">The first frame's number; the start of a pageblock.</param>
    /// <param name="type">The type.</param>
    internal void Retype(ulong start, MigrateType type)
    {
        TouchBlockOf(start);
        MigrateType before = blocks.TypeOf(start);
        if (before != type)
        {
            SplitAround(start);
            MoveFreeBlocks(start, before, type);
            MergeWhole(start, type);
        }
    }

    // A pageblock keeps or loses its type as a whole: taking half of one would mix long-lived pages among movable ones,
    // which is the fragmentation that types are there to prevent.
    private bool TryClaim(int order, MigrateType type, out ulong frame)
    {
        for (int current = MaxOrder; current >= order; current--)
        {
            if (!TryFindFallback(current, type, out MigrateType victim))
            {
                continue;
            }

            if (!CanClaim(current, type))
            {
                break;
            }

            if (TryClaimBlock(lists[IndexOf(current, victim)].First, current, order, victim, type, out frame))
            {
                return true;
            }
        }

        frame = 0;
        return false;
    }

    // The last resort: one block from somebody else's pageblock, which stays theirs.
    private bool TrySteal(int order, MigrateType type, out ulong frame)
    {
        for (int current = order; current <= MaxOrder; current++)
        {
            if (TryFindFallback(current, type, out MigrateType victim))
            {
                return TryTakeSmallest(order, victim, out frame);
            }
        }

        frame = 0;
        return false;
    }

    private bool TryFindFallback(int order, MigrateType type, out MigrateType victim)
    {
        foreach (MigrateType candidate in Fallbacks[(int)type])
        {
            if (!lists[IndexOf(order, candidate)].IsEmpty)
            {
                victim = candidate;
                return true;
            }
        }

        victim = default;
        return false;
    }

    private static bool CanClaim(int order, MigrateType type) =>
        order >= Pageblocks.Order / 2 || type is MigrateType.Reclaimable or MigrateType.Unmovable;

    private bool TryClaimBlock(
        ulong found, int current, int order, MigrateType victim, MigrateType type, out ulong frame)
    {
        frame = found;
        if (current >= Pageblocks.Order)
        {
            Unlink(ref pages[found], current, victim);
            blocks.Set(found, current, type);
            Recount(victim, type, 1L << current);
            Split(found, current, order, type);
            freeByType[(int)type] -= 1L << order;
            return true;
        }

        ulong start = found & ~(Pageblocks.Frames - 1);
        if (!HoldsPageblock(start))
        {
            return false; // the zone ends inside the pageblock: it cannot be claimed whole
        }

        (ulong free, ulong movable) = CountBlock(start);
        ulong alike = type == MigrateType.Movable
            ? movable
            : victim == MigrateType.Movable ? Pageblocks.Frames - free - movable : 0;
        if (free + alike < Pageblocks.Frames / 2)
        {
            return false;
        }

        MoveFreeBlocks(start, victim, type);
        return TryTakeSmallest(order, type, out frame);
    }

    // Free pages of a pageblock, and pages in use that can be moved.
    private (ulong Free, ulong Movable) CountBlock(ulong start)
    {
        ulong free = 0;
        ulong movable = 0;
        for (ulong frame = start; frame < start + Pageblocks.Frames;)
        {
            ref PageMeta meta = ref pages[frame];
            var word = new PageCountWord(Volatile.Read(ref meta.Count));
            if (word.State == PageState.Free)
            {
                free += 1UL << word.Order;
                frame += 1UL << word.Order;
                continue;
            }

            movable += (new PageFlagsWord(meta.Flags).Flags & PageFlags.Lru) != PageFlags.None ? 1UL : 0;
            frame++;
        }

        return (free, movable);
    }

    private void MoveFreeBlocks(ulong start, MigrateType from, MigrateType to)
    {
        blocks.Set(start, Pageblocks.Order, to);
        for (ulong frame = start; frame < start + Pageblocks.Frames;)
        {
            ref PageMeta meta = ref pages[frame];
            var word = new PageCountWord(Volatile.Read(ref meta.Count));
            if (word.State != PageState.Free)
            {
                frame++;
                continue;
            }

            Unlink(ref meta, word.Order, from);
            Link(frame, word.Order, to);
            Recount(from, to, 1L << word.Order);
            frame += 1UL << word.Order;
        }
    }

    // A pageblock that is free as a whole may have a buddy now that it may merge with.
    private void MergeWhole(ulong start, MigrateType type)
    {
        if (pages[start].Count == PageCountWord.Free(Pageblocks.Order).Bits)
        {
            Unlink(ref pages[start], Pageblocks.Order, type);
            freeByType[(int)type] -= (long)Pageblocks.Frames;
            Put(start, Pageblocks.Order);
        }
    }

    // A free block larger than a pageblock is cut before one of its pageblocks changes type.
    private void SplitAround(ulong start)
    {
        ulong whole = start & ~(MaxBlockFrames - 1);
        if (pages[whole].Count == PageCountWord.Free(MaxOrder).Bits)
        {
            Unlink(ref pages[whole], MaxOrder, blocks.TypeOf(whole));
            Link(whole, Pageblocks.Order, blocks.TypeOf(whole));
            Link(whole + Pageblocks.Frames, Pageblocks.Order, blocks.TypeOf(whole + Pageblocks.Frames));
        }
    }
}
