using Mm.Core;
using Mm.Core.Frames;

namespace Mm.Devices.Nics.PagePools;

/// <summary>Recycles the pages of a receive queue: mapped once, given out and taken back without the page allocator.</summary>
/// <remarks>
/// Owns every page from its allocation until it is let go, also while users have it: <see cref="InFlight"/>. A cache that
/// only the consumer touches comes before a ring that anybody fills.
/// <para><b>Linux:</b> struct page_pool (net/core/page_pool.c, v6.12, with the unmapping at destroy of 2025). Differences:
/// without a NAPI context a lock stands for the caller's promise to be alone; a page that comes back to a destroyed pool is
/// let go at once, so that nothing looks again every second; no page is marked as emergency memory.</para>
/// <para><b>States:</b> live → destroyed (<see cref="Dispose"/>) → freed, when the last page is back.</para>
/// <para><b>Invariants:</b> (1) in flight is what was held less what was released, modulo 2^32, and never negative; (2) a
/// page in cache or ring has one reference; (3) a destroyed pool has no mapping, no page in cache or ring.</para>
/// <para><b>Locking:</b> allocation by the thread in the NAPI context, or under a lock of its own; all else from any thread.</para>
/// </remarks>
public sealed partial class PagePool : IDisposable
{
    /// <summary>How many pages the cache holds. <b>Linux:</b> PP_ALLOC_CACHE_SIZE.</summary>
    public const int CacheSize = 128;

    /// <summary>How many pages the cache is refilled with. <b>Linux:</b> PP_ALLOC_CACHE_REFILL.</summary>
    public const int RefillSize = 64;

    private const int DefaultRing = 1024;
    private const int LargestRing = 16384;
    private const long FragmentBias = long.MaxValue >> 1;
    private const ulong FragmentAlignment = 8; // what a socket buffer's trailer asks for

    private readonly Lock consumer = new(); // the promise to be alone, where there is no NAPI context
    private readonly Netmem[] cache = new Netmem[CacheSize]; // the consumer's
    private int cacheCount; // the consumer's
    private uint held; // the consumer's
    private NodeId node; // the consumer's
    private PoolBuffer? fragmented; // the consumer's
    private long fragmentUsers; // the consumer's
    private ulong fragmentOffset; // the consumer's
    private NapiContext? napi; // set to null once, at destroy

    private PagePool(Machine machine, PagePoolOptions options, int ringSize)
    {
        Machine = machine;
        Options = options;
        node = options.Node;
        napi = options.Napi;
        ring = new Netmem[ringSize];
    }

    /// <summary>The machine.</summary>
    public Machine Machine { get; }

    /// <summary>What it was made for.</summary>
    public PagePoolOptions Options { get; }

    /// <summary>How many buffers the ring holds.</summary>
    public int RingCapacity => ring.Length;

    /// <summary>How many buffers users have, or the pool itself.</summary>
    /// <remarks><b>Linux:</b> page_pool_inflight (v6.12), which counts those in cache and ring, too.</remarks>
    public int InFlight => unchecked((int)(Volatile.Read(ref held) - Volatile.Read(ref released)));

    /// <summary>The bytes of one buffer.</summary>
    public ByteCount BufferLength => PageCount.OfOrder(Options.Order).ToBytes();

    /// <summary>Makes a pool.</summary>
    /// <param name="machine">The machine.</param>
    /// <param name="options">What it is for.</param>
    /// <param name="pool">The pool, or null when refused.</param>
    /// <returns>
    /// <see cref="Errno.EINVAL"/>: bytes would flow to the device alone; or pages are to be synced, and there is no device
    /// or no length.
    /// <see cref="Errno.EOPNOTSUPP"/>: a provider, without a device or without syncing.
    /// <see cref="Errno.ENOMEM"/>: a failure was planned at <see cref="FaultPoint.Slab"/>.
    /// <see cref="Errno.E2BIG"/>, or another: the provider refuses.
    /// </returns>
    /// <remarks><b>Linux:</b> page_pool_create (v6.12).</remarks>
    public static Errno TryCreate(Machine machine, PagePoolOptions options, out PagePool? pool)
    {
        ArgumentNullException.ThrowIfNull(machine);
        ArgumentNullException.ThrowIfNull(options);
        pool = null;
        bool isWrongWay = options.Device is not null && options.Direction == Core.Dma.DmaDirection.ToDevice;
        bool cannotSync = options.SyncsForDevice && (options.Device is null || options.MaxLength.IsZero);
        if (isWrongWay || cannotSync)
        {
            return Errno.EINVAL;
        }

        if (machine.Faults.ShouldFail(FaultPoint.Slab))
        {
            return Errno.ENOMEM;
        }

        int size = options.RingSize == 0 ? DefaultRing : Math.Min(options.RingSize, LargestRing);
        var candidate = new PagePool(machine, options, size);
        if (options.Provider is { } provider)
        {
            Errno errno = options.SyncsForDevice ? provider.TryBegin(candidate) : Errno.EOPNOTSUPP;
            if (!errno.IsOk)
            {
                return errno;
            }
        }

        pool = candidate;
        return Errno.Ok;
    }

