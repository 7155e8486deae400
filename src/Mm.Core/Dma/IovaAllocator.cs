using System.Numerics;
using Mm.Core.Checks;

namespace Mm.Core.Dma;

/// <summary>Hands out runs of I/O virtual addresses, from the top down.</summary>
/// <remarks>
/// Owns the picture of which addresses of one domain are taken; knows nothing of what is mapped there.
/// <para><b>Linux:</b> struct iova_domain, alloc_iova and alloc_iova_fast of drivers/iommu/iova.c (v6.12): the search
/// begins below the lowest run of late, tries again from the top when that fails, and aligns each run to its size
/// rounded up to a power of two; runs below 32 pages are rounded up themselves. Deliberate differences: no per-CPU
/// caches of freed runs (as if flushed at once); a refused search below 32 bits is remembered only when it covered
/// all 32 bits, where Linux lets a device of fewer bits spoil the hint for the others.</para>
/// <para><b>Invariants:</b> (1) the list of runs is sorted and disjoint; (2) no run but a reservation begins below the first page;
/// (3) both hints name a run in the list or the anchor; (4) <see cref="UsedPages"/> is the sum over the list.</para>
/// <para><b>Locking:</b> the caller's: that of the domain.</para>
/// </remarks>
internal sealed class IovaAllocator
{
    private const int Anchor = 0;
    private const int None = -1;
    private const ulong RoundedBelowPages = 32;

    private readonly ulong firstPage;
    private readonly ulong border32;
    private Node[] nodes = new Node[64];
    private int freeHead = None;
    private int nodeCount = 1;

    // Search hints, as Linux's cached_node, cached32_node and max32_alloc_size; never part of the picture.
    private int hint = Anchor;
    private int hint32 = Anchor;
    private ulong refused32;

    /// <summary>An empty space.</summary>
    /// <param name="firstUsable">The lowest address to hand out, rounded up to a page; address 0 never is.</param>
    public IovaAllocator(DmaAddr firstUsable)
    {
        int shift = PageSize.Small.Shift;
        firstPage = Math.Max(1, new ByteCount(firstUsable.Value).ToPagesRoundUp().Value);
        border32 = 1UL << (32 - shift);
        refused32 = border32;
        nodes[Anchor] = new Node { First = ulong.MaxValue, Lower = None, Upper = None };
    }

    /// <summary>Pages taken, reservations and rounding included.</summary>
    public PageCount UsedPages { get; private set; }

    /// <summary>Runs taken, reservations included.</summary>
    public int RunCount { get; private set; }

    /// <summary>Takes a run.</summary>
    /// <param name="size">How many pages; at least one.</param>
    /// <param name="limit">The highest address that the run may have.</param>
    /// <param name="range">The run, or none when refused.</param>
    /// <returns>Ok, or ENOMEM: no hole below <paramref name="limit"/> takes the run.</returns>
    public Errno TryAllocate(PageCount size, DmaAddr limit, out IovaRange range)
    {
        Check.That(!size.IsZero && size.Value <= 1UL << 51, $"iova size {size} must be in [1, 2^51]");
        range = default;
        ulong pages = size.Value < RoundedBelowPages ? BitOperations.RoundUpToPowerOf2(size.Value) : size.Value;
        ulong limitPage = (limit.Value >> PageSize.Small.Shift) + 1;
        if (limitPage <= border32 && pages >= refused32)
        {
            return Errno.ENOMEM;
        }

        int start = limitPage <= border32 ? hint32 : hint;
        ulong triedAbove = nodes[start].First;
        if (!TrySearch(start, pages, limitPage, firstPage, out ulong found, out int upper)
            && !(triedAbove < limitPage && TrySearch(Anchor, pages, limitPage, triedAbove, out found, out upper)))
        {
            refused32 = limitPage == border32 ? Math.Min(refused32, pages) : refused32;
            return Errno.ENOMEM;
        }

        int node = InsertBelow(upper, found, pages);
        if (found + pages <= border32)
        {
            hint32 = node;
        }
        else
        {
            hint = node;
        }

        range = new IovaRange(new DmaAddr(found << PageSize.Small.Shift), new PageCount(pages), node);
        return Errno.Ok;
    }

    /// <summary>Gives a run back.</summary>
    /// <param name="range">A run that is taken.</param>
    public void Free(IovaRange range)
    {
        ref Node node = ref nodes[range.Node];
        Check.That(
            node.Pages == range.Pages.Value && node.First == range.Start.Value >> PageSize.Small.Shift && node.Pages != 0,
            $"iova {range} is not taken");
        if (range.Node == hint32 || (node.First + node.Pages <= border32 && node.First >= nodes[hint32].First))
        {
            hint32 = node.Upper;
        }

        if (node.First < border32)
        {
            refused32 = border32;
        }

        if (node.First >= nodes[hint].First)
        {
            hint = node.Upper;
        }

        Remove(range.Node);
    }

