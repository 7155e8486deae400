namespace Mm.Benchmarks.Peers;

/// <summary>G5 and G20: a receive queue's page pool, and registrations that are found again.</summary>
internal static class DeviceGoals
{
    private static readonly int[] RegionCounts = [16, 256, 4096];

    internal static IEnumerable<Goal> All()
    {
        var pool = new Lazy<PagePoolWorkload>(static () => new PagePoolWorkload());
        yield return new Goal("G5 page pool, fast pair", "pool", "fast", 1.05, () => pool.Value.Fast());
        yield return new Goal("G5 page pool, pair by the ring", "pool", "ring", 1.05, () => pool.Value.Ring());
        yield return new Goal("G5 page pool, fast pair / DPDK", "mempool", "single", 0.3, () => pool.Value.Fast());
        yield return new Goal("G5 page pool, 32 at a time / DPDK", "mempool", "bulk", 1.5, () => pool.Value.Many());
        foreach (int count in RegionCounts)
        {
            var cache = new Lazy<RegionCacheWorkload>(() => new RegionCacheWorkload(count));
            yield return new Goal($"G20 hit among {count} regions / UCX", "rcache", $"hit {count}", 0.4, () => cache.Value.Hit());
        }
    }
}
