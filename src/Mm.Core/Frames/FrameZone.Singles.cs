using System.Numerics;

namespace Mm.Core.Frames;

// The facet of many single pages at once: a block is cut where the last page wanted ends, not halved for each page.
internal sealed partial class FrameZone
{
    /// <summary>Takes single pages, those and in that order as <see cref="TryTake"/> would one by one. The caller holds the gate.</summary>
    /// <param name="type">Unmovable, movable or reclaimable.</param>
    /// <param name="canBorrow">Whether pages that are lent out will do.</param>
    /// <param name="isAtomic">Whether the reserve may be used.</param>
    /// <param name="taken">Receives the frames' numbers, as many as there are.</param>
    /// <returns>How many.</returns>
    /// <remarks><b>Linux:</b> rmqueue_bulk (v6.12), which halves a block for each page.</remarks>
    internal int TakeSingles(MigrateType type, bool canBorrow, bool isAtomic, Span<ulong> taken)
    {
        int count = 0;
        while (count < taken.Length)
        {
            // With a reserve, or with pages lent out, each page decides anew where it comes from.
            bool isPlain = Reserve == 0 && freeByType[(int)MigrateType.Cma] == 0 && orders[(int)type] != 0;
            if (isPlain)
            {
                count += CutSmallest(type, taken[count..]);
            }
            else if (TryTake(0, type, canBorrow, isAtomic, out taken[count]))
            {
                count++;
            }
            else
            {
                break;
            }
        }

        return count;
    }

    // Takes the smallest block off its list and as many of its first pages as are wanted; the rest goes back in blocks.
    private int CutSmallest(MigrateType type, Span<ulong> taken)
    {
        int order = BitOperations.TrailingZeroCount(orders[(int)type]);
        ulong frame = lists[IndexOf(order, type)].First;
        ulong end = frame + (1UL << order);
        Unlink(ref pages[frame], order, type);
        int count = Math.Min(1 << order, taken.Length);
        ulong flags = PageFlagsWord.OfZone(Key).Bits;
        ulong word = PageCountWord.PerCpu(0).Bits;
        Span<PageMeta> cut = pages.Slice(frame, count);
        for (int i = 0; i < count; i++)
        {
            cut[i].Flags = flags;
            Volatile.Write(ref cut[i].Count, word); // release, as in Link: a concurrent get sees a page that is nobody's
            taken[i] = frame++;
        }

        freeByType[(int)type] -= count;
        while (frame < end)
        {
            int rest = BitOperations.TrailingZeroCount(frame); // below the order: the block is aligned to it
            Link(frame, rest, type);
            frame += 1UL << rest;
        }

        return count;
    }
}
