using Mm.Core;
using Mm.Core.Native;
using Mm.DmaBuf.Reservations;

namespace Mm.DmaBuf.Buffers;

/// <summary>Pages of a buffer as a process has them mapped: found anew at each access, so that a move does not matter.</summary>
/// <remarks>
/// Holds a handle of the buffer, and no page.
/// <para><b>Linux:</b> an area made by dma_buf_mmap, whose faults insert frame numbers (v6.12); without the page table.</para>
/// <para><b>Locking:</b> safe from any thread; enters the buffer's reservation.</para>
/// </remarks>
public sealed class BufferCpuMap : IDisposable
{
    private readonly BufferHandle handle;

    internal BufferCpuMap(BufferHandle handle, PageCount first, PageCount count)
    {
        this.handle = handle;
        First = first;
        Count = count;
    }

    /// <summary>The first page of the buffer that is mapped.</summary>
    public PageCount First { get; }

    /// <summary>How many pages are mapped.</summary>
    public PageCount Count { get; }

    /// <summary>Finds a page, as a fault does.</summary>
    /// <param name="index">Which page of the map.</param>
    /// <param name="frame">Its frame; 0 when refused.</param>
    /// <returns>Ok; EFAULT, where a process gets SIGBUS: the page is not in the map, or the memory is taken away.</returns>
    /// <exception cref="ObjectDisposedException">The map has ended.</exception>
    public Errno TryFault(PageCount index, out Pfn frame)
    {
        using ReservationLock held = handle.Buffer.Reservation.LockOrGoOn();
        return TryFind(held, index, out frame);
    }

    /// <summary>The CPU reads.</summary>
    /// <param name="offset">Where in the map.</param>
    /// <param name="into">Where to.</param>
    /// <returns>Ok; EFAULT: as <see cref="TryFault"/>; bytes before the fault were read.</returns>
    /// <exception cref="ObjectDisposedException">The map has ended.</exception>
    public Errno TryRead(ByteCount offset, Span<byte> into)
    {
        for (int done = 0; done < into.Length;)
        {
            // Held until the bytes are out: a move that comes in between would leave them behind.
            using ReservationLock held = handle.Buffer.Reservation.LockOrGoOn();
            Errno errno = TryLease(held, offset, done, into.Length, out SpanLease lease);
            if (!errno.IsOk)
            {
                return errno;
            }

            using (lease)
            {
                lease.Bytes.CopyTo(into[done..]);
                done += lease.Bytes.Length;
            }
        }

        return Errno.Ok;
    }

    /// <summary>The CPU writes.</summary>
    /// <param name="offset">Where in the map.</param>
    /// <param name="from">What.</param>
    /// <returns>Ok; EFAULT: as <see cref="TryFault"/>; bytes before the fault were written.</returns>
    /// <exception cref="ObjectDisposedException">The map has ended.</exception>
    public Errno TryWrite(ByteCount offset, ReadOnlySpan<byte> from)
    {
        for (int done = 0; done < from.Length;)
        {
            // Held until the bytes are in: a move that comes in between would leave them behind.
            using ReservationLock held = handle.Buffer.Reservation.LockOrGoOn();
            Errno errno = TryLease(held, offset, done, from.Length, out SpanLease lease);
            if (!errno.IsOk)
            {
                return errno;
            }

            using (lease)
            {
                from.Slice(done, lease.Bytes.Length).CopyTo(lease.Bytes);
                done += lease.Bytes.Length;
            }
        }

        return Errno.Ok;
    }

    /// <summary>Ends the map.</summary>
    public void Dispose() => handle.Dispose();

    private Errno TryFind(ReservationLock held, PageCount index, out Pfn frame)
    {
        frame = default;
        if (index >= Count)
        {
            return Errno.EFAULT;
        }

        Span<Pfn> one = [default];
        Errno errno = handle.Buffer.TryGetFrames(held, new PageCount(First.Value + index.Value), one);
        frame = one[0];
        return errno.IsOk ? Errno.Ok : Errno.EFAULT;
    }

    private Errno TryLease(ReservationLock held, ByteCount offset, int done, int length, out SpanLease lease)
    {
        lease = default;
        ulong at = checked(offset.Value + (ulong)done);
        Errno errno = TryFind(held, new ByteCount(at).ToPagesRoundDown(), out Pfn frame);
        if (!errno.IsOk)
        {
            return errno;
        }

        ulong inPage = at % PageSize.Small.Bytes.Value;
        ulong size = Math.Min((ulong)(length - done), PageSize.Small.Bytes.Value - inPage);
        var range = new PhysRange(frame.Address.AddChecked(new ByteCount(inPage)), new ByteCount(size));
        return handle.Buffer.Registry.Machine.TryLease(range, out lease).IsOk ? Errno.Ok : Errno.EFAULT;
    }
}
