using Mm.Core;
using Mm.Core.Dma;
using Mm.Devices.Nics.PagePools;

namespace Mm.Devices.Nics.Queues;

/// <summary>What a queue needs to run: a pool for payload, one for headers, and the buffers that wait for packets.</summary>
/// <remarks>
/// Owns both pools and the buffers in the ring. A queue that is restarted gets new memory before it loses the old.
/// <para><b>Linux:</b> what ndo_queue_mem_alloc fills and ndo_queue_mem_free gives back (v6.12).</para>
/// <para><b>Locking:</b> the queue's gate, once it is the queue's.</para>
/// </remarks>
internal sealed class QueueMemory : IDisposable
{
    private const int HeaderRoom = 256; // header, and what lands behind it

    private readonly Queue<PoolLease> posted = new();
    private readonly QueueOptions options;

    private QueueMemory(QueueOptions options, IQueueProvider? provider)
    {
        this.options = options;
        Provider = provider;
    }

    internal NapiContext Napi { get; } = new();

    internal IQueueProvider? Provider { get; }

    /// <summary>The pool of payload.</summary>
    internal PagePool Pool { get; private set; } = null!;

    /// <summary>The pool of headers; null where they are not split off.</summary>
    internal PagePool? Headers { get; private set; }

    internal QueueOptions Options => options;

    internal int PostedCount => posted.Count;

    /// <summary>Makes both pools and fills the ring, as far as there are buffers.</summary>
    /// <returns>EINVAL: a provider, and headers are not split off; what making a pool is refused with.</returns>
    internal static Errno TryCreate(
        Machine machine, DmaDevice device, QueueOptions options, IQueueProvider? provider, out QueueMemory? memory)
    {
        memory = null;
        if (provider is not null && !options.SplitsHeaders)
        {
            return Errno.EINVAL;
        }

        IQueueProvider? used = options.UsesProviders ? provider : null;
        var made = new QueueMemory(options, used);
        Errno errno = made.TryMakePools(machine, device);
        if (!errno.IsOk)
        {
            made.Dispose();
            return errno;
        }

        using (made.Napi.Enter())
        {
            _ = made.Fill();
        }

        memory = made;
        return Errno.Ok;
    }

    /// <summary>Fills the ring; in its NAPI context.</summary>
    /// <returns>Whether it is full.</returns>
    internal bool Fill()
    {
        while (posted.Count < options.RingEntries)
        {
            if (!Pool.TryAllocate(out PoolLease lease).IsOk)
            {
                return false;
            }

            posted.Enqueue(lease);
        }

        return true;
    }

    internal bool TryPeek(out PoolLease lease) => posted.TryPeek(out lease);

    internal void Take() => posted.Dequeue();

    /// <summary>How many bytes one read can fill from the next buffer on: neighbours of bound memory are filled at one go.</summary>
    internal int CountRun(int start, int atMost)
    {
        int room = 0;
        DmaAddr next = default;
        foreach (PoolLease lease in posted)
        {
            bool isNeighbour = room == 0 || (lease.Memory.IsNetIov && AddressOf(lease, 0) == next);
            if (room >= atMost || !isNeighbour)
            {
                break;
            }

            int length = (int)lease.Length.Value;
            room += room == 0 ? length - start : length;
            next = AddressOf(lease, length);
        }

        return room;
    }

    /// <summary>Takes a buffer for a header; in its NAPI context.</summary>
    internal Errno TryTakeHeader(out PoolLease lease)
    {
        lease = default;
        return Headers is null ? Errno.Ok : Headers.TryAllocateFragment(new ByteCount(HeaderRoom), out lease);
    }

    /// <summary>Where the device finds a buffer.</summary>
    internal static DmaAddr AddressOf(PoolLease lease, int at)
    {
        DmaAddr start = default;
        if (lease.Memory.TryGetNetIov(out NetIov? memory))
        {
            start = memory.Address;
        }
        else if (lease.Memory.TryGetPage(out PoolPage? page))
        {
            _ = page.TryGetAddress(out start);
        }

        return start.AddWrapping(lease.Offset).AddWrapping(new ByteCount((ulong)at));
    }

    /// <summary>Gives everything back; what users have comes back when it comes.</summary>
    public void Dispose()
    {
        while (posted.TryDequeue(out PoolLease lease))
        {
            lease.Dispose();
        }

        Headers?.Dispose();
        Pool?.Dispose();
    }

    private Errno TryMakePools(Machine machine, DmaDevice device)
    {
        var common = new PagePoolOptions { Device = device, Direction = DmaDirection.FromDevice, Napi = Napi };
        Errno errno = PagePool.TryCreate(
            machine,
            common with
            {
                Order = options.Order,
                SyncsForDevice = true,
                MaxLength = PageCount.OfOrder(options.Order).ToBytes(),
                RingSize = Math.Max(options.RingEntries, 64),
                Provider = Provider,
            },
            out PagePool? pool);
        if (!errno.IsOk)
        {
            return errno;
        }

        Pool = pool!;
        if (options.SplitsHeaders)
        {
            // Coherent memory, as drivers take it for headers: nothing of it is synced.
            errno = PagePool.TryCreate(machine, common, out PagePool? headers);
            Headers = headers;
        }

        return errno;
    }
}
