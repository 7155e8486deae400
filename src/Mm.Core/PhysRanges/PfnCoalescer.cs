using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Mm.Core.Native;

namespace Mm.Core.PhysRanges;

/// <summary>Turns frame numbers into maximal ranges of consecutive ones, by vectors where the processor has them.</summary>
/// <remarks>
/// All twins write the same ranges; they differ in how they find the places where a frame does not follow its
/// predecessor. A branch at each such place costs a misprediction, 4 ns a page at 50 % fragmentation; so the twins write
/// the length of the range so far and the start of the next one to the next free place each time, and only advance
/// that place by 0 or 1 (or by the number of starts in a vector).
/// Knows nothing of owners or of addresses above 2^64: it reports the lowest and highest frame, and its caller judges.
/// <para><b>Linux:</b> the merging of sg_alloc_append_table_from_pages() (v6.12), as to what it computes.</para>
/// </remarks>
internal static class PfnCoalescer
{
    /// <summary>How many ranges beyond the number of frames the output needs room for: the twins write ahead.</summary>
    internal const int Slack = 9;

    private const int Shift = 12;

    /// <summary>Writes the ranges that the frames make.</summary>
    /// <param name="level">Which twin; not wider than <see cref="Vectors.Supported"/>.</param>
    /// <param name="frames">The frame numbers; at least 1.</param>
    /// <param name="into">Room for as many ranges as there are frames, and <see cref="Slack"/> more; what lies behind
    /// the ranges written holds rubbish afterwards.</param>
    /// <param name="bounds">The lowest and the highest frame number, compared as signed integers.</param>
    /// <returns>How many ranges were written; meaningless unless every frame is below 2^52.</returns>
    /// <exception cref="ArgumentException">There are no frames, or the room is too small.</exception>
    internal static int Coalesce(
        VectorLevel level, ReadOnlySpan<Pfn> frames, Span<PhysRange> into, out FrameBounds bounds)
    {
        if (frames.IsEmpty || into.Length - Slack < frames.Length)
        {
            throw new ArgumentException(
                $"into must have room for {frames.Length} + {Slack} ranges, and frames not be empty; it has {into.Length}",
                nameof(into));
        }

        ReadOnlySpan<ulong> words = Words.Of(frames);
        Span<ulong> output = Words.Of(into);
        output[0] = words[0] << Shift;
        bounds = FrameBounds.Of(words[0]);
        int count = level switch
        {
            VectorLevel.Vector512 => CoalesceBy512(words, output, ref bounds),
            VectorLevel.Vector256 => CoalesceBy256(words, output, ref bounds),
            VectorLevel.Vector128 => CoalesceBy128(words, output, ref bounds),
            _ => CoalesceByOne(words, 1, output, 1, ref bounds),
        };
        output[(2 * count) - 1] = LengthUpTo(words[^1], output[(2 * count) - 2]);
        return count;
    }

    // The length of the range from `start` to the end of `lastFrame`; the end of the top frame wraps to 0, and back here.
    private static ulong LengthUpTo(ulong lastFrame, ulong start) => unchecked(((lastFrame + 1) << Shift) - start);

    /// <summary>The scalar twin; also finishes what the vector twins leave, fewer frames than a vector holds.</summary>
    /// <param name="frames">All frames.</param>
    /// <param name="next">The first frame not yet looked at; at least 1.</param>
    /// <param name="output">Pairs of start and length; the start of the range that is open stands there.</param>
    /// <param name="count">How many ranges were started so far; at least 1.</param>
    /// <param name="bounds">Widened by the frames looked at.</param>
    /// <returns>How many ranges are started in the end; the last one's length is not written.</returns>
    private static int CoalesceByOne(
        ReadOnlySpan<ulong> frames, int next, Span<ulong> output, int count, ref FrameBounds bounds)
    {
        unchecked // frame numbers from 2^52 wrap; their sums are rubbish that the bounds tell of
        {
            long lowest = bounds.Lowest;
            long highest = bounds.Highest;
            ulong previous = frames[next - 1];
            foreach (ulong frame in frames[next..])
            {
                Span<ulong> open = output.Slice((2 * count) - 2, 3);
                open[1] = LengthUpTo(previous, open[0]);
                open[2] = frame << Shift;
                count += frame - previous != 1 ? 1 : 0;
                lowest = Math.Min(lowest, (long)frame);
                highest = Math.Max(highest, (long)frame);
                previous = frame;
            }

            bounds = new FrameBounds(lowest, highest);
            return count;
        }
    }