    /// <summary>Takes a whole buffer.</summary>
    /// <param name="lease">The buffer, which the caller disposes; empty when refused.</param>
    /// <returns><see cref="Errno.ENOMEM"/>: there is no page, no I/O address for one, or the provider has nothing.</returns>
    /// <exception cref="InvalidOperationException">The pool has a NAPI context, and the thread is not in it.</exception>
    /// <exception cref="ObjectDisposedException">The pool is destroyed.</exception>
    public Errno TryAllocate(out PoolLease lease)
    {
        lease = default;
        using Consumer alone = EnterConsumer();
        PoolBuffer? buffer = Take();
        if (buffer is null)
        {
            return Errno.ENOMEM;
        }

        lease = new PoolLease(buffer, ByteCount.Zero, BufferLength);
        return Errno.Ok;
    }

    /// <summary>Takes many whole buffers at once: all of them, or none.</summary>
    /// <param name="leases">Where they go, which the caller disposes; all empty when refused.</param>
    /// <returns><see cref="Errno.ENOMEM"/>: as of <see cref="TryAllocate"/>, for any of them.</returns>
    /// <exception cref="InvalidOperationException">The pool has a NAPI context, and the thread is not in it.</exception>
    /// <exception cref="ObjectDisposedException">The pool is destroyed.</exception>
    /// <remarks><b>Linux:</b> page_pool_alloc_pages, called for each descriptor that a driver fills (v6.12).</remarks>
    public Errno TryAllocateMany(Span<PoolLease> leases)
    {
        int taken = 0;
        using (EnterConsumer())
        {
            while (taken < leases.Length && Take() is { } buffer)
            {
                leases[taken++] = new PoolLease(buffer, ByteCount.Zero, BufferLength);
            }
        }

        if (taken == leases.Length)
        {
            return Errno.Ok;
        }

        PutMany(leases[..taken]);
        leases.Clear();
        return Errno.ENOMEM;
    }

    /// <summary>Takes a part of a buffer that others have parts of, too.</summary>
    /// <param name="size">How many bytes; rounded up to 8.</param>
    /// <param name="lease">The part, which the caller disposes; empty when refused.</param>
    /// <returns><see cref="Errno.ENOMEM"/>: as of <see cref="TryAllocate"/>.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The size is zero or above <see cref="BufferLength"/>.</exception>
    /// <exception cref="InvalidOperationException">The pool has a NAPI context, and the thread is not in it.</exception>
    /// <exception cref="ObjectDisposedException">The pool is destroyed.</exception>
    /// <remarks><b>Linux:</b> page_pool_alloc_frag_netmem (v6.12).</remarks>
    public Errno TryAllocateFragment(ByteCount size, out PoolLease lease)
    {
        if (size.IsZero || size > BufferLength)
        {
            throw new ArgumentOutOfRangeException(nameof(size), size, $"size must be in [1 B, {BufferLength}]");
        }

        lease = default;
        ulong bytes = (size.Value + (FragmentAlignment - 1)) & ~(FragmentAlignment - 1);
        using Consumer alone = EnterConsumer();
        if (fragmented is not null && fragmentOffset + bytes > BufferLength.Value)
        {
            fragmented = DrainFragmented();
            if (fragmented is not null)
            {
                fast++;
                BeginFragments(fragmented);
            }
        }
        else if (fragmented is not null)
        {
            fast++;
        }

        if (fragmented is null)
        {
            fragmented = Take();
            if (fragmented is null)
            {
                return Errno.ENOMEM;
            }

            BeginFragments(fragmented);
        }

        lease = new PoolLease(fragmented, new ByteCount(fragmentOffset), new ByteCount(bytes));
        fragmentOffset += bytes;
        fragmentUsers++;
        return Errno.Ok;
    }

