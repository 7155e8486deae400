using System.Runtime.CompilerServices;
using Mm.Core.Checks;
using Mm.Core.Native;

namespace Mm.Core.PhysRanges;

/// <summary>Disjoint ranges, at byte granularity, that an address finds: address to index in a few nanoseconds.</summary>
/// <remarks>
/// For anything that owns addresses: it answers with the index that a range had when the index was made, and the
/// owner keeps what belongs to it in an array. Ranges may be of any size and lie packed or apart.
/// A change makes a new index; readers of the old one are not disturbed.
/// <para><b>Linux:</b> what interval_tree_iter_first() or mtree_load() would answer for disjoint ranges (v6.12).</para>
/// <para><b>Invariants:</b> (1) ranges ascend, are disjoint, and none is empty.</para>
/// <para><b>Locking:</b> immutable.</para>
/// </remarks>
public sealed class PhysRangeIndex
{
    private readonly PhysRange[] ranges;
    private readonly BucketTrie? starts; // null: no range

    /// <summary>Makes an index.</summary>
    /// <param name="sorted">The ranges, ascending, disjoint, none empty; copied.</param>
    /// <exception cref="ArgumentException">A range is empty, or does not lie behind its predecessor.</exception>
    public PhysRangeIndex(ReadOnlySpan<PhysRange> sorted)
        : this(sorted, Vectors.Level)
    {
    }

    internal PhysRangeIndex(ReadOnlySpan<PhysRange> sorted, VectorLevel vectors)
    {
        ranges = sorted.ToArray();
        var keys = new PhysAddr[ranges.Length];
        for (int index = 0; index < ranges.Length; index++)
        {
            ThrowIfMisplaced(index);
            keys[index] = ranges[index].Start;
        }

        starts = keys.Length == 0 ? null : new BucketTrie(keys, vectors);
    }

    /// <summary>The index of nothing.</summary>
    public static PhysRangeIndex Empty { get; } = new([]);

    /// <summary>How many ranges.</summary>
    public int Count => ranges.Length;

    /// <summary>The ranges, ascending.</summary>
    public ReadOnlySpan<PhysRange> Ranges => ranges;

    /// <summary>Finds the range that holds an address.</summary>
    /// <param name="address">The address.</param>
    /// <returns>The range's index, or -1 when no range holds it.</returns>
    public int Find(PhysAddr address)
    {
        int index = FindAtOrBelow(address);
        return index >= 0 && ranges[index].Contains(address) ? index : -1;
    }

    /// <summary>Finds the last range that starts at or below an address, whether or not it reaches the address.</summary>
    /// <param name="address">The address.</param>
    /// <returns>The range's index, or -1 when all ranges start above.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int FindAtOrBelow(PhysAddr address) => starts is { } trie ? trie.FindAtOrBelow(address) : -1;

    /// <summary>Finds the range that holds an address, or else the gap around it.</summary>
    /// <param name="address">The address.</param>
    /// <param name="extent">The range that holds the address; or the bytes around it that no range holds, at most 2^64-1 of them.</param>
    /// <returns>The range's index, or -1 for a gap.</returns>
    public int FindExtent(PhysAddr address, out PhysRange extent)
    {
        int below = FindAtOrBelow(address);
        if (below >= 0 && ranges[below].Contains(address))
        {
            extent = ranges[below];
            return below;
        }

        // A gap ends below 2^64 where a range follows; else at the top, which FromBounds cannot say.
        PhysAddr start = PhysAddr.Zero;
        if (below >= 0)
        {
            Check.That(ranges[below].TryGetEnd(out start), "a range below the address ends below it");
        }

        ulong toTop = start == PhysAddr.Zero ? ulong.MaxValue : PhysAddr.MaxValue.Value - start.Value + 1;
        extent = below + 1 < ranges.Length
            ? PhysRange.FromBounds(start, ranges[below + 1].Start)
            : new PhysRange(start, new ByteCount(toTop));
        extent = extent.Contains(address) ? extent : new PhysRange(address, new ByteCount(1));
        return -1;
    }

    private void ThrowIfMisplaced(int index)
    {
        PhysRange range = ranges[index];
        bool isBehind = index == 0
            || (ranges[index - 1].TryGetEnd(out PhysAddr end) && end <= range.Start);
        if (range.IsEmpty || !isBehind)
        {
            throw new ArgumentException(
                $"sorted[{index}] must not be empty and lie behind its predecessor; it is {range}", "sorted");
        }
    }
}
