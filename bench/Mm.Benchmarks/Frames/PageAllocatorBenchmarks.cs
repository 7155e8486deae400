using BenchmarkDotNet.Attributes;
using Mm.Core;
using Mm.Core.Frames;

namespace Mm.Benchmarks.Frames;

/// <summary>Pages through the public API: the workloads of <c>allocator.c</c>, G1 to G3. One operation is one page, or one pair.</summary>
[MemoryDiagnoser]
public class PageAllocatorBenchmarks
{
    private const int Frames = 1 << 18; // 1 GiB of 4 KiB frames, out of 2 GiB

    private Machine machine = null!;
    private PageRef[] held = [];
    private PageRef[] shuffled = [];
    private ulong state = 88172645463325252;

    /// <summary>Single pages and blocks of 2 MiB.</summary>
    [Params(0, 9)]
    public int Order { get; set; }

    private AllocationRequest Request => AllocationRequest.User with { Order = Order };

    [GlobalSetup]
    public void Build()
    {
        machine = Machine.CreateBuilder()
            .AddRam(new NodeId(0), new PhysRange(new PhysAddr(1UL << 32), ByteCount.FromGiB(2)))
            .Build();
        held = new PageRef[(Frames >> Order) * 7 / 8];
        shuffled = new PageRef[held.Length];
        _ = machine.Allocator.TryAllocateMany(Request, held);
    }

    [GlobalCleanup]
    public void End() => machine.Dispose();

    /// <summary>Take one and put it.</summary>
    [Benchmark(Baseline = true)]
    public void HotPair()
    {
        _ = machine.Allocator.TryAllocate(Request, out PageRef page);
        page.Dispose();
    }

    /// <summary>At 7/8 occupancy put a random one and take one.</summary>
    [Benchmark]
    public void Churn()
    {
        int index = (int)(Xorshift.Next(ref state) % (ulong)held.Length);
        held[index].Dispose();
        _ = machine.Allocator.TryAllocate(Request, out held[index]);
    }

    /// <summary>Put everything in random order and take it again, for each of its pages; divide by the number held.</summary>
    [Benchmark]
    public void BulkPutAndTake()
    {
        held.CopyTo(shuffled, 0);
        Xorshift.Shuffle(shuffled.AsSpan(), Xorshift.Next(ref state));
        machine.Allocator.Release(shuffled);
        _ = machine.Allocator.TryAllocateMany(Request, held);
    }
}