    private static int CoalesceBy512(ReadOnlySpan<ulong> frames, Span<ulong> output, ref FrameBounds bounds)
    {
        int count = 1;
        int openedAt = 0; // index of the frame that opened the range at count - 1
        int index = 1;
        Vector512<ulong> previous = Vector512.Create(frames[0]);
        Vector512<long> lowest = Vector512.Create(bounds.Lowest);
        Vector512<long> highest = Vector512.Create(bounds.Highest);
        foreach (Vector512<ulong> block in Words.AsVector512(frames[1..]))
        {
            Vector512<ulong> predecessors = Avx512F.AlignRight64(block, previous, 7);
            Vector512<ulong> isStart = ~Vector512.Equals(block - predecessors, Vector512<ulong>.One);
            previous = block;
            uint mask = unchecked((uint)isStart.ExtractMostSignificantBits()); // eight lanes, eight bits
            if (mask != 0)
            {
                // A run is bounded by its ends: its first frame stands here, and so does the last one of the run before.
                lowest = Vector512.Min(lowest, Vector512.Min(block.AsInt64(), predecessors.AsInt64()));
                highest = Vector512.Max(highest, Vector512.Max(block.AsInt64(), predecessors.AsInt64()));
                Vector512<ulong> starts = Avx512F.Compress(Vector512<ulong>.Zero, isStart, block << Shift);
                Vector512<ulong> indexes = Avx512F.Compress(
                    Vector512<ulong>.Zero, isStart, Vector512.Create((ulong)(uint)index) + Vector512<ulong>.Indices);
                Vector512<ulong> opened = Avx512F.AlignRight64(indexes, Vector512.Create((ulong)(uint)openedAt), 7);
                WritePairs((indexes - opened) << Shift, starts, output[unchecked((2 * count) - 1)..]);
                openedAt = unchecked(index + BitOperations.Log2(mask));
                count = unchecked(count + BitOperations.PopCount(mask));
            }

            index = unchecked(index + Vector512<ulong>.Count); // counts the frames of a span, as all counters here
        }

        bounds = new FrameBounds(
            HorizontalMin(Vector256.Min(lowest.GetLower(), lowest.GetUpper())),
            HorizontalMax(Vector256.Max(highest.GetLower(), highest.GetUpper()))).Widen(frames[index - 1]);
        return index < frames.Length ? CoalesceByOne(frames, index, output, count, ref bounds) : count;
    }

    // length, start, length, start ...: the length closes the range before the start. A call would spill every vector.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void WritePairs(Vector512<ulong> lengths, Vector512<ulong> starts, Span<ulong> output)
    {
        Vector512<ulong> low = Avx512F.PermuteVar8x64x2(lengths, Vector512.Create(0UL, 8, 1, 9, 2, 10, 3, 11), starts);
        Vector512<ulong> high = Avx512F.PermuteVar8x64x2(lengths, Vector512.Create(4UL, 12, 5, 13, 6, 14, 7, 15), starts);
        low.CopyTo(output);
        high.CopyTo(output[Vector512<ulong>.Count..]);
    }

    private static int CoalesceBy256(ReadOnlySpan<ulong> frames, Span<ulong> output, ref FrameBounds bounds)
    {
        int count = 1;
        int openedAt = 0;
        int index = 1;
        Vector256<ulong> previous = Vector256.Create(frames[0]);
        Vector256<long> lowest = Vector256.Create(bounds.Lowest);
        Vector256<long> highest = Vector256.Create(bounds.Highest);
        foreach (Vector256<ulong> block in Words.AsVector256(frames[1..]))
        {
            Vector256<ulong> rotated = Vector256.Shuffle(block, Vector256.Create(3UL, 0, 1, 2));
            Vector256<ulong> carried = Vector256.Shuffle(previous, Vector256.Create(3UL, 0, 1, 2));
            Vector256<ulong> predecessors = Avx2.Blend(rotated.AsUInt32(), carried.AsUInt32(), 0b0000_0011).AsUInt64();
            Vector256<ulong> isStart = ~Vector256.Equals(block - predecessors, Vector256<ulong>.One);
            previous = block;
            uint mask = isStart.ExtractMostSignificantBits();
            if (mask != 0)
            {
                // A run is bounded by its ends: its first frame stands here, and so does the last one of the run before.
                lowest = Vector256.Min(lowest, Vector256.Min(block.AsInt64(), predecessors.AsInt64()));
                highest = Vector256.Max(highest, Vector256.Max(block.AsInt64(), predecessors.AsInt64()));
                Vector256<uint> order = Vector256.Create(CompressOrders.Slice((int)mask * 8, 8));
                Vector256<ulong> starts = Compress(block << Shift, order);
                Vector256<ulong> indexes = Compress(
                    Vector256.Create((ulong)(uint)index) + Vector256<ulong>.Indices, order);
                Vector256<ulong> shifted = Vector256.Shuffle(indexes, Vector256.Create(3UL, 0, 1, 2));
                Vector256<ulong> opened = Avx2.Blend(
                    shifted.AsUInt32(), Vector256.Create((ulong)(uint)openedAt).AsUInt32(), 0b0000_0011).AsUInt64();
                WritePairs((indexes - opened) << Shift, starts, output[unchecked((2 * count) - 1)..]);
                openedAt = unchecked(index + BitOperations.Log2(mask));
                count = unchecked(count + BitOperations.PopCount(mask));
            }

            index = unchecked(index + Vector256<ulong>.Count);
        }

        bounds = new FrameBounds(HorizontalMin(lowest), HorizontalMax(highest)).Widen(frames[index - 1]);
        return index < frames.Length ? CoalesceByOne(frames, index, output, count, ref bounds) : count;
    }

