using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.Locking;

namespace Mm.Devices.Nics.PagePools;

/// <content>The way back, and the end.</content>
public sealed partial class PagePool
{
    private readonly RankedLock gate = new(LockRank.Leaf);
    private readonly Netmem[] ring; // protected by gate
    private readonly HashSet<PoolPage> mapped = []; // protected by gate; what destroy must unmap
    private int ringFirst; // protected by gate
    private int ringCount; // protected by gate
    private bool isDestroyed; // set under gate; read without, as a hint that gate confirms
    private int isFreed; // atomic: 0 → 1 once
    private uint released; // atomic
    private long fast; // the consumer's, as the next seven
    private long slow;
    private long slowHighOrder;
    private long empty;
    private long refill;
    private long waive;
    private long cached;
    private long cacheFull;
    private long ringed; // protected by gate, as the next
    private long ringFull;
    private long releasedReferenced; // atomic

    /// <summary>Whether it is destroyed: it gives out nothing more.</summary>
    public bool IsDestroyed => Volatile.Read(ref isDestroyed);

    /// <summary>Whether it is destroyed and its last page is back.</summary>
    public bool IsFreed => Volatile.Read(ref isFreed) != 0;

    private bool IsInNapi => Volatile.Read(ref napi) is { IsCurrent: true };

    /// <summary>What it has done.</summary>
    public PagePoolStatistics Statistics => new(
        fast, slow, slowHighOrder, empty, refill, waive,
        Interlocked.Read(ref cached), Interlocked.Read(ref cacheFull), Interlocked.Read(ref ringed),
        Interlocked.Read(ref ringFull), Interlocked.Read(ref releasedReferenced));

    /// <summary>Gives many buffers back at once.</summary>
    /// <param name="leases">The buffers; empty ones are passed over.</param>
    /// <exception cref="ObjectDisposedException">One was given back before; those before it are back.</exception>
    /// <remarks><b>Linux:</b> page_pool_put_page_bulk (v6.12).</remarks>
    public static void PutMany(ReadOnlySpan<PoolLease> leases)
    {
        PagePool? last = null;
        bool isInside = false;
        foreach (PoolLease lease in leases)
        {
            if (lease.Memory.Buffer is not { } buffer)
            {
                continue;
            }

            lease.ThrowIfStale();
            PagePool pool = buffer.Pool!;
            isInside = pool == last ? isInside : pool.IsInNapi;
            last = pool;
            if (buffer.Unreference(1) == 0)
            {
                pool.PutWhole(buffer, ByteCount.MaxValue, isInside);
            }
        }
    }

    /// <summary>Destroys it: mappings go at once, pages that users have come back when they come. Twice does nothing.</summary>
    /// <exception cref="InvalidOperationException">A thread is in the NAPI context: stop the queue first.</exception>
    /// <remarks><b>Linux:</b> page_pool_destroy (v6.12).</remarks>
    public void Dispose()
    {
        if (IsDestroyed)
        {
            return;
        }

        ThrowIfNapiRuns();
        PoolPage[] toUnmap;
        lock (consumer)
        {
            UnlinkNapi();
            FreeFragmented();
            EmptyCache();
            using RankedLock.Guard entered = gate.Enter();
            Volatile.Write(ref isDestroyed, true);
            toUnmap = [.. mapped];
            mapped.Clear();
        }

        UnmapAll(toUnmap);
        while (TryConsume(out PoolBuffer? buffer))
        {
            LetGo(buffer!);
        }

        FreeIfEmpty();
    }

    /// <summary>Recounts it. Wants it at rest.</summary>
    /// <exception cref="MmBugException">Something does not add up: a bug in Mm.</exception>
    public void Validate()
    {
        using (gate.Enter())
        {
            Check.That(InFlight >= cacheCount + ringCount, $"page pool invariant 1: {InFlight} in flight, {cacheCount + ringCount} here");
            Check.That(!isDestroyed || cacheCount + ringCount + mapped.Count == 0, "page pool invariant 3");
            foreach (PoolBuffer buffer in cache.Concat(ring).Select(static slot => slot.Buffer).OfType<PoolBuffer>())
            {
                Check.That(buffer.IsRecyclable, "page pool invariant 2: a page here has another reference");
            }
        }
    }

