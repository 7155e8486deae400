using Mm.Core;
using Mm.Core.Notifiers;

namespace Mm.Devices.Rdma;

/// <summary>A region of a cache, and a use of it.</summary>
/// <remarks>
/// Owns the region and its subscription, by count: the cache has one use while it may be found, each user another.
/// <para><b>Linux:</b> none: an entry of a registration cache.</para>
/// <para><b>Locking:</b> safe from any thread; each use is disposed once.</para>
/// </remarks>
public sealed class CachedRegion : IIntervalListener, IDisposable
{
    private readonly RegionCache cache;
    private int users = 1; // atomic: who had it registered is one

    internal CachedRegion(RegionCache cache, VirtRange pages)
    {
        this.cache = cache;
        Pages = pages;
    }

    /// <summary>The region.</summary>
    public MemoryRegion Region { get; internal set; } = null!;

    /// <summary>The pages that it covers.</summary>
    public VirtRange Pages { get; }

    internal IntervalNotifier Notifier { get; set; } = null!;

    /// <inheritdoc/>
    bool IIntervalListener.Invalidate(IntervalNotifier notifier, in NotifierRange range, NotifierSequence sequence) =>
        cache.OnInvalidate(this, notifier, range, sequence);

    /// <summary>Ends this use.</summary>
    public void Dispose() => DropUser();

    internal void AddUser() => Interlocked.Increment(ref users);

    internal void DropUser()
    {
        if (Interlocked.Decrement(ref users) == 0)
        {
            Notifier.Dispose();
            Region.Dispose();
        }
    }
}
