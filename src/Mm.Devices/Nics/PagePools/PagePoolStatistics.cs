namespace Mm.Devices.Nics.PagePools;

/// <summary>What a page pool has done so far.</summary>
/// <remarks><b>Linux:</b> struct page_pool_stats (v6.12). Immutable; the counts are not of one instant.</remarks>
/// <param name="Fast">Allocations from the cache.</param>
/// <param name="Slow">Allocations of order 0 from the page allocator.</param>
/// <param name="SlowHighOrder">Allocations of higher orders from the page allocator.</param>
/// <param name="Empty">How often the ring was empty when the cache was.</param>
/// <param name="Refill">How often the cache was refilled from the ring.</param>
/// <param name="Waive">Pages let go while refilling, as they were of another node.</param>
/// <param name="Cached">Pages recycled into the cache.</param>
/// <param name="CacheFull">How often the cache was full.</param>
/// <param name="Ring">Pages recycled into the ring.</param>
/// <param name="RingFull">Pages let go, as the ring was full.</param>
/// <param name="ReleasedReferenced">Pages let go, as somebody else had a reference.</param>
public sealed record PagePoolStatistics(
    long Fast,
    long Slow,
    long SlowHighOrder,
    long Empty,
    long Refill,
    long Waive,
    long Cached,
    long CacheFull,
    long Ring,
    long RingFull,
    long ReleasedReferenced);
