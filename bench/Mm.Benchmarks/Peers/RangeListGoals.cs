using System.Diagnostics;
using Mm.Benchmarks.PhysRanges;
using Mm.Core;
using Mm.Core.PhysRanges;

namespace Mm.Benchmarks.Peers;

/// <summary>G7 to G9: range lists of 1 GiB beside a scatterlist, plain pairs, and the AVX-512 limit.</summary>
internal static class RangeListGoals
{
    private const int IterateBlock = 1 << 10;
    private const double ScatterBytes = 32; // a scatterlist entry on x86-64
    private const double PointerBytes = 8; // a struct page * in an array, one a page whatever the fragmentation

    // Percent of pages that do not follow their predecessor, and the share of a scatterlist's time that is wanted (G7).
    private static readonly (int Percent, double Build)[] Cases = [(0, 0.3), (50, 0.2), (100, 1.2)];

    // As a machine has it: the owners of all its RAM and providers, 4 GiB to 68 GiB.
    private static readonly Lazy<Machine> Host = new(static () => Machine.CreateBuilder()
        .AddRam(new NodeId(0), new PhysRange(new PhysAddr(1UL << 32), ByteCount.FromGiB(64)))
        .Build());

    internal static IEnumerable<Goal> All()
    {
        foreach ((int percent, double wanted) in Cases)
        {
            var side = new Lazy<Side>(() => new Side(percent));
            yield return new Goal(
                $"G7 build of a list at {percent} %", "rangelist", $"scatterlist-build {percent}", wanted,
                () => side.Value.Build());
            yield return new Goal(
                $"G7 coalescing at {percent} %", "rangelist", $"scatterlist-build {percent}", wanted,
                () => side.Value.Append());
            yield return new Goal(
                $"G7 coalescing at {percent} % against the AVX-512 limit", "rangelist", $"compress-build {percent}", 2.0,
                () => side.Value.Append());
            if (percent > 0)
            {
                yield return new Goal(
                    $"G8 iteration at {percent} % against pairs", "rangelist", $"pair-iterate {percent}", 1.5,
                    () => side.Value.Iterate());
                yield return new Goal(
                    $"G8 iteration at {percent} % against a scatterlist", "rangelist", $"scatterlist-iterate {percent}", 1.5,
                    () => side.Value.Iterate());
                yield return new Goal(
                    $"G8 bounds of a list at {percent} % against pairs", "rangelist", $"pair-measure {percent}", 1.5,
                    () => side.Value.Measure());
            }

            yield return Metadata(percent, side);
        }
    }

    private static Goal Metadata(int percent, Lazy<Side> side) =>
        new($"G9 metadata of 1 GiB at {percent} %", "", "", percent == 0 ? 0.001 : 0.501, () => side.Value.Metadata())
        {
            Unit = "B/page",
            Other = () => new Repetition(percent == 0 ? PointerBytes : side.Value.ScatterlistBytes(), 0),
        };

    /// <summary>Mm's side at one fragmentation.</summary>
    private sealed class Side
    {
        private readonly PhysRangeListBuilder builder = new(Host.Value.RangeOwners);
        private readonly Pfn[] frames;
        private readonly PhysRangeList list;

        internal Side(int percent)
        {
            frames = Fragments.Make(percent);
            builder.TryAppendFrames(frames).ThrowIfError();
            list = builder.Build();
        }

        /// <summary>Merging into the builder's storage.</summary>
        internal Repetition Append()
        {
            builder.Clear();
            long begin = Stopwatch.GetTimestamp();
            builder.TryAppendFrames(frames).ThrowIfError();
            return PerPage(begin, builder.Count);
        }

        /// <summary>Merging, and a finished list.</summary>
        internal Repetition Build()
        {
            builder.Clear();
            long begin = Stopwatch.GetTimestamp();
            builder.TryAppendFrames(frames).ThrowIfError();
            using PhysRangeList built = builder.Build();
            return PerPage(begin, built.Count);
        }

        /// <summary>Every address and length.</summary>
        internal Repetition Iterate()
        {
            ulong sum = 0;
            long begin = Stopwatch.GetTimestamp();
            ReadOnlySpan<PhysRange> ranges = list.Ranges;
            for (int at = 0; at < ranges.Length; at += IterateBlock)
            {
                sum = unchecked(sum + SumOf(ranges.Slice(at, Math.Min(IterateBlock, ranges.Length - at)))); // may wrap
            }

            return new Repetition(Stopwatch.GetElapsedTime(begin).TotalNanoseconds / list.Count, sum);
        }

        /// <summary>Lowest and highest byte, longest range, common alignment: what a mapper asks of a list.</summary>
        internal Repetition Measure()
        {
            long begin = Stopwatch.GetTimestamp();
            RangeSummary found = list.Measure();
            double nanoseconds = Stopwatch.GetElapsedTime(begin).TotalNanoseconds / list.Count;
            return new Repetition(
                nanoseconds,
                found.LowestByte.Value + found.HighestByte.Value + found.LongestRange.Value + found.CommonAlignment.Value);
        }

        /// <summary>What one more list costs, objects and all.</summary>
        internal Repetition Metadata()
        {
            var fresh = new PhysRangeListBuilder(Host.Value.RangeOwners);
            fresh.TryAppendFrames(frames).ThrowIfError();
            long before = GC.GetAllocatedBytesForCurrentThread();
            PhysRangeList built = fresh.Build();
            long bytes = GC.GetAllocatedBytesForCurrentThread() - before;
            GC.KeepAlive(built);
            return new Repetition((double)bytes / frames.Length, 0);
        }

        internal double ScatterlistBytes() => ScatterBytes * list.Count / frames.Length;

        // Two sums, so that no addition waits for the one before: C's compiler makes vectors of them, the JIT does not.
        private static ulong SumOf(ReadOnlySpan<PhysRange> ranges)
        {
            ulong starts = 0;
            ulong lengths = 0;
            foreach (ref readonly PhysRange range in ranges)
            {
                starts = unchecked(starts + range.Start.Value); // a checksum may wrap
                lengths = unchecked(lengths + range.Length.Value);
            }

            return unchecked(starts + lengths);
        }

        private static Repetition PerPage(long begin, int count) =>
            new(Stopwatch.GetElapsedTime(begin).TotalNanoseconds / Fragments.FrameCount, (ulong)count);
    }
}
