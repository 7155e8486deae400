using System.Numerics;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Mm.Core.Native;

namespace Mm.Core.PhysRanges;

/// <summary>Questions about spans of ranges that need no list.</summary>
internal static class RangeSpans
{
    /// <summary>Whether two sequences of non-empty ranges name the same bytes in the same order.</summary>
    /// <param name="left">One sequence.</param>
    /// <param name="right">The other.</param>
    /// <returns>Whether they do, however either is split.</returns>
    internal static bool AreSameBytes(ReadOnlySpan<PhysRange> left, ReadOnlySpan<PhysRange> right)
    {
        int nextLeft = 0;
        int nextRight = 0;
        PhysRange a = default;
        PhysRange b = default;
        while (TryRefill(left, ref nextLeft, ref a) & TryRefill(right, ref nextRight, ref b))
        {
            if (a.Start != b.Start)
            {
                return false;
            }

            ByteCount step = a.Length < b.Length ? a.Length : b.Length;
            a = a.Slice(step, a.Length.SubtractChecked(step));
            b = b.Slice(step, b.Length.SubtractChecked(step));
        }

        return a.IsEmpty && b.IsEmpty;
    }

    // Takes the next range when the current one is used up; false when there is no more.
    private static bool TryRefill(ReadOnlySpan<PhysRange> ranges, ref int next, ref PhysRange current)
    {
        if (current.IsEmpty && next < ranges.Length)
        {
            current = ranges[next++];
        }

        return !current.IsEmpty;
    }

    /// <summary>Lowest and highest byte, longest range and common alignment of non-empty ranges.</summary>
    /// <param name="level">Which twin; not wider than the processor's.</param>
    /// <param name="ranges">The ranges.</param>
    /// <returns>The summary.</returns>
    internal static RangeSummary Measure(VectorLevel level, ReadOnlySpan<PhysRange> ranges)
    {
        if (ranges.IsEmpty)
        {
            return default;
        }

        var sums = new Extremes(ulong.MaxValue, 0, 0, 0);
        int done = level >= VectorLevel.Vector256 ? MeasureBy256(ranges, ref sums) : 0;
        foreach (PhysRange range in ranges[done..])
        {
            ulong start = range.Start.Value;
            ulong length = range.Length.Value;
            sums = new Extremes(
                Math.Min(sums.Lowest, start),
                Math.Max(sums.Highest, start + (length - 1)),
                Math.Max(sums.Longest, length),
                sums.Bits | start | length);
        }

        ulong alignment = 1UL << BitOperations.TrailingZeroCount(sums.Bits); // never all zero: a length is not
        return new RangeSummary(
            new PhysAddr(sums.Lowest), new PhysAddr(sums.Highest), new ByteCount(sums.Longest), new ByteCount(alignment));
    }

    // Four ranges a step: their starts in one vector and their lengths in another. The processor compares signed words only,
    // so starts and lengths are compared with the top bit flipped. Vectors of 512 bits were no faster: memory is the limit.
    private static int MeasureBy256(ReadOnlySpan<PhysRange> ranges, ref Extremes sums)
    {
        ReadOnlySpan<VectorPair256> blocks = Words.AsVectorPair256(Words.Of(ranges));
        Vector256<ulong> topBit = Vector256.Create(1UL << 63);
        Vector256<long> lowest = Vector256.Create(long.MaxValue);
        Vector256<long> highest = Vector256.Create(long.MinValue);
        Vector256<long> longest = Vector256.Create(long.MinValue);
        Vector256<ulong> bits = Vector256<ulong>.Zero;
        foreach (ref readonly VectorPair256 block in blocks)
        {
            Vector256<ulong> starts = Avx2.UnpackLow(block.Low, block.High);
            Vector256<ulong> lengths = Avx2.UnpackHigh(block.Low, block.High);
            Vector256<ulong> flipped = starts ^ topBit;
            lowest = Vector256.Min(lowest, flipped.AsInt64());
            highest = Vector256.Max(highest, (flipped + (lengths - Vector256<ulong>.One)).AsInt64());
            longest = Vector256.Max(longest, (lengths ^ topBit).AsInt64());
            bits |= starts | lengths;
        }

        Vector256<ulong> lows = lowest.AsUInt64() ^ topBit;
        Vector256<ulong> highs = highest.AsUInt64() ^ topBit;
        Vector256<ulong> longs = longest.AsUInt64() ^ topBit;
        for (int lane = 0; lane < Vector256<ulong>.Count; lane++)
        {
            sums = new Extremes(
                Math.Min(sums.Lowest, lows[lane]),
                Math.Max(sums.Highest, highs[lane]),
                Math.Max(sums.Longest, longs[lane]),
                sums.Bits | bits[lane]);
        }

        return blocks.Length * (VectorPair256.Count / 2);
    }

    private readonly record struct Extremes(ulong Lowest, ulong Highest, ulong Longest, ulong Bits);
}
