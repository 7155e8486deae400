using System.Diagnostics;
using Mm.Core;
using Mm.Devices.Nics.PagePools;

namespace Mm.Benchmarks.Peers;

/// <summary>The workloads of <c>pool.c</c> and <c>mempool.c</c> through the public API, statistics and leases included.</summary>
internal sealed class PagePoolWorkload
{
    /// <summary>How many a repetition takes by the cache.</summary>
    internal const int FastPairs = 4_000_000;

    private const int RingPairs = 1_000_000;
    private const int Bulk = 32;
    private const int Bulks = 500_000;

    private readonly NapiContext napi = new();
    private readonly PoolLease[] leases = new PoolLease[Bulk];
    private readonly PagePool direct;
    private readonly PagePool plain;

    internal PagePoolWorkload()
    {
        Machine machine = Machine.CreateBuilder().AddRam(new NodeId(0), new PhysRange(PhysAddr.Zero, ByteCount.FromGiB(1))).Build();
        direct = Create(machine, new PagePoolOptions { Napi = napi });
        plain = Create(machine, new PagePoolOptions());
    }

    /// <summary>By the cache, one by one, in the NAPI context.</summary>
    internal Repetition Fast()
    {
        using NapiContext.Scope scope = napi.Enter();
        long begin = Stopwatch.GetTimestamp();
        for (int pair = 0; pair < FastPairs; pair++)
        {
            direct.TryAllocate(out PoolLease lease).ThrowIfError();
            lease.Dispose();
        }

        return Per(begin, FastPairs);
    }

    /// <summary>By the cache, 32 at a time.</summary>
    internal Repetition Many()
    {
        using NapiContext.Scope scope = napi.Enter();
        long begin = Stopwatch.GetTimestamp();
        for (int round = 0; round < Bulks; round++)
        {
            direct.TryAllocateMany(leases).ThrowIfError();
            PagePool.PutMany(leases);
        }

        return Per(begin, Bulks * Bulk);
    }

    /// <summary>By the ring: given back from outside a NAPI context.</summary>
    internal Repetition Ring()
    {
        long begin = Stopwatch.GetTimestamp();
        for (int pair = 0; pair < RingPairs; pair++)
        {
            plain.TryAllocate(out PoolLease lease).ThrowIfError();
            lease.Dispose();
        }

        return Per(begin, RingPairs);
    }

    private static Repetition Per(long begin, int count) =>
        new(Stopwatch.GetElapsedTime(begin).TotalNanoseconds / count, (ulong)count);

    private static PagePool Create(Machine machine, PagePoolOptions options)
    {
        PagePool.TryCreate(machine, options, out PagePool? pool).ThrowIfError();
        return pool!;
    }
}