    internal void Put(PoolBuffer buffer, ByteCount written, int users = 1)
    {
        if (buffer.Unreference(users) == 0)
        {
            PutWhole(buffer, written, IsInNapi);
        }
    }

    private void PutWhole(PoolBuffer buffer, ByteCount written, bool isInside)
    {
        buffer.EndLeases();
        if (!buffer.IsRecyclable)
        {
            _ = Interlocked.Increment(ref releasedReferenced);
            LetGo(buffer);
            return;
        }

        SyncForDevice(buffer, written);
        if (isInside && TryCache(buffer))
        {
            return;
        }

        if (!TryProduce(buffer))
        {
            LetGo(buffer);
        }
    }

    private bool TryCache(PoolBuffer buffer)
    {
        if (cacheCount == CacheSize)
        {
            cacheFull++;
            return false;
        }

        cache[cacheCount++] = new Netmem(buffer);
        cached++;
        return true;
    }

    private bool TryProduce(PoolBuffer buffer)
    {
        using (gate.Enter())
        {
            if (isDestroyed)
            {
                return false;
            }

            if (ringCount == ring.Length)
            {
                ringFull++;
                return false;
            }

            int at = ringFirst + ringCount++;
            ring[at < ring.Length ? at : at - ring.Length] = new Netmem(buffer);
            ringed++;
            return true;
        }
    }

    private bool TryConsume(out PoolBuffer? buffer)
    {
        using (gate.Enter())
        {
            buffer = ringCount == 0 ? null : TakeFromRing();
            return buffer is not null;
        }
    }

    // Called with gate held.
    private PoolBuffer TakeFromRing()
    {
        ref Netmem slot = ref ring[ringFirst];
        PoolBuffer buffer = slot.Buffer!;
        slot = default;
        ringFirst = ringFirst + 1 < ring.Length ? ringFirst + 1 : 0;
        ringCount--;
        return buffer;
    }

    private void SyncForDevice(PoolBuffer buffer, ByteCount written)
    {
        if (Options.SyncsForDevice && !IsDestroyed && buffer is PoolPage page)
        {
            page.SyncForDevice(Options.Offset, written < Options.MaxLength ? written : Options.MaxLength);
        }
    }

    private void Track(PoolPage page)
    {
        using (gate.Enter())
        {
            _ = mapped.Add(page);
        }
    }

    // The buffer is the pool's no more: unmapped, counted, and the page put.
    private void LetGo(PoolBuffer buffer)
    {
        if (buffer is PoolPage page)
        {
            using (gate.Enter())
            {
                _ = mapped.Remove(page);
            }

            page.Unmap();
            page.CloseMemory();
            page.Pool = null;
            page.Reference.Dispose();
        }
        else if (buffer is NetIov memory)
        {
            memory.Pool = null;
            memory.Owner.Release(this, memory);
        }

        _ = Interlocked.Increment(ref released);
        if (IsDestroyed)
        {
            FreeIfEmpty();
        }
    }

    private void FreeIfEmpty()
    {
        Check.That(InFlight >= 0, $"page pool invariant 1: {InFlight} in flight");
        if (InFlight == 0 && Interlocked.Exchange(ref isFreed, 1) == 0)
        {
            Options.Provider?.End(this);
        }
    }

    private void EmptyCache()
    {
        while (cacheCount > 0)
        {
            LetGo(TakeCached());
        }
    }

    private PoolBuffer? DrainFragmented()
    {
        PoolBuffer buffer = fragmented!;
        if (buffer.Unreference(FragmentBias - fragmentUsers) > 0)
        {
            return null;
        }

        buffer.EndLeases();
        if (buffer.IsRecyclable)
        {
            SyncForDevice(buffer, ByteCount.MaxValue);
            return buffer;
        }

        LetGo(buffer);
        return null;
    }

    private void FreeFragmented()
    {
        PoolBuffer? buffer = fragmented;
        fragmented = null;
        if (buffer is not null && buffer.Unreference(FragmentBias - fragmentUsers) == 0)
        {
            buffer.EndLeases();
            LetGo(buffer);
        }
    }

    private void ThrowIfNapiRuns()
    {
        if (Volatile.Read(ref napi) is { IsEntered: true })
        {
            throw new InvalidOperationException("a pool is destroyed when no thread is in its NAPI context");
        }
    }
}
