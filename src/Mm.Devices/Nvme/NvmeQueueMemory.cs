using Mm.Core;
using Mm.Core.Dma;
using Mm.Core.Frames;
using Mm.Core.Native;
using Mm.Core.PhysRanges;
using Mm.P2pDma;
using Mm.P2pDma.Pools;

namespace Mm.Devices.Nvme;

/// <summary>Memory that host and controller both use for a long time: a queue, or a page of a list.</summary>
/// <remarks>
/// Owns the pages, of RAM or of the controller's own buffer, and their mapping for the controller.
/// <para><b>Linux:</b> dma_alloc_coherent, and the dma_pool of list pages (v6.12).</para>
/// <para><b>Locking:</b> the caller's.</para>
/// </remarks>
internal sealed class NvmeQueueMemory : IDisposable
{
    private readonly Machine machine;
    private readonly PageRef page; // empty where the memory is the controller's
    private readonly P2pMemory? peer;
    private readonly DmaMapping mapping;

    private NvmeQueueMemory(Machine machine, PhysRange range, PageRef page, P2pMemory? peer, DmaMapping mapping)
    {
        this.machine = machine;
        this.page = page;
        this.peer = peer;
        this.mapping = mapping;
        Range = range;
        Address = mapping.Segments[0].Address;
    }

    /// <summary>Where the host sees it.</summary>
    internal PhysRange Range { get; }

    /// <summary>Where the controller sees it.</summary>
    internal DmaAddr Address { get; }

    /// <summary>Whether it lies in the controller's own memory.</summary>
    internal bool IsInController => peer is not null;

    /// <summary>Takes pages of RAM.</summary>
    /// <returns>Ok; ENOMEM: no pages, or no memory to map them; ENODEV: the device is detached.</returns>
    internal static Errno TryTakeRam(PciSystem pci, DmaDevice device, int order, out NvmeQueueMemory? memory)
    {
        memory = null;
        AllocationRequest request = AllocationRequest.Kernel with { IsZeroed = true, Order = order };
        Errno errno = pci.Machine.Allocator.TryAllocate(request, out PageRef page);
        if (!errno.IsOk)
        {
            return errno;
        }

        var range = new PhysRange(page.Page.Address, PageCount.OfOrder(order).ToBytes());
        errno = TryMap(pci, device, range, out DmaMapping? mapping);
        if (!errno.IsOk)
        {
            page.Dispose();
            return errno;
        }

        memory = new NvmeQueueMemory(pci.Machine, range, page, peer: null, mapping!);
        return Errno.Ok;
    }

    /// <summary>Takes pages of the controller's own buffer.</summary>
    /// <returns>Ok; ENOMEM: the buffer is full, or no memory to map it; ENODEV: the buffer or the device is gone.</returns>
    internal static Errno TryTakeBuffer(
        PciSystem pci, DmaDevice device, P2pMemPool pool, ByteCount size, out NvmeQueueMemory? memory)
    {
        memory = null;
        Errno errno = pool.TryAllocate(size, out P2pMemory? peer);
        if (!errno.IsOk)
        {
            return errno;
        }

        errno = TryMap(pci, device, peer!.Range, out DmaMapping? mapping);
        if (!errno.IsOk)
        {
            peer.Dispose();
            return errno;
        }

        memory = new NvmeQueueMemory(pci.Machine, peer.Range, page: default, peer, mapping!);
        memory.Clear();
        return Errno.Ok;
    }

    /// <summary>Borrows bytes, as the host does.</summary>
    internal SpanLease Lease(ulong offset, int length) =>
        machine.Lease(Range.Slice(new ByteCount(offset), new ByteCount((ulong)length)));

    internal void Clear()
    {
        using SpanLease lease = machine.Lease(Range);
        lease.Bytes.Clear();
    }

    /// <summary>Unmaps it and gives it back.</summary>
    public void Dispose()
    {
        mapping.Dispose();
        page.Dispose();
        peer?.Dispose();
    }

    private static Errno TryMap(PciSystem pci, DmaDevice device, PhysRange range, out DmaMapping? mapping)
    {
        mapping = null;
        PhysRangeListBuilder builder = pci.CreateListBuilder();
        Errno errno = builder.TryAppend(range);
        return errno.IsOk ? device.TryMap(builder.Build(), DmaDirection.Bidirectional, out mapping) : errno;
    }
}
