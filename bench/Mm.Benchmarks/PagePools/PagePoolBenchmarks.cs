using BenchmarkDotNet.Attributes;
using Mm.Core;
using Mm.Core.Dma;
using Mm.Core.Frames;
using Mm.Devices.Nics.PagePools;

namespace Mm.Benchmarks.PagePools;

/// <summary>
/// A page taken from a pool and given back, by its three ways. The kernel's peer: tools/testing/selftests/net/bench/page_pool
/// (newer than v6.12) with its timings fast path, ring and slow.
/// </summary>
[MemoryDiagnoser]
public class PagePoolBenchmarks
{
    private const int Batch = 64;

    private readonly PoolLease[] leases = new PoolLease[Batch];
    private readonly NapiContext napi = new();
    private Machine machine = null!;
    private PagePool direct = null!;
    private PagePool plain = null!;
    private PagePool mapped = null!;

    [GlobalSetup]
    public void Setup()
    {
        machine = Machine.CreateBuilder().AddRam(new NodeId(0), new PhysRange(PhysAddr.Zero, ByteCount.FromGiB(1))).Build();
        DmaDevice device = machine.Dma.Attach(machine.RegisterDevice("nic"), DmaMask.Bits64);
        direct = Create(new PagePoolOptions { Napi = napi });
        plain = Create(new PagePoolOptions());
        mapped = Create(new PagePoolOptions { Napi = napi, Device = device, SyncsForDevice = true, MaxLength = new ByteCount(4096) });
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        direct.Dispose();
        plain.Dispose();
        mapped.Dispose();
        machine.Dispose();
    }

    /// <summary>By the cache, in the NAPI context: the kernel's fast path.</summary>
    [Benchmark(Baseline = true, OperationsPerInvoke = Batch)]
    public void FastPath() => TakeAndReturnInside(direct);

    /// <summary>The same with pages that are mapped and synced.</summary>
    [Benchmark(OperationsPerInvoke = Batch)]
    public void FastPathMapped() => TakeAndReturnInside(mapped);

    /// <summary>By the ring: given back from outside the NAPI context.</summary>
    [Benchmark(OperationsPerInvoke = Batch)]
    public void Ring()
    {
        Take(plain);
        PagePool.PutMany(leases);
    }

    /// <summary>By the page allocator: each page leaves the pool, as somebody else has a reference.</summary>
    [Benchmark(OperationsPerInvoke = Batch)]
    public void Slow()
    {
        Take(plain);
        foreach (PoolLease lease in leases)
        {
            _ = lease.Memory.TryGetPage(out PoolPage? page);
            page!.TryAddReference(out PageRef other).ThrowIfError();
            lease.Dispose();
            other.Dispose();
        }
    }

    private void TakeAndReturnInside(PagePool pool)
    {
        using NapiContext.Scope scope = napi.Enter();
        Take(pool);
        PagePool.PutMany(leases);
    }

    private void Take(PagePool pool)
    {
        for (int index = 0; index < Batch; index++)
        {
            pool.TryAllocate(out leases[index]).ThrowIfError();
        }
    }

    private PagePool Create(PagePoolOptions options)
    {
        PagePool.TryCreate(machine, options, out PagePool? pool).ThrowIfError();
        return pool!;
    }
}
