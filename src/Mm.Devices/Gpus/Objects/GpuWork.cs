using Mm.Core;
using Mm.Core.Native;
using Mm.DmaBuf.Fences;
using Mm.DmaBuf.Reservations;

namespace Mm.Devices.Gpus.Objects;

/// <summary>Work of the GPU on one of its buffers, under way: while it lasts, the buffer stays where it is.</summary>
/// <remarks>
/// Owns the fence that the buffer's reservation has for it. Reset or removal of the GPU ends it with an error.
/// <para><b>Linux:</b> a job of drm_sched with its finished fence (v6.12).</para>
/// <para><b>States:</b> under way → done, by <see cref="Dispose"/> or by the GPU's end.</para>
/// <para><b>Locking:</b> safe from any thread; disposing it twice does nothing.</para>
/// </remarks>
public sealed class GpuWork : IDisposable
{
    private readonly Lock gate = new(); // an access of the GPU; whoever passes it has stopped the GPU
    private readonly GpuObject target;
    private bool isOver; // protected by gate

    internal GpuWork(GpuObject target, SyncAccess access, DmaFence fence)
    {
        this.target = target;
        Access = access;
        Fence = fence;
    }

    /// <summary>What it does.</summary>
    public SyncAccess Access { get; }

    /// <summary>Signals when it is done.</summary>
    public DmaFence Fence { get; }

    /// <summary>The GPU reads.</summary>
    /// <param name="offset">Where in the buffer.</param>
    /// <param name="into">Where to.</param>
    /// <returns>Ok; EFAULT: not all of it is in the buffer; EPERM: the work does not read; ECANCELED: the work is over;
    /// ENODEV: the GPU is gone.</returns>
    public Errno TryRead(ByteCount offset, Span<byte> into)
    {
        using Lock.Scope alone = gate.EnterScope();
        Errno errno = Check(SyncAccess.Read, offset, into.Length);
        for (int done = 0; done < into.Length && errno.IsOk;)
        {
            int inPage = Locate(offset, done, out PageCount page);
            errno = target.TryLeasePage(page, out SpanLease lease);
            using (lease)
            {
                ReadOnlySpan<byte> bytes = errno.IsOk ? lease.Bytes[inPage..] : default;
                bytes = bytes[..Math.Min(bytes.Length, into.Length - done)];
                bytes.CopyTo(into[done..]);
                done += bytes.Length;
            }
        }

        return errno;
    }

    /// <summary>The GPU writes.</summary>
    /// <param name="offset">Where in the buffer.</param>
    /// <param name="from">What.</param>
    /// <returns>As <see cref="TryRead"/>; EPERM: the work does not write.</returns>
    public Errno TryWrite(ByteCount offset, ReadOnlySpan<byte> from)
    {
        using Lock.Scope alone = gate.EnterScope();
        Errno errno = Check(SyncAccess.Write, offset, from.Length);
        for (int done = 0; done < from.Length && errno.IsOk;)
        {
            int inPage = Locate(offset, done, out PageCount page);
            errno = target.TryLeasePage(page, out SpanLease lease);
            using (lease)
            {
                Span<byte> bytes = errno.IsOk ? lease.Bytes[inPage..] : default;
                int length = Math.Min(bytes.Length, from.Length - done);
                from.Slice(done, length).CopyTo(bytes);
                done += length;
            }
        }

        return errno;
    }

    /// <summary>The work is done: whoever waits for its fence goes on.</summary>
    public void Dispose() => End(Errno.Ok);

    /// <summary>The GPU was reset or is gone: it touches the buffer no more.</summary>
    /// <param name="why">The fence's error.</param>
    internal void Fail(Errno why) => End(why);

    private void End(Errno why)
    {
        lock (gate)
        {
            isOver = true;
        }

        // EINVAL where it was ended before.
        _ = Fence.Signal(why);
        target.Forget(this);
    }

    private static int Locate(ByteCount offset, int done, out PageCount page)
    {
        ulong at = offset.Value + (ulong)done;
        page = new ByteCount(at).ToPagesRoundDown();
        return (int)(at % PageSize.Small.Bytes.Value);
    }

    private Errno Check(SyncAccess wanted, ByteCount offset, int length)
    {
        if (isOver)
        {
            Errno error = Fence.GetStatus().Error;
            return error.IsOk ? Errno.ECANCELED : error;
        }

        bool isInside = offset.TryAdd(new ByteCount((ulong)length), out ByteCount end) && end <= target.Size;
        return (Access & wanted) == SyncAccess.None ? Errno.EPERM : isInside ? Errno.Ok : Errno.EFAULT;
    }
}
