using System.Numerics;
using Mm.Core.Locking;
using Mm.Core.Native;

namespace Mm.Core.Frames;

/// <summary>The free blocks of one zone of one node: a binary buddy allocator with a list for each order and type.</summary>
/// <remarks>
/// Owns free frames from the moment they come until they leave. Not responsible for who holds those that left.
/// <para><b>Linux:</b> struct zone, __free_one_page, __rmqueue, expand (mm/page_alloc.c, v6.12). Blocks of the largest order
/// that were never used stay untouched until they are wanted (deferred_grow_zone does this while booting); freed blocks
/// always go to the front of their list; no HIGHATOMIC type, no watermarks but <see cref="Reserve"/>.</para>
/// <para><b>Invariants:</b> (1) a block is aligned to its order and lies in one span; (2) two free buddies of one order are
/// merged, unless exactly one of them is lent out or isolated; (3) a block is on the list of its pageblock's type;
/// (4) the counts equal what the lists hold plus what is untouched.</para>
/// <para><b>Locking:</b> <see cref="Gate"/> for everything that changes.</para>
/// </remarks>
internal sealed partial class FrameZone
{
    /// <summary>The largest order.</summary>
    internal const int MaxOrder = AllocationRequest.MaxOrder;

    /// <summary>How many orders there are.</summary>
    internal const int OrderCount = MaxOrder + 1;

    /// <summary>How many migrate types there are.</summary>
    internal const int TypeCount = 5;

    /// <summary>How many frames a block of the largest order has.</summary>
    internal const ulong MaxBlockFrames = 1UL << MaxOrder;

    private readonly NativeTable<PageMeta> pages;
    private readonly Pageblocks blocks;
    private readonly FrameSpan[] spans;
    private readonly List<FrameRun> untouched = []; // by frame: whole blocks of the largest order
    private readonly FrameList[] lists = new FrameList[TypeCount * OrderCount];
    private readonly uint[] orders = new uint[TypeCount]; // by type: bit per order, set when the list is not empty
    private readonly long[] freeByType = new long[TypeCount];

    internal FrameZone(NativeTable<PageMeta> pages, Pageblocks blocks, IReadOnlyList<FrameSpan> spans)
    {
        this.pages = pages;
        this.blocks = blocks;
        this.spans = [.. spans];
        Node = spans[0].Node;
        Kind = spans[0].Zone;
        Key = PageFlagsWord.KeyOf(Node, Kind);
        foreach (FrameSpan span in spans)
        {
            Adopt(span);
        }
    }

    /// <summary>Protects the free lists and the untouched runs.</summary>
    internal RankedLock Gate { get; } = new(LockRank.Zone);

    /// <summary>The node.</summary>
    internal NodeId Node { get; }

    /// <summary>Which part of the node.</summary>
    internal ZoneKind Kind { get; }

    /// <summary>What a page's flags word says to belong here.</summary>
    internal int Key { get; }

    /// <summary>Free pages that only atomic requests may use.</summary>
    internal ulong Reserve { get; set; }

    /// <summary>How many frames the zone has, free or not.</summary>
    internal ulong Managed { get; private set; }

    /// <summary>How many frames are free here: not those on processors' stacks.</summary>
    internal ulong Free
    {
        get
        {
            long free = 0;
            foreach (long count in freeByType)
            {
                free += count;
            }

            return (ulong)free;
        }
    }

    /// <summary>The spans, by frame.</summary>
    internal ReadOnlySpan<FrameSpan> Spans => spans;

    /// <summary>The untouched runs, by frame.</summary>
    internal IReadOnlyList<FrameRun> Untouched => untouched;

    /// <summary>How many frames of a type are free here.</summary>
    internal ulong FreeOf(MigrateType type) => (ulong)freeByType[(int)type];

    /// <summary>The list of an order and type.</summary>
    internal ref readonly FrameList ListOf(int order, MigrateType type) => ref lists[IndexOf(order, type)];

