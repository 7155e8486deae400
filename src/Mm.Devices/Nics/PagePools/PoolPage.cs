using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.Dma;
using Mm.Core.Frames;
using Mm.Core.Native;
using Mm.Core.PhysRanges;

namespace Mm.Devices.Nics.PagePools;

/// <summary>A page of a page pool, and its DMA mapping, which lasts as long as it is in the pool.</summary>
/// <remarks>
/// Owns the pool's reference of the page and the mapping.
/// <para><b>Linux:</b> struct page with pp_magic set (v6.12).</para>
/// <para><b>Invariants:</b> (1) it is unmapped once.</para>
/// <para><b>Locking:</b> safe from any thread: a lock of its own around the mapping.</para>
/// </remarks>
public sealed class PoolPage : PoolBuffer
{
    private readonly Lock gate = new();
    private readonly Machine machine;
    private DmaMapping? mapping; // protected by gate
    private PhysRangeList? list; // protected by gate; what is mapped
    private RegionMemory? bytes; // protected by gate; opened when first asked for

    internal PoolPage(Machine machine, PageRef reference)
    {
        this.machine = machine;
        Reference = reference;
    }

    /// <summary>The first frame.</summary>
    public Pfn Page => Reference.Page;

    /// <summary>All its addresses.</summary>
    public PhysRange Range => Reference.Frames.ToPhysRange();

    /// <summary>Whether it is mapped.</summary>
    public bool IsMapped
    {
        get
        {
            lock (gate)
            {
                return mapping is not null;
            }
        }
    }

    /// <summary>The pool's own reference.</summary>
    internal PageRef Reference { get; }

    internal override bool IsRecyclable => Reference.IsOnlyReference;

    /// <summary>Where the device finds it.</summary>
    /// <param name="address">The DMA address of its first byte; 0 when it is not mapped.</param>
    /// <returns>Whether it is mapped.</returns>
    public bool TryGetAddress(out DmaAddr address)
    {
        lock (gate)
        {
            address = mapping is null ? default : mapping.Segments[0].Address;
            return mapping is not null;
        }
    }

    /// <summary>Takes another reference, which keeps the page when the pool lets it go.</summary>
    /// <param name="reference">The reference.</param>
    /// <returns><see cref="Errno.ENOMEM"/>: the count would pass its bound.</returns>
    public Errno TryAddReference(out PageRef reference) => Reference.TryAddReference(out reference);

    /// <summary>Gives bytes that the device wrote to the CPU.</summary>
    /// <param name="offset">Where they begin.</param>
    /// <param name="length">How many.</param>
    /// <remarks><b>Linux:</b> page_pool_dma_sync_for_cpu (v6.12); nothing is done for a page that is not mapped.</remarks>
    public void SyncForCpu(ByteCount offset, ByteCount length) => Sync(offset, length, isForDevice: false);

    internal void SyncForDevice(ByteCount offset, ByteCount length) => Sync(offset, length, isForDevice: true);

    internal Errno TryMap(DmaDevice device, DmaDirection direction)
    {
        var builder = new PhysRangeListBuilder(machine.RangeOwners);
        Errno errno = builder.TryAppend(Range);
        if (!errno.IsOk)
        {
            return errno;
        }

        PhysRangeList ranges = builder.Build();
        errno = device.TryMap(ranges, direction, out DmaMapping? mapped);
        if (!errno.IsOk)
        {
            ranges.Dispose();
            return errno;
        }

        lock (gate)
        {
            (mapping, list) = (mapped, ranges);
        }

        return Errno.Ok;
    }

    /// <summary>Unmaps it, unless that was done before.</summary>
    internal void Unmap()
    {
        DmaMapping? mapped;
        PhysRangeList? ranges;
        lock (gate)
        {
            (mapped, ranges) = (mapping, list);
            (mapping, list) = (null, null);
        }

        mapped?.Dispose();
        ranges?.Dispose();
    }

    /// <summary>Its bytes as memory, opened once for its life in the pool.</summary>
    internal Memory<byte> OpenMemory()
    {
        lock (gate)
        {
            if (bytes is null)
            {
                Errno errno = machine.TryOpenMemory(Range, out bytes);
                Check.That(errno.IsOk, $"page pool: {Range} is RAM; {errno}");
            }

            return bytes!.Memory;
        }
    }

    /// <summary>It leaves the pool: who still has its bytes as memory finds them closed.</summary>
    internal void CloseMemory()
    {
        lock (gate)
        {
            ((IDisposable?)bytes)?.Dispose();
            bytes = null;
        }
    }

    private void Sync(ByteCount offset, ByteCount length, bool isForDevice)
    {
        lock (gate)
        {
            if (mapping is null || length.IsZero)
            {
                return;
            }

            DmaAddr address = mapping.Segments[0].Address.AddChecked(offset);
            if (isForDevice)
            {
                mapping.SyncForDevice(address, length);
            }
            else
            {
                mapping.SyncForCpu(address, length);
            }
        }
    }
}
