using Mm.Core;
using Mm.Core.Native;
using Mm.Core.PhysRanges;
using Mm.DmaBuf.Reservations;

namespace Mm.DmaBuf.Buffers;

/// <summary>All bytes of a buffer in the kernel's view, until it is disposed.</summary>
/// <remarks>
/// Holds a handle of the buffer, and a pin where the memory moves. Views are counted: each is a lease of its own.
/// <para><b>Linux:</b> struct iosys_map between dma_buf_vmap and dma_buf_vunmap (v6.12).</para>
/// <para><b>Locking:</b> safe from any thread; disposing enters the reservation unless the thread has it locked.</para>
/// </remarks>
public sealed class KernelView : IDisposable
{
    private readonly BufferHandle handle;
    private readonly PhysRangeList list;
    private int isDisposed; // atomic

    internal KernelView(BufferHandle handle, PhysRangeList list)
    {
        this.handle = handle;
        this.list = list;
    }

    /// <summary>Reads bytes.</summary>
    /// <param name="offset">Where in the buffer.</param>
    /// <param name="into">Where to.</param>
    /// <returns>Ok; EFAULT: not all of it is in the buffer, or the memory was taken away; ENXIO: no CPU reaches it.</returns>
    /// <exception cref="ObjectDisposedException">The view has ended.</exception>
    public Errno TryRead(ByteCount offset, Span<byte> into)
    {
        for (int done = 0; done < into.Length;)
        {
            Errno errno = TryLease(offset, done, into.Length, out SpanLease lease);
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

    /// <summary>Writes bytes.</summary>
    /// <param name="offset">Where in the buffer.</param>
    /// <param name="from">What.</param>
    /// <returns>As <see cref="TryRead"/>.</returns>
    /// <exception cref="ObjectDisposedException">The view has ended.</exception>
    public Errno TryWrite(ByteCount offset, ReadOnlySpan<byte> from)
    {
        for (int done = 0; done < from.Length;)
        {
            Errno errno = TryLease(offset, done, from.Length, out SpanLease lease);
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

    /// <summary>Ends the view. Twice does nothing.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref isDisposed, 1) != 0)
        {
            return;
        }

        DmaBuffer buffer = handle.Buffer;
        using (ReservationLock held = buffer.Reservation.LockOrGoOn())
        {
            buffer.EndView(held);
        }

        handle.Dispose();
    }

    private Errno TryLease(ByteCount offset, int done, int length, out SpanLease lease)
    {
        ObjectDisposedException.ThrowIf(Volatile.Read(ref isDisposed) != 0, this);
        lease = default;
        ulong at = checked(offset.Value + (ulong)done);
        if (!list.IsValid || !list.TryFindByte(new ByteCount(at), out PhysAddr address, out int index))
        {
            return Errno.EFAULT;
        }

        PhysRange whole = list[index];
        ulong left = whole.Length.Value - (address.Value - whole.Start.Value);
        var part = new PhysRange(address, new ByteCount(Math.Min(left, (ulong)(length - done))));
        return handle.Buffer.Registry.Machine.TryLease(part, out lease);
    }
}