    /// <summary>Takes pages of another node from here on; those in the cache are let go.</summary>
    /// <param name="wanted">The node; no wish where none.</param>
    /// <remarks><b>Linux:</b> page_pool_update_nid (v6.12).</remarks>
    public void UpdateNode(NodeId wanted)
    {
        using Consumer alone = EnterConsumer();
        node = wanted;
        EmptyCache();
    }

    private static bool IsOnNode(Machine machine, PoolBuffer buffer, NodeId wanted) =>
        wanted == NodeId.None || buffer is not PoolPage page || machine.Frames.Describe(page.Page).Node == wanted;

    private void BeginFragments(PoolBuffer buffer)
    {
        buffer.Fragment(FragmentBias);
        (fragmentUsers, fragmentOffset) = (0, 0);
    }

    private PoolBuffer? Take()
    {
        if (cacheCount > 0)
        {
            fast++;
            return TakeCached();
        }

        return Refill() ?? (Options.Provider is null ? TakeNew() : TakeProvided());
    }

    private PoolBuffer TakeCached()
    {
        ref Netmem slot = ref cache[--cacheCount];
        PoolBuffer buffer = slot.Buffer!;
        slot = default;
        return buffer;
    }

    // A page of another node ends the refill: one such page a time is let go.
    private PoolBuffer? Refill()
    {
        PoolBuffer? stranger = null;
        using (gate.Enter())
        {
            if (ringCount == 0)
            {
                empty++;
                return null;
            }

            while (ringCount > 0 && cacheCount < RefillSize && stranger is null)
            {
                PoolBuffer buffer = TakeFromRing();
                if (IsOnNode(Machine, buffer, node))
                {
                    cache[cacheCount++] = new Netmem(buffer);
                }
                else
                {
                    stranger = buffer;
                }
            }
        }

        if (stranger is not null)
        {
            LetGo(stranger);
            waive++;
        }

        if (cacheCount == 0)
        {
            return null;
        }

        refill++;
        return TakeCached();
    }

    private PoolBuffer? TakeNew()
    {
        int wanted = Options.Order == 0 ? RefillSize : 1;
        AllocationRequest request = AllocationRequest.Kernel with { Order = Options.Order, Node = node };
        while (cacheCount < wanted && Machine.Allocator.TryAllocate(request, out PageRef reference).IsOk)
        {
            var page = new PoolPage(Machine, reference) { Pool = this };
            if (Options.Device is { } device && !page.TryMap(device, Options.Direction).IsOk)
            {
                reference.Dispose();
                break;
            }

            Hold(page);
            cache[cacheCount++] = new Netmem(page);
        }

        if (cacheCount == 0)
        {
            return null;
        }

        slow += Options.Order == 0 ? 1 : 0;
        slowHighOrder += Options.Order == 0 ? 0 : 1;
        return TakeCached();
    }

    private PoolBuffer? TakeProvided()
    {
        Options.Provider!.Collect(this);
        if (cacheCount > 0)
        {
            return TakeCached();
        }

        if (Volatile.Read(ref ringCount) > 0 && Refill() is { } returned)
        {
            return returned; // without a NAPI context they went into the ring
        }

        if (!Options.Provider.TryAllocate(this, out NetIov? memory).IsOk)
        {
            return null;
        }

        memory!.Pool = this;
        Volatile.Write(ref held, unchecked(held + 1)); // counts modulo 2^32, as their difference does
        return memory;
    }

    private void Hold(PoolPage page)
    {
        Volatile.Write(ref held, unchecked(held + 1)); // counts modulo 2^32, as their difference does
        if (Options.Device is not null)
        {
            Track(page);
            SyncForDevice(page, Options.MaxLength);
        }
    }

    private Consumer EnterConsumer()
    {
        NapiContext? context = Volatile.Read(ref napi);
        if (context is not null && !context.IsCurrent)
        {
            throw new InvalidOperationException("the pool's buffers are taken in its NAPI context alone");
        }

        var alone = new Consumer(context is null ? consumer : null);
        if (IsDestroyed)
        {
            alone.Dispose();
            ObjectDisposedException.ThrowIf(true, this); // while it waited for the others
        }

        return alone;
    }

    private readonly ref struct Consumer
    {
        private readonly Lock? taken;

        public Consumer(Lock? taken)
        {
            this.taken = taken;
            taken?.Enter();
        }

        public void Dispose() => taken?.Exit();
    }
}
