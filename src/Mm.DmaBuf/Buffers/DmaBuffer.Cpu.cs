using Mm.Core;
using Mm.Core.Native;
using Mm.Core.PhysRanges;
using Mm.Core.Spaces;
using Mm.DmaBuf.Reservations;

namespace Mm.DmaBuf.Buffers;

/// <content>What CPUs do with a buffer: begin and end of accesses, maps of pages, the kernel's view.</content>
public sealed partial class DmaBuffer
{
    /// <summary>The kernel's own view of a buffer's memory, which no device is behind.</summary>
    internal static BufferClient Kernel => new(DeviceId.None, IsDynamic: true, IsPeerToPeer: true);

    /// <summary>Begins or ends an access by a CPU; a beginning waits for what devices do.</summary>
    /// <param name="flags">What it does, and whether it ends.</param>
    /// <param name="timeoutNs">How long a beginning waits at most, in nanoseconds of the machine's clock; 0 asks only.</param>
    /// <param name="cancellation">Interrupts the wait.</param>
    /// <returns>Ok; EINVAL: no access, unknown flags, or the exporter knows of no beginning; ENOMEM: no memory for the
    /// exporter's books; ETIME: time is over; EINTR: interrupted.</returns>
    /// <remarks><b>Linux:</b> DMA_BUF_IOCTL_SYNC, dma_buf_begin_cpu_access, dma_buf_end_cpu_access (v6.12).</remarks>
    public Errno TrySync(CpuAccessFlags flags, ulong timeoutNs, CancellationToken cancellation = default)
    {
        const CpuAccessFlags Both = CpuAccessFlags.Read | CpuAccessFlags.Write;
        if ((flags & ~(Both | CpuAccessFlags.End)) != CpuAccessFlags.None || (flags & Both) == CpuAccessFlags.None)
        {
            return Errno.EINVAL;
        }

        var access = (SyncAccess)(flags & Both);
        if ((flags & CpuAccessFlags.End) != CpuAccessFlags.None)
        {
            return Exporter.TryEndCpuAccess(access);
        }

        Errno errno = Exporter.TryBeginCpuAccess(access);
        FenceUsage usage = Reservation.UsageOf((access & SyncAccess.Write) != SyncAccess.None);
        return errno.IsOk ? Reservation.Wait(usage, timeoutNs, out _, cancellation) : errno;
    }

    /// <summary>Maps pages for a process.</summary>
    /// <param name="first">The first page.</param>
    /// <param name="count">How many.</param>
    /// <param name="map">The map, which finds the pages when they are touched; null when refused. The caller disposes it.</param>
    /// <returns>Ok; EINVAL: the buffer cannot be mapped, or not so many pages of it; EOVERFLOW: the pages wrap around.</returns>
    /// <remarks><b>Linux:</b> dma_buf_mmap (v6.12).</remarks>
    public Errno TryMapPages(PageCount first, PageCount count, out BufferCpuMap? map)
    {
        map = null;
        if (!Traits.HasCpuMap)
        {
            return Errno.EINVAL;
        }

        if (count.Value > ulong.MaxValue - first.Value)
        {
            return Errno.EOVERFLOW;
        }

        if (first.Value + count.Value > Size.ToPagesRoundDown().Value)
        {
            return Errno.EINVAL;
        }

        map = new BufferCpuMap(Hold(), first, count);
        return Errno.Ok;
    }

    /// <summary>Maps pages into an address space.</summary>
    /// <param name="space">The space.</param>
    /// <param name="first">The first page of the buffer.</param>
    /// <param name="count">How many.</param>
    /// <param name="access">What the process may do; its writes are everybody's.</param>
    /// <param name="placed">Where they came to lie.</param>
    /// <returns>Ok; EOVERFLOW: the pages wrap around; and as mapping <see cref="Backing"/>.</returns>
    /// <remarks><b>Linux:</b> dma_buf_mmap (v6.12).</remarks>
    public Errno TryMap(AddressSpace space, PageCount first, PageCount count, AreaAccess access, out VirtRange placed)
    {
        ArgumentNullException.ThrowIfNull(space);
        placed = default;
        if (count.Value > ulong.MaxValue - first.Value)
        {
            return Errno.EOVERFLOW;
        }

        bool isInside = first.Value + count.Value <= Size.ToPagesRoundDown().Value;
        return isInside
            ? space.TryMap(new AreaRequest(count.ToBytes(), Backing.Describe(access)) { Offset = first }, out placed)
            : Errno.EINVAL;
    }

    /// <summary>Takes the pages away from every process that maps them: their next touch finds the new place, or is a bus error.
    /// An exporter calls it when its memory moves, before it copies.</summary>
    /// <param name="held">The buffer's reservation, locked: faults wait for it.</param>
    /// <remarks><b>Linux:</b> unmap_mapping_range, as ttm_bo_unmap_virtual calls it (v6.12).</remarks>
    public void UnmapAreas(ReservationLock held)
    {
        held.RequireOf(Reservation);
        Backing.Unmap();
    }