    // For each mask of 4 starts the order, as pairs of 32-bit lanes, that moves them to the front.
    private static ReadOnlySpan<uint> CompressOrders =>
    [
        0, 1, 2, 3, 4, 5, 6, 7, /* 0000: not used */
        0, 1, 2, 3, 4, 5, 6, 7, /* 0001 */
        2, 3, 0, 1, 4, 5, 6, 7, /* 0010 */
        0, 1, 2, 3, 4, 5, 6, 7, /* 0011 */
        4, 5, 0, 1, 2, 3, 6, 7, /* 0100 */
        0, 1, 4, 5, 2, 3, 6, 7, /* 0101 */
        2, 3, 4, 5, 0, 1, 6, 7, /* 0110 */
        0, 1, 2, 3, 4, 5, 6, 7, /* 0111 */
        6, 7, 0, 1, 2, 3, 4, 5, /* 1000 */
        0, 1, 6, 7, 2, 3, 4, 5, /* 1001 */
        2, 3, 6, 7, 0, 1, 4, 5, /* 1010 */
        0, 1, 2, 3, 6, 7, 4, 5, /* 1011 */
        4, 5, 6, 7, 0, 1, 2, 3, /* 1100 */
        0, 1, 4, 5, 6, 7, 2, 3, /* 1101 */
        2, 3, 4, 5, 6, 7, 0, 1, /* 1110 */
        0, 1, 2, 3, 4, 5, 6, 7, /* 1111 */
    ];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<ulong> Compress(Vector256<ulong> block, Vector256<uint> order) =>
        Avx2.PermuteVar8x32(block.AsUInt32(), order).AsUInt64();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void WritePairs(Vector256<ulong> lengths, Vector256<ulong> starts, Span<ulong> output)
    {
        Vector256<ulong> even = Avx2.UnpackLow(lengths, starts);
        Vector256<ulong> odd = Avx2.UnpackHigh(lengths, starts);
        Avx2.Permute2x128(even, odd, 0x20).CopyTo(output);
        Avx2.Permute2x128(even, odd, 0x31).CopyTo(output[Vector256<ulong>.Count..]);
    }

    // No compress in 16 bytes that would beat the scalar twin: skips 8 consecutive frames at once, else goes one by one.
    private static int CoalesceBy128(ReadOnlySpan<ulong> frames, Span<ulong> output, ref FrameBounds bounds)
    {
        const int BlockFrames = 8;
        int count = 1;
        int index = 1;
        for (; frames.Length - index >= BlockFrames; index += BlockFrames)
        {
            ReadOnlySpan<Vector128<ulong>> block = Words.AsVector128(frames.Slice(index, BlockFrames));
            ReadOnlySpan<Vector128<ulong>> before = Words.AsVector128(frames.Slice(index - 1, BlockFrames));
            Vector128<ulong> follows =
                Vector128.Equals(block[0] - before[0], Vector128<ulong>.One)
                & Vector128.Equals(block[1] - before[1], Vector128<ulong>.One)
                & Vector128.Equals(block[2] - before[2], Vector128<ulong>.One)
                & Vector128.Equals(block[3] - before[3], Vector128<ulong>.One);
            if (follows == Vector128<ulong>.AllBitsSet)
            {
                // Consecutive, so the ends bound the rest, unless they wrap: then the last is below the first and seen.
                bounds = bounds.Widen(frames[index]).Widen(frames[index + BlockFrames - 1]);
                continue;
            }

            count = CoalesceByOne(frames[..(index + BlockFrames)], index, output, count, ref bounds);
        }

        return CoalesceByOne(frames, index, output, count, ref bounds);
    }

    private static long HorizontalMin(Vector256<long> lanes)
    {
        Vector128<long> half = Vector128.Min(lanes.GetLower(), lanes.GetUpper());
        return Math.Min(half[0], half[1]);
    }

    private static long HorizontalMax(Vector256<long> lanes)
    {
        Vector128<long> half = Vector128.Max(lanes.GetLower(), lanes.GetUpper());
        return Math.Max(half[0], half[1]);
    }
}
