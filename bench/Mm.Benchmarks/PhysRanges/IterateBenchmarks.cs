using BenchmarkDotNet.Attributes;
using Mm.Core;
using Mm.Core.PhysRanges;

namespace Mm.Benchmarks.PhysRanges;

/// <summary>Going over a range list, per range.</summary>
[MemoryDiagnoser]
public class IterateBenchmarks
{
    private const int RangeCount = 1 << 17;

    private PhysRangeList? list;

    [GlobalSetup]
    public void Setup()
    {
        var builder = new PhysRangeListBuilder(UniformOwnerSource.AllRam);
        builder.TryAppendFrames(Fragments.Make(100).AsSpan(0, RangeCount)).ThrowIfError();
        list = builder.Build();
    }

    /// <summary>Every start and length, one by one.</summary>
    [Benchmark(Baseline = true, OperationsPerInvoke = RangeCount)]
    public ulong Foreach()
    {
        ulong sum = 0;
        foreach (PhysRange range in list!)
        {
            sum = unchecked(sum + range.Start.Value + range.Length.Value); // a checksum may wrap
        }

        return sum;
    }

    /// <summary>What a mapper asks of a whole list before it maps: lowest and highest byte, longest range, common alignment.</summary>
    [Benchmark(OperationsPerInvoke = RangeCount)]
    public ulong Measure() => list!.Measure().HighestByte.Value;

    /// <summary>Every segment of a device that takes 64 KiB.</summary>
    [Benchmark(OperationsPerInvoke = RangeCount)]
    public ulong Cursor()
    {
        var cursor = new PhysRangeCursor(list!, new SegmentLimits(ByteCount.FromKiB(64)));
        ulong sum = 0;
        while (cursor.TryNext(out PhysRange piece))
        {
            sum = unchecked(sum + piece.Start.Value); // a checksum may wrap
        }

        return sum;
    }
}
