using BenchmarkDotNet.Attributes;
using Mm.Core;
using Mm.Core.PhysRanges;

namespace Mm.Benchmarks.PhysRanges;

/// <summary>Which range holds an address: the workload of <c>lookup.c</c>.</summary>
[MemoryDiagnoser]
public class ProviderLookupBenchmarks
{
    private LookupInputs inputs = LookupInputs.Make(1);
    private PhysRangeIndex index = PhysRangeIndex.Empty;
    private ulong[] starts = [];

    [Params(16, 256, 4096, 65536)]
    public int RangeCount { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        inputs = LookupInputs.Make(RangeCount);
        index = new PhysRangeIndex(inputs.Ranges);
        starts = [.. inputs.Ranges.Select(static range => range.Start.Value)];
    }

    /// <summary>What the base library offers.</summary>
    [Benchmark(Baseline = true, OperationsPerInvoke = LookupInputs.KeyCount)]
    public long ArrayBinarySearch()
    {
        long sum = 0;
        PhysRange[] ranges = inputs.Ranges;
        foreach (PhysAddr key in inputs.Keys)
        {
            int found = Array.BinarySearch(starts, key.Value);
            int below = found >= 0 ? found : ~found - 1;
            sum += below >= 0 && ranges[below].Contains(key) ? below + 1 : 0;
        }

        return sum;
    }

    /// <summary>The index below the provider map; <c>MM_VECTORS</c> chooses the twin.</summary>
    [Benchmark(OperationsPerInvoke = LookupInputs.KeyCount)]
    public long Index()
    {
        long sum = 0;
        foreach (PhysAddr key in inputs.Keys)
        {
            sum += index.Find(key) + 1;
        }

        return sum;
    }
}