    /// <summary>Whether a frame is one of the zone's.</summary>
    internal bool Contains(ulong frame)
    {
        foreach (FrameSpan span in spans)
        {
            if (frame >= span.Start && frame < span.End)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Whether a whole pageblock is the zone's.</summary>
    internal bool HoldsPageblock(ulong start) =>
        Array.Exists(spans, span => start >= span.Start && start + Pageblocks.Frames <= span.End);

    /// <summary>Takes a block. The caller holds the gate; the block's state is PerCpu until it is handed out.</summary>
    /// <param name="order">The order.</param>
    /// <param name="type">Unmovable, movable or reclaimable.</param>
    /// <param name="canBorrow">Whether pages that are lent out will do.</param>
    /// <param name="isAtomic">Whether the reserve may be used.</param>
    /// <param name="frame">The first frame's number.</param>
    /// <returns>Whether there was one.</returns>
    internal bool TryTake(int order, MigrateType type, bool canBorrow, bool isAtomic, out ulong frame)
    {
        frame = 0;
        if (Reserve != 0 && !isAtomic && Free < Reserve + (1UL << order))
        {
            return false;
        }

        if (!TryTakeAnyhow(order, type, canBorrow, out frame))
        {
            return false;
        }

        pages[frame].Count = PageCountWord.PerCpu(order).Bits;
        return true;
    }

    /// <summary>Puts a block back, merging it with its buddies. The caller holds the gate.</summary>
    /// <param name="frame">The first frame's number; nobody refers to it any more.</param>
    /// <param name="order">The order.</param>
    internal void Put(ulong frame, int order)
    {
        MigrateType type = blocks.TypeOf(frame);
        freeByType[(int)type] += 1L << order;
        pages[frame].Count = 0;
        while (order < MaxOrder)
        {
            ulong buddy = frame ^ (1UL << order);
            ref PageMeta meta = ref pages[buddy];
            if (meta.Count != PageCountWord.Free(order).Bits || new PageFlagsWord(meta.Flags).ZoneKey != Key)
            {
                break;
            }

            MigrateType buddyType = blocks.TypeOf(buddy);
            if (buddyType != type && !(CanMerge(type) && CanMerge(buddyType)))
            {
                break;
            }

            Unlink(ref meta, order, buddyType);
            meta.Count = 0;
            if (buddyType != type)
            {
                blocks.Set(buddy, order, type);
                Recount(buddyType, type, 1L << order);
            }

            frame &= buddy;
            order++;
        }

        Link(frame, order, type);
    }

    private static int IndexOf(int order, MigrateType type) => ((int)type * OrderCount) + order;

    // Blocks of these types may merge with each other; what is lent out or isolated must stay apart.
    private static bool CanMerge(MigrateType type) => type <= MigrateType.Reclaimable;

    private bool TryTakeAnyhow(int order, MigrateType type, bool canBorrow, out ulong frame)
    {
        // Movable pages fill what is lent out once it is more than half of what is left, so that it does not lie idle
        // while the rest runs out.
        long lent = freeByType[(int)MigrateType.Cma];
        if (canBorrow && lent != 0 && lent > (long)(Free / 2)
            && TryTakeSmallest(order, MigrateType.Cma, out frame))
        {
            return true;
        }

        return TryTakeSmallest(order, type, out frame)
            || (TryTouchBlock() && TryTakeSmallest(order, type, out frame))
            || (canBorrow && TryTakeSmallest(order, MigrateType.Cma, out frame))
            || TryClaim(order, type, out frame)
            || TrySteal(order, type, out frame);
    }

    private bool TryTakeSmallest(int order, MigrateType type, out ulong frame)
    {
        uint candidates = orders[(int)type] >> order;
        if (candidates == 0)
        {
            frame = 0;
            return false;
        }

        int found = order + BitOperations.TrailingZeroCount(candidates);
        frame = lists[IndexOf(found, type)].First;
        Unlink(ref pages[frame], found, type);
        Split(frame, found, order, type);
        freeByType[(int)type] -= 1L << order;
        return true;
    }

    // Halves a block that is off its list until it has the order wanted; the upper halves go to the lists.
    private void Split(ulong frame, int order, int wanted, MigrateType type)
    {
        while (order > wanted)
        {
            order--;
            Link(frame + (1UL << order), order, type);
        }
    }

    private void Link(ulong frame, int order, MigrateType type)
    {
        ref PageMeta meta = ref pages[frame];
        meta.Flags = PageFlagsWord.OfZone(Key).Bits;
        Volatile.Write(ref meta.Count, PageCountWord.Free(order).Bits); // a concurrent get sees a free page or none
        lists[IndexOf(order, type)].Add(pages, frame, ref meta);
        orders[(int)type] |= 1u << order;
    }

    private void Unlink(ref PageMeta meta, int order, MigrateType type)
    {
        ref FrameList list = ref lists[IndexOf(order, type)];
        list.Remove(pages, ref meta);
        if (list.IsEmpty)
        {
            orders[(int)type] &= ~(1u << order);
        }
    }

    private void Recount(MigrateType from, MigrateType to, long frames)
    {
        freeByType[(int)from] -= frames;
        freeByType[(int)to] += frames;
    }

    // Puts the next untouched block of the largest order on its list.
    private bool TryTouchBlock()
    {
        if (untouched.Count == 0)
        {
            return false;
        }

        TouchFirstOf(0, untouched[0].Start);
        return true;
    }

    // Puts the untouched block that holds a frame on its list, if it is untouched.
    private void TouchBlockOf(ulong frame)
    {
        int index = untouched.FindIndex(run => run.Contains(frame));
        if (index >= 0)
        {
            TouchFirstOf(index, frame & ~(MaxBlockFrames - 1));
        }
    }

    private void TouchFirstOf(int index, ulong block)
    {
        FrameRun run = untouched[index];
        untouched.RemoveAt(index);
        AddUntouched(index, block + MaxBlockFrames, run.End);
        AddUntouched(index, run.Start, block);
        Link(block, MaxOrder, blocks.TypeOf(block)); // counted as free since Adopt
    }

    private void AddUntouched(int index, ulong start, ulong end)
    {
        if (start < end)
        {
            untouched.Insert(index, new FrameRun(start, end));
        }
    }

    // Frames up to the first and after the last border of a largest block are freed now, what lies between stays
    // untouched.
    private void Adopt(FrameSpan span)
    {
        ulong first = Math.Min((span.Start + MaxBlockFrames - 1) & ~(MaxBlockFrames - 1), span.End);
        ulong last = Math.Max(span.End & ~(MaxBlockFrames - 1), first);
        PutRange(span.Start, first);
        PutRange(last, span.End);
        AddUntouched(untouched.Count, first, last);
        freeByType[(int)MigrateType.Movable] += (long)(last - first);
        Managed += span.End - span.Start;
    }

    private void PutRange(ulong start, ulong end)
    {
        while (start < end)
        {
            int order = Math.Min(MaxOrder, BitOperations.TrailingZeroCount(start));
            order = Math.Min(order, BitOperations.Log2(end - start));
            Put(start, order);
            start += 1UL << order;
        }
    }
}
