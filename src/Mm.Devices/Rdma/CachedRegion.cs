using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.Notifiers;

namespace Mm.Devices.Rdma;

/// <summary>A region of a cache, and a use of it.</summary>
/// <remarks>
/// Owns the region and its subscription, by count: the cache has one use while it may be found, each user another.
/// <para><b>Linux:</b> none: an entry of a registration cache.</para>
/// <para><b>States:</b> found by whoever asks → forgotten: nobody finds it any more → deregistered, with its last use.</para>
/// <para><b>Invariants:</b> (1) forgotten, it gets no use more.</para>
/// <para><b>Locking:</b> safe from any thread; each use is disposed once.</para>
/// </remarks>
public sealed class CachedRegion : IIntervalListener, IDisposable
{
    // One word, so that finding it costs one locked operation: forgotten, uses now, and how often it was found.
    private const ulong Forgotten = 1;
    private const ulong Use = 2;
    private const ulong Uses = Found - Use;
    private const ulong Found = 1UL << FoundShift;
    private const int FoundShift = 24;

    private readonly RegionCache cache;
    private ulong word = Use; // atomic: who had it registered is one

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

    /// <summary>Whether the cache's index has had it. Protected by the cache's lock.</summary>
    internal bool IsListed { get; set; }

    /// <inheritdoc/>
    bool IIntervalListener.Invalidate(IntervalNotifier notifier, in NotifierRange range, NotifierSequence sequence) =>
        cache.OnInvalidate(this, notifier, range, sequence);

    /// <summary>Ends this use.</summary>
    public void Dispose() => DropUser();

    /// <summary>Whether nobody finds it any more.</summary>
    internal bool IsForgotten => (Volatile.Read(ref word) & Forgotten) != 0;

    /// <summary>How often it was found.</summary>
    internal long Hits => (long)(Volatile.Read(ref word) >> FoundShift);

    /// <summary>One use more, for who has found it.</summary>
    /// <returns>Whether it may be used; false: it is forgotten.</returns>
    internal bool TryUse()
    {
        ulong seen = Volatile.Read(ref word);
        while (true)
        {
            if ((seen & Forgotten) != 0)
            {
                return false;
            }

            Check.That((seen & Uses) != Uses, "a cached region has 2^23 users at most");
            ulong before = Interlocked.CompareExchange(ref word, unchecked(seen + Use + Found), seen); // hits may wrap
            if (before == seen)
            {
                return true;
            }

            seen = before;
        }
    }

    /// <summary>The use of the cache, as long as it may be found.</summary>
    internal void AddUser() => Interlocked.Add(ref word, Use);

    /// <summary>Lets nobody find it any more. The cache's use stays, to be ended where locks are not held.</summary>
    internal void Forget() => Interlocked.Or(ref word, Forgotten);

    internal void DropUser()
    {
        if ((Interlocked.Add(ref word, unchecked(0 - Use)) & Uses) == 0) // takes away one
        {
            Notifier.Dispose();
            Region.Dispose();
        }
    }
}
