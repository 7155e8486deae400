using Mm.Benchmarks.Attachments;
using Mm.Benchmarks.Peers;

namespace Mm.Benchmarks.Scaling;

/// <summary>What scales: the memory that is modelled, the ranges that are known, the devices that share a buffer.</summary>
internal static class Charts
{
    private static readonly ulong[] MemorySizes = [4UL << 30, 32UL << 30, 256UL << 30, 2UL << 40, 16UL << 40];
    private static readonly ulong[] RangeCounts = [10, 100, 1_000, 10_000, 100_000];
    private static readonly ulong[] AttachmentCounts = [1, 10, 100, 1_000, 10_000];

    internal static IEnumerable<Chart> All() => [Memory(), Ranges(), Attachments()];

    // At each size 1 GiB is at work on each thread; the rest is modelled only.
    private static Chart Memory()
    {
        var workloads = new Cache<(int Threads, ulong Bytes), AllocatorWorkload>(static key => new AllocatorWorkload(key.Threads, key.Bytes));
        return new Chart(
            "memory", "A page taken and put", "modelled memory", MemorySizes,
            [
                .. from threads in new[] { 1, 2 }
                   from curve in new (string Name, Func<AllocatorWorkload, Repetition> Run)[]
                   {
                       ("hot pair", static workload => workload.Hot(order: 0)),
                       ("churn", static workload => workload.Churn(order: 0)),
                   }
                   select new Curve($"{curve.Name}, {threads} {(threads == 1 ? "thread" : "threads")}", bytes => curve.Run(workloads[(threads, bytes)]).Figure),
            ])
        { IsInBytes = true };
    }

    private static Chart Ranges()
    {
        var lookups = new Cache<ulong, LookupWorkload>(static count => new LookupWorkload((int)count));
        var regions = new Cache<ulong, RegionCacheWorkload>(static count => new RegionCacheWorkload((int)count));
        return new Chart(
            "ranges", "One range found among many", "ranges", RangeCounts,
            [
                new Curve("index of physical ranges", count => lookups[count].Find().Figure),
                new Curve("provider of an address", count => lookups[count].FindProvider().Figure),
                new Curve("registered region, used and let go", count => regions[count].Hit().Figure),
            ]);
    }

    private static Chart Attachments()
    {
        var shared = new Cache<ulong, SharedBufferWorkload>(static count => new SharedBufferWorkload((int)count));
        return new Chart(
            "attachments", "A buffer that many devices share", "attachments", AttachmentCounts,
            [
                new Curve("one more attached and detached", count => shared[count].Attach()),
                new Curve("mapped again where nothing has moved", count => shared[count].MapUnchanged()),
                new Curve("told of a move, each", count => shared[count].Notify()),
            ]);
    }

    // What a size needs is made when it is first measured, and kept: sizes are measured in turn.
    private sealed class Cache<TKey, TValue>(Func<TKey, TValue> make)
        where TKey : notnull
    {
        private readonly Dictionary<TKey, TValue> made = [];

        internal TValue this[TKey key]
        {
            get
            {
                if (!made.TryGetValue(key, out TValue? value))
                {
                    value = make(key);
                    made.Add(key, value);
                }

                return value;
            }
        }
    }
}