    /// <summary>Finds the frames of pages as the memory lies now; a move ends the answer.</summary>
    /// <param name="held">The buffer's reservation, locked.</param>
    /// <param name="first">The first page.</param>
    /// <param name="frames">Where to put a frame for each page.</param>
    /// <returns>Ok; EINVAL: the buffer cannot be mapped; EFAULT: not all of the pages are in the buffer, or one is no whole
    /// frame; and what the exporter refuses with, ENODEV where the memory is taken away.</returns>
    public Errno TryGetFrames(ReservationLock held, PageCount first, Span<Pfn> frames)
    {
        if (!Traits.HasCpuMap)
        {
            return Errno.EINVAL;
        }

        ulong pages = Size.ToPagesRoundDown().Value;
        if (first.Value > pages || (ulong)frames.Length > pages - first.Value)
        {
            return Errno.EFAULT;
        }

        Errno errno = TryGetList(held, Kernel, out PhysRangeList? list);
        return errno.IsOk ? FindFrames(list!, first, frames) : errno;
    }

    /// <summary>Has the kernel see all bytes; memory that moves is pinned meanwhile.</summary>
    /// <param name="held">The buffer's reservation, locked.</param>
    /// <param name="view">The view; null when refused. The caller disposes it.</param>
    /// <returns>Ok; EINVAL: the buffer has no such view; ENOMEM: no memory for it; and what the exporter refuses with.</returns>
    /// <remarks><b>Linux:</b> dma_buf_vmap and dma_buf_vunmap (v6.12), as a lease.</remarks>
    public Errno TryView(ReservationLock held, out KernelView? view)
    {
        RequireQuiet(held);
        view = null;
        if (!Traits.HasKernelView)
        {
            return Errno.EINVAL;
        }

        Errno errno = TryPinInView(held, out PhysRangeList? list);
        view = errno.IsOk ? new KernelView(Hold(), list!) : null;
        return errno;
    }

    /// <summary>Puts the bytes into a file of the real system; memory that moves is pinned meanwhile.</summary>
    /// <param name="held">The buffer's reservation, locked.</param>
    /// <param name="file">The file; null when refused. The caller disposes it, and nobody writes the bytes while it opens or ends.</param>
    /// <returns>Ok; EINVAL: the buffer cannot be mapped, or is not of whole pages; and as
    /// <see cref="Machine.TryShareBytes"/>, which says EOPNOTSUPP where the system cannot.</returns>
    public Errno TryOpenHostFile(ReservationLock held, out HostFile? file)
    {
        RequireQuiet(held);
        file = null;
        if (!Traits.HasCpuMap)
        {
            return Errno.EINVAL;
        }

        Errno errno = TryPinInView(held, out PhysRangeList? list);
        if (!errno.IsOk)
        {
            return errno;
        }

        errno = Registry.Machine.TryShareBytes(list!.Ranges, out SharedBytes? bytes);
        if (!errno.IsOk)
        {
            EndView(held);
            return errno;
        }

        file = new HostFile(Hold(), bytes!);
        return Errno.Ok;
    }

    /// <summary>Where the bytes are now, for who only looks: good until the reservation is unlocked.</summary>
    /// <param name="held">The buffer's reservation, locked.</param>
    /// <param name="list">All bytes in order; null when refused. It stays the exporter's.</param>
    /// <returns>Ok; ENODEV: the memory is taken away.</returns>
    public Errno TryLocate(ReservationLock held, out PhysRangeList? list) => TryGetList(held, Kernel, out list);

    internal void EndView(ReservationLock held)
    {
        viewCount--;
        Unpin(held);
    }

    // Counted as a view, and pinned where the memory moves.
    private Errno TryPinInView(ReservationLock held, out PhysRangeList? list)
    {
        list = null;
        if (Registry.Machine.Faults.ShouldFail(FaultPoint.Slab))
        {
            return Errno.ENOMEM;
        }

        Errno errno = Traits.Moves ? Exporter.TryPin(held, Kernel) : Errno.Ok;
        if (!errno.IsOk)
        {
            return errno;
        }

        errno = TryGetList(held, Kernel, out list);
        if (!errno.IsOk)
        {
            Unpin(held);
            return errno;
        }

        viewCount++;
        return Errno.Ok;
    }

    private static Errno FindFrames(PhysRangeList list, PageCount first, Span<Pfn> frames)
    {
        for (int index = 0; index < frames.Length; index++)
        {
            ByteCount at = new PageCount(first.Value + (ulong)index).ToBytes();
            if (!list.TryFindByte(at, out PhysAddr address, out int range) || !address.IsAligned(PageSize.Small)
                || !list[range].Contains(new PhysRange(address, PageSize.Small.Bytes)))
            {
                return Errno.EFAULT;
            }

            frames[index] = new Pfn(address.Value >> PageSize.Small.Shift);
        }

        return Errno.Ok;
    }

    private void Unpin(ReservationLock held)
    {
        if (Traits.Moves)
        {
            Exporter.Unpin(held);
        }
    }
}
