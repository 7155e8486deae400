using Mm.Core;
using Mm.Core.Spaces;
using Mm.DmaBuf.Reservations;

namespace Mm.DmaBuf.Buffers;

/// <summary>A buffer in address spaces: entries for its pages, made when it is mapped or when they are touched.</summary>
/// <remarks>
/// Owns a hold on the buffer for each space that maps it. No page is counted: who moves the memory takes the entries away
/// first, with the reservation locked, so that faults wait for the new place.
/// <para><b>Linux:</b> dma_buf_mmap_internal, system_heap_mmap, udmabuf_vm_fault, ttm_bo_vm_fault (v6.12).</para>
/// <para><b>Invariants:</b> (1) a fault brings pages of the buffer alone: its offset lies below the size (museum 23).</para>
/// <para><b>Locking:</b> the space's lock first, then the reservation.</para>
/// </remarks>
internal sealed partial class BufferArea : IAreaOperations
{
    private readonly DmaBuffer buffer;

    /// <summary>Makes what processes map of a buffer.</summary>
    /// <param name="buffer">The buffer.</param>
    internal BufferArea(DmaBuffer buffer)
    {
        this.buffer = buffer;
        Backing = new AreaBacking(buffer.Traits.MapsAtOnce ? AreaKind.DeviceMemory : AreaKind.PfnMapped, this);
    }

    /// <summary>What processes map.</summary>
    internal AreaBacking Backing { get; }

    private PageCount Pages => buffer.Size.ToPagesRoundDown();

    /// <inheritdoc/>
    public Errno TryMap(AreaFilling filling)
    {
        Area area = filling.Area;
        if (!buffer.Traits.HasCpuMap || area.OffsetOf(area.End) > Pages)
        {
            return Errno.EINVAL;
        }

        if (!buffer.Traits.MapsAtOnce)
        {
            return area.Traits.IsShared ? Errno.Ok : Errno.EINVAL;
        }

        using ReservationLock held = buffer.Reservation.LockOrGoOn();
        return TryFill(held, filling);
    }

    /// <inheritdoc/>
    public FaultResult Fault(AreaFilling filling, AreaFault fault)
    {
        PageCount offset = fault.Offset;
        if (buffer.Traits.MapsAtOnce || offset.Value > Pages.Value || (offset == Pages && !FaultsReachBehindEnd))
        {
            return FaultResult.BusError;
        }

        using ReservationLock held = buffer.Reservation.LockOrGoOn();
        Errno errno = TryFind(held, offset, out Pfn frame);
        return errno.IsOk ? filling.InsertFrame(fault.Address, frame) : FaultResult.BusError;
    }

    /// <inheritdoc/>
    public void Opened(AddressSpace space) => _ = buffer.Hold();

    /// <inheritdoc/>
    public void Closed(AddressSpace space) => buffer.Drop();

    // Page by page, as Linux does: a private mapping of more than one is refused for that.
    private Errno TryFill(ReservationLock held, AreaFilling filling)
    {
        for (ulong page = 0; page < filling.Area.Pages.Value; page++)
        {
            Errno errno = TryFind(held, new PageCount(filling.Area.Offset.Value + page), out Pfn frame);
            VirtAddr at = filling.Area.Start.AddChecked(new PageCount(page).ToBytes());
            errno = errno.IsOk ? filling.TryRemap(at, new PfnRange(frame, PageCount.One)) : errno;
            if (!errno.IsOk)
            {
                return errno;
            }
        }

        return Errno.Ok;
    }

    private Errno TryFind(ReservationLock held, PageCount offset, out Pfn frame)
    {
        bool isBehind = offset == Pages; // with the fault of the past: the page that lies behind the last one
        Span<Pfn> one = [default];
        Errno errno = buffer.TryGetFrames(held, isBehind ? new PageCount(offset.Value - 1) : offset, one);
        frame = isBehind ? new Pfn(one[0].Value + 1) : one[0];
        return errno;
    }
}
