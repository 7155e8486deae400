using System.Runtime.InteropServices;

namespace Mm.Core.Notifiers;

/// <summary>The interval notifiers that an invalidation walks, found by overlap.</summary>
/// <remarks>
/// An array sorted by start, with the highest end of each subtree of the balanced tree that its middle elements make. A
/// change costs a move of the array, and the first search after it a pass: fine for the tens to thousands that an
/// address space has. A red-black tree with augmented nodes, Linux's choice, was left out: it pays only where changes
/// far outnumber searches.
/// <para><b>Linux:</b> the interval tree of struct mmu_notifier_subscriptions (v6.12).</para>
/// <para><b>Locking:</b> the caller's. Not changed while an invalidation walks.</para>
/// </remarks>
internal sealed class IntervalSet
{
    private readonly List<IntervalNotifier> sorted = [];
    private readonly List<ulong> highestLast = []; // of the subtree around the same index; by last address, which cannot wrap
    private bool isIndexed = true;

    public int Count => sorted.Count;

    public void Add(IntervalNotifier notifier)
    {
        int at = LowerBound(notifier.Range.Start);
        sorted.Insert(at, notifier);
        isIndexed = false;
    }

    public void Remove(IntervalNotifier notifier)
    {
        int at = LowerBound(notifier.Range.Start);
        while (!ReferenceEquals(sorted[at], notifier))
        {
            at++;
        }

        sorted.RemoveAt(at);
        isIndexed = false;
    }

    /// <summary>The first notifier, in order, that shares a byte with the range; later ones by their place.</summary>
    /// <param name="range">The range.</param>
    /// <param name="from">The place from which to look.</param>
    /// <returns>Its place, or -1.</returns>
    public int Find(VirtRange range, int from)
    {
        if (range.IsEmpty)
        {
            return -1;
        }

        Index();
        return Find(0, sorted.Count, LastOf(range), range.Start.Value, from);
    }

    public IntervalNotifier this[int place] => sorted[place];

    private int Find(int low, int high, ulong last, ulong first, int from)
    {
        if (low >= high || high <= from)
        {
            return -1;
        }

        int middle = low + ((high - low) / 2);
        if (highestLast[middle] < first)
        {
            return -1;
        }

        int left = Find(low, middle, last, first, from);
        if (left >= 0)
        {
            return left;
        }

        VirtRange here = sorted[middle].Range;
        if (here.Start.Value > last)
        {
            return -1; // and everything right of it starts later still
        }

        return middle >= from && LastOf(here) >= first ? middle : Find(middle + 1, high, last, first, from);
    }

    private void Index()
    {
        if (isIndexed)
        {
            return;
        }

        CollectionsMarshal.SetCount(highestLast, sorted.Count);
        HighestLast(0, sorted.Count);
        isIndexed = true;
    }

    private ulong HighestLast(int low, int high)
    {
        if (low >= high)
        {
            return 0;
        }

        int middle = low + ((high - low) / 2);
        ulong below = Math.Max(HighestLast(low, middle), HighestLast(middle + 1, high));
        highestLast[middle] = Math.Max(below, LastOf(sorted[middle].Range));
        return highestLast[middle];
    }

    private int LowerBound(VirtAddr start)
    {
        int low = 0;
        int high = sorted.Count;
        while (low < high)
        {
            int middle = low + ((high - low) / 2);
            if (sorted[middle].Range.Start < start)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return low;
    }

    private static ulong LastOf(VirtRange range) => range.Start.Value + (range.Length.Value - 1);
}