    /// <summary>Keeps a span of addresses from ever being handed out; spans may overlap.</summary>
    /// <param name="start">The first address, rounded down to a page.</param>
    /// <param name="length">How many bytes, rounded up to a page.</param>
    public void Reserve(DmaAddr start, ByteCount length)
    {
        int shift = PageSize.Small.Shift;
        ulong first = start.Value >> shift;
        ulong end = (ulong)(((UInt128)start.Value + length.Value + PageSize.Small.OffsetMask) >> shift);
        int upper = Anchor;
        while (end > first && upper != None)
        {
            int lower = nodes[upper].Lower;
            ulong floor = lower == None ? 0 : nodes[lower].First + nodes[lower].Pages;
            ulong from = Math.Max(first, floor);
            ulong to = Math.Min(end, nodes[upper].First);
            if (from < to)
            {
                _ = InsertBelow(upper, from, to - from);
            }

            upper = floor <= first ? None : lower;
        }
    }

    /// <summary>Recounts everything from the list up.</summary>
    public void Validate()
    {
        ulong pages = 0;
        int runs = 0;
        bool sawHint = hint == Anchor;
        bool sawHint32 = hint32 == Anchor;
        for (int upper = Anchor, i = nodes[Anchor].Lower; i != None; upper = i, i = nodes[i].Lower)
        {
            Check.That(nodes[i].First + nodes[i].Pages <= nodes[upper].First, "iova invariant 1: sorted and disjoint");
            Check.That(nodes[i].Upper == upper, "iova invariant 1: linked both ways");
            pages += nodes[i].Pages;
            runs++;
            sawHint |= hint == i;
            sawHint32 |= hint32 == i;
        }

        Check.That(sawHint && sawHint32, "iova invariant 3: a hint names no run");
        Check.That(pages == UsedPages.Value && runs == RunCount, $"iova invariant 4: {pages} pages in {runs} runs");
    }

    /// <summary>Every run taken, from the lowest up.</summary>
    public IEnumerable<IovaRange> CollectRuns()
    {
        int i = Anchor;
        while (nodes[i].Lower != None)
        {
            i = nodes[i].Lower;
        }

        for (; i != Anchor; i = nodes[i].Upper)
        {
            yield return new IovaRange(new DmaAddr(nodes[i].First << PageSize.Small.Shift), new PageCount(nodes[i].Pages), i);
        }
    }

    // Walks down from the run `upper` until the hole below it takes the pages, at or above `lowest`.
    private bool TrySearch(int upper, ulong pages, ulong limitPage, ulong lowest, out ulong found, out int above)
    {
        ulong alignMask = ~(BitOperations.RoundUpToPowerOf2(pages) - 1);
        ulong top = limitPage;
        for (int i = upper; i != None; i = nodes[i].Lower)
        {
            top = Math.Min(top, nodes[i].First);
            found = unchecked(top - pages) & alignMask; // a wrap is caught by the comparison with top
            above = i;
            if (top < pages || found < lowest)
            {
                return false;
            }

            int lower = nodes[i].Lower;
            if (lower == None || found >= nodes[lower].First + nodes[lower].Pages)
            {
                return true;
            }
        }

        found = 0;
        above = Anchor;
        return false;
    }

    private int InsertBelow(int upper, ulong first, ulong pages)
    {
        int index = TakeNode();
        int lower = nodes[upper].Lower;
        nodes[index] = new Node { First = first, Pages = pages, Lower = lower, Upper = upper };
        nodes[upper].Lower = index;
        if (lower != None)
        {
            nodes[lower].Upper = index;
        }

        UsedPages = UsedPages.AddChecked(new PageCount(pages));
        RunCount++;
        return index;
    }

    private void Remove(int index)
    {
        Node node = nodes[index];
        nodes[node.Upper].Lower = node.Lower;
        if (node.Lower != None)
        {
            nodes[node.Lower].Upper = node.Upper;
        }

        nodes[index] = new Node { Lower = freeHead };
        freeHead = index;
        UsedPages = UsedPages.SubtractChecked(new PageCount(node.Pages));
        RunCount--;
    }

    private int TakeNode()
    {
        if (freeHead != None)
        {
            int index = freeHead;
            freeHead = nodes[index].Lower;
            return index;
        }

        if (nodeCount == nodes.Length)
        {
            Array.Resize(ref nodes, nodes.Length * 2);
        }

        return nodeCount++;
    }

    // A run in the list; a free one has no pages and its Lower is the next free one.
    private struct Node
    {
        public ulong First;
        public ulong Pages;
        public int Lower;
        public int Upper;
    }
}
