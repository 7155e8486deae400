using Mm.Core;
using Mm.Core.Locking;
using Mm.Core.Notifiers;

namespace Mm.Devices.Rdma;

/// <summary>Regions that are kept for the next time the same memory is used, and forgotten exactly when the process changes it.</summary>
/// <remarks>
/// Owns the regions that it made, and a subscription to the range of each. A region whose memory the process has changed is
/// found by nobody, and deregistered when its last user has let it go.
/// <para><b>Linux:</b> none: libraries of users as UCX and libfabric have it, on userfaultfd or hooks; here it is told by an
/// interval notifier, as the rcache of the kernel's own users would be.</para>
/// <para><b>Invariants:</b> (1) a region that is found covers what was asked and was not changed since it was registered; (2) one
/// that is found stays registered until it is let go.</para>
/// <para><b>Locking:</b> one lock of rank Mirror, entered by invalidations; never held while memory is registered, and not taken
/// to find a region that is there.</para>
/// </remarks>
public sealed class RegionCache : IDisposable
{
    private readonly RankedLock gate = new(LockRank.Mirror);
    private readonly ProtectionDomain domain;
    private readonly RegionAccess access;
    private readonly RegionIndex index = new(); // changed under gate
    private readonly List<CachedRegion> forgotten = []; // of the index, to be let go by the next call; protected by gate
    private int forgottenCount; // written under gate
    private long hitsBefore; // of regions that are gone; protected by gate
    private bool isClosed; // protected by gate

    /// <summary>Makes an empty cache.</summary>
    /// <param name="domain">Where regions are registered.</param>
    /// <param name="access">What they allow.</param>
    public RegionCache(ProtectionDomain domain, RegionAccess access)
    {
        ArgumentNullException.ThrowIfNull(domain);
        this.domain = domain;
        this.access = access;
    }

    /// <summary>How often a region was found.</summary>
    public long Hits
    {
        get
        {
            using RankedLock.Guard held = gate.Enter();
            long hits = hitsBefore;
            foreach (CachedRegion? region in index.Regions)
            {
                hits += region!.Hits;
            }

            return hits;
        }
    }

    /// <summary>How often one was registered.</summary>
    public long Misses { get; private set; }

    /// <summary>How many regions an invalidation has ended.</summary>
    public long Invalidations { get; private set; }

    /// <summary>How many regions may be found.</summary>
    public int Count
    {
        get
        {
            using RankedLock.Guard held = gate.Enter();
            return index.Count - forgotten.Count;
        }
    }

    internal bool IgnoresInvalidations { get; set; }

    /// <summary>Finds a region for memory, or registers one of its whole pages.</summary>
    /// <param name="start">The first address.</param>
    /// <param name="length">How many bytes; not zero.</param>
    /// <param name="lease">A use of the region; null when refused. The caller disposes it.</param>
    /// <returns>Ok; ENODEV: the cache is closed; EINVAL: no bytes; and what <see cref="ProtectionDomain.TryRegister"/> refuses with.</returns>
    public Errno TryGet(VirtAddr start, ByteCount length, out CachedRegion? lease)
    {
        lease = null;
        if (!VirtRange.TryCreate(start, length, out VirtRange wanted) || length.IsZero)
        {
            return Errno.EINVAL;
        }

        if (Volatile.Read(ref forgottenCount) != 0)
        {
            Reap();
        }

        lease = index.TryUse(wanted);
        return lease is not null ? Errno.Ok : TryFindOrAdd(wanted, out lease);
    }

    /// <summary>Lets every region go that nobody uses; the others when their users do.</summary>
    public void Dispose()
    {
        using (gate.Enter())
        {
            isClosed = true;
            foreach (CachedRegion? region in index.Regions)
            {
                if (!region!.IsForgotten)
                {
                    ForgetLocked(region);
                }
            }
        }

        Reap();
    }

    internal bool OnInvalidate(CachedRegion region, IntervalNotifier notifier, in NotifierRange range, NotifierSequence sequence)
    {
        RankedLock.Guard guard = default;
        if (range.CanBlock)
        {
            guard = gate.Enter();
        }
        else if (!gate.TryEnter(out guard))
        {
            return false;
        }

        using (guard)
        {
            notifier.SetSequence(sequence);
            if (!IgnoresInvalidations && region.IsListed && !region.IsForgotten)
            {
                ForgetLocked(region);
                Invalidations++;
            }

            return true;
        }
    }

    // Whoever changes the index meanwhile may have hidden what is there.
    private Errno TryFindOrAdd(VirtRange wanted, out CachedRegion? lease)
    {
        using (gate.Enter())
        {
            if (isClosed)
            {
                lease = null;
                return Errno.ENODEV;
            }

            lease = index.TryUse(wanted);
            if (lease is not null)
            {
                return Errno.Ok;
            }
        }

        return TryAdd(wanted, out lease);
    }

    // What is registered while its range is changed is stale at birth: its user gets it, and nobody else finds it.
    private Errno TryAdd(VirtRange wanted, out CachedRegion? lease)
    {
        lease = null;
        VirtAddr first = wanted.Start.AlignDown(PageSize.Small);
        if (!PinnedBacking.TryFindPages(wanted.Start, wanted.Length, out PageCount count))
        {
            return Errno.EINVAL;
        }

        var pages = new VirtRange(first, count.ToBytes());
        var made = new CachedRegion(this, pages);
        Errno errno = domain.Context.Space.Notifiers.TryInsert(pages.Start, pages.Length, made, out IntervalNotifier? notifier);
        if (!errno.IsOk)
        {
            return errno;
        }

        // What is changed from here on shows in the sequence; what is being changed now is waited for.
        made.Notifier = notifier!;
        NotifierSequence moment = notifier!.ReadBegin();
        errno = domain.TryRegister(pages.Start, pages.Length, access, out MemoryRegion? region);
        if (!errno.IsOk)
        {
            notifier.Dispose();
            return errno;
        }

        made.Region = region!;
        using (gate.Enter())
        {
            Misses++;
            if (!notifier.IsRetryNeeded(moment) && !isClosed && !index.Overlaps(pages))
            {
                made.AddUser();
                made.IsListed = true;
                index.Add(made);
            }
        }

        lease = made;
        return Errno.Ok;
    }

    private void ForgetLocked(CachedRegion region)
    {
        region.Forget();
        forgotten.Add(region);
        Volatile.Write(ref forgottenCount, forgotten.Count);
    }

    // The cache's own use of each that is forgotten ends here, outside of the invalidation, which its subscription's end waits for.
    private void Reap()
    {
        CachedRegion[] all;
        using (gate.Enter())
        {
            index.RemoveForgotten();
            all = [.. forgotten];
            forgotten.Clear();
            Volatile.Write(ref forgottenCount, 0);
            foreach (CachedRegion region in all)
            {
                hitsBefore += region.Hits;
            }
        }

        foreach (CachedRegion region in all)
        {
            region.DropUser();
        }
    }
}
