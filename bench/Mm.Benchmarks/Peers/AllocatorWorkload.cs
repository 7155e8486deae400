using System.Diagnostics;
using System.Runtime.CompilerServices;
using Mm.Core;
using Mm.Core.Frames;

namespace Mm.Benchmarks.Peers;

/// <summary>The workloads of <c>allocator.c</c> through the public API: leases, generations, statistics and checks as shipped.</summary>
/// <param name="threads">How many threads work at once, each on 1 GiB out of 2 GiB of its own.</param>
/// <param name="machineBytes">RAM beyond that, which the workloads leave alone.</param>
internal sealed class AllocatorWorkload(int threads, ulong machineBytes = 0)
{
    /// <summary>Pairs of one repetition on each thread, as in the peer.</summary>
    internal const int Pairs = 2_000_000;

    private const int FramesPerThread = 1 << 18;
    private const int BatchPairs = 1000; // short enough a method that the JIT's last tier replaces it between two calls
    private const ulong FirstSeed = 88172645463325252;
    private const ulong SeedStep = 977;

    private readonly Machine machine = Machine.CreateBuilder()
        .AddRam(
            new NodeId(0),
            new PhysRange(
                new PhysAddr(1UL << 32),
                new ByteCount(Math.Max(machineBytes, (ulong)threads * FramesPerThread * 2 * 4096))))
        .Build();

    // By thread and order, touched once: their first touch is no part of what is timed.
    private readonly PageRef[]?[] arrays = new PageRef[threads * 2][];

    /// <summary>Take a page and put it, over and over.</summary>
    /// <param name="order">0 or 9.</param>
    /// <returns>Nanoseconds a pair.</returns>
    internal Repetition Hot(int order) => Run(_ => RunHot(order));

    /// <summary>Take 7/8 of 1 GiB at once.</summary>
    /// <param name="order">0 or 9.</param>
    /// <returns>Nanoseconds a page.</returns>
    internal Repetition BulkGet(int order) => Run(thread => RunBulk(thread, order).Get);

    /// <summary>Put 7/8 of 1 GiB at once, in random order.</summary>
    /// <param name="order">0 or 9.</param>
    /// <returns>Nanoseconds a page.</returns>
    internal Repetition BulkPut(int order) => Run(thread => RunBulk(thread, order).Put);

    /// <summary>With 7/8 of 1 GiB taken, put a random page and take one.</summary>
    /// <param name="order">0 or 9.</param>
    /// <returns>Nanoseconds a pair.</returns>
    internal Repetition Churn(int order) => Run(thread => RunChurn(thread, order));

    private Repetition Run(Func<int, Repetition> work)
    {
        machine.Allocator.DrainStacks();
        if (threads == 1)
        {
            return work(0);
        }

        CpuChoice.Any();
        var results = new Repetition[threads];
        using var start = new Barrier(threads);
        Thread[] workers =
        [
            .. Enumerable.Range(0, threads).Select(thread => new Thread(() =>
            {
                start.SignalAndWait();
                results[thread] = work(thread);
            })),
        ];
        Array.ForEach(workers, static worker => worker.Start());
        Array.ForEach(workers, static worker => worker.Join());
        CpuChoice.First();
        return new Repetition(
            results.Average(static result => result.Figure),
            results.Aggregate(0UL, static (sum, result) => sum + result.Checksum));
    }

    private Repetition RunHot(int order)
    {
        AllocationRequest request = RequestOf(order);
        for (int done = 0; done < 100_000; done += BatchPairs)
        {
            HotBatch(request);
        }

        long begin = Stopwatch.GetTimestamp();
        for (int done = 0; done < Pairs; done += BatchPairs)
        {
            HotBatch(request);
        }

        return new Repetition(NanosecondsSince(begin) / Pairs, Pairs);
    }

    private (Repetition Get, Repetition Put) RunBulk(int thread, int order)
    {
        PageRef[] pages = ArrayOf(thread, order);
        int rounds = order == 0 ? 1 : 64;
        double get = 0;
        double put = 0;
        for (int round = 0; round < rounds; round++)
        {
            long begin = Stopwatch.GetTimestamp();
            machine.Allocator.TryAllocateMany(RequestOf(order), pages).ThrowIfError();
            get += NanosecondsSince(begin);
            Xorshift.Shuffle(pages.AsSpan(), SeedOf(thread));
            begin = Stopwatch.GetTimestamp();
            machine.Allocator.Release(pages);
            put += NanosecondsSince(begin);
        }

        ulong count = (ulong)pages.Length * (ulong)rounds;
        return (new Repetition(get / count, count), new Repetition(put / count, count));
    }

    private Repetition RunChurn(int thread, int order)
    {
        PageRef[] pages = ArrayOf(thread, order);
        AllocationRequest request = RequestOf(order);
        machine.Allocator.TryAllocateMany(request, pages).ThrowIfError();
        ulong seed = SeedOf(thread);
        ulong sum = 0;
        long begin = Stopwatch.GetTimestamp();
        for (int done = 0; done < Pairs; done += BatchPairs)
        {
            sum += ChurnBatch(request, pages, ref seed);
        }

        var result = new Repetition(NanosecondsSince(begin) / Pairs, sum);
        machine.Allocator.Release(pages);
        return result;
    }

    private PageRef[] ArrayOf(int thread, int order)
    {
        ref PageRef[]? array = ref arrays[(thread * 2) + (order == 0 ? 0 : 1)];
        if (array is null)
        {
            array = new PageRef[(FramesPerThread >> order) * 7 / 8];
            array.AsSpan().Clear();
        }

        return array;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void HotBatch(AllocationRequest request)
    {
        PageAllocator allocator = machine.Allocator;
        for (int i = 0; i < BatchPairs; i++)
        {
            allocator.TryAllocate(request, out PageRef page).ThrowIfError();
            page.Dispose();
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private ulong ChurnBatch(AllocationRequest request, PageRef[] pages, ref ulong seed)
    {
        PageAllocator allocator = machine.Allocator;
        ulong sum = 0;
        for (int i = 0; i < BatchPairs; i++)
        {
            ulong index = Xorshift.Next(ref seed) % (ulong)pages.Length;
            sum += index;
            pages[index].Dispose();
            allocator.TryAllocate(request, out pages[index]).ThrowIfError();
        }

        return sum;
    }

    private static AllocationRequest RequestOf(int order) => AllocationRequest.User with { Order = order };

    private static ulong SeedOf(int thread) => FirstSeed + ((ulong)thread * SeedStep);

    private static double NanosecondsSince(long begin) => Stopwatch.GetElapsedTime(begin).TotalNanoseconds;
}
