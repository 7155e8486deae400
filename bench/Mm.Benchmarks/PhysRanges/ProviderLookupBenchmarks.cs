using BenchmarkDotNet.Attributes;
using Mm.Core;
using Mm.Core.PhysRanges;

namespace Mm.Benchmarks.PhysRanges;

/// <summary>Which range holds an address: the workload of <c>lookup.h</c>, 2 MiB to 16 GiB with gaps, nine in ten inside.</summary>
[MemoryDiagnoser]
public class ProviderLookupBenchmarks
{
    private const int KeyCount = 1 << 20;

    private readonly PhysAddr[] keys = new PhysAddr[KeyCount];
    private PhysRangeIndex index = PhysRangeIndex.Empty;
    private ulong[] starts = [];
    private PhysRange[] ranges = [];

    [Params(16, 256, 4096, 65536)]
    public int RangeCount { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        ulong state = 0x9E3779B97F4A7C15;
        ulong next = 1UL << 32;
        ranges = new PhysRange[RangeCount];
        for (int place = 0; place < RangeCount; place++)
        {
            var length = new ByteCount(1UL << (int)(21 + (Fragments.Next(ref state) % 14)));
            next += (Fragments.Next(ref state) % 4) << 21;
            ranges[place] = new PhysRange(new PhysAddr(next), length);
            next += length.Value;
        }

        index = new PhysRangeIndex(ranges);
        starts = [.. ranges.Select(static range => range.Start.Value)];
        DrawKeys(next);
    }

    /// <summary>What the base library offers.</summary>
    [Benchmark(Baseline = true, OperationsPerInvoke = KeyCount)]
    public long ArrayBinarySearch()
    {
        long sum = 0;
        foreach (PhysAddr key in keys)
        {
            int found = Array.BinarySearch(starts, key.Value);
            int below = found >= 0 ? found : ~found - 1;
            sum += below >= 0 && ranges[below].Contains(key) ? below + 1 : 0;
        }

        return sum;
    }

    /// <summary>The index below the provider map; <c>MM_VECTORS</c> chooses the twin.</summary>
    [Benchmark(OperationsPerInvoke = KeyCount)]
    public long Index()
    {
        long sum = 0;
        foreach (PhysAddr key in keys)
        {
            sum += index.Find(key) + 1;
        }

        return sum;
    }

    private void DrawKeys(ulong top)
    {
        ulong state = 12345;
        for (int place = 0; place < keys.Length; place++)
        {
            ulong draw = Fragments.Next(ref state);
            PhysRange range = ranges[(int)((draw >> 8) % (ulong)ranges.Length)];
            keys[place] = draw % 10 != 0
                ? range.Start.AddChecked(new ByteCount(Fragments.Next(ref state) % range.Length.Value))
                : new PhysAddr(Fragments.Next(ref state) % top);
        }
    }
}
