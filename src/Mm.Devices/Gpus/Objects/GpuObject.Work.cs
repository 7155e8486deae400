using Mm.Core;
using Mm.DmaBuf.Fences;
using Mm.DmaBuf.Reservations;

namespace Mm.Devices.Gpus.Objects;

/// <content>What the GPU does with it.</content>
public sealed partial class GpuObject
{
    private readonly Lock worksGate = new();
    private readonly HashSet<GpuWork> works = []; // protected by worksGate

    /// <summary>The GPU begins to work on it, where the program prefers it to lie if it can be brought there now.</summary>
    /// <param name="access">What the GPU will do.</param>
    /// <param name="work">The work; null when refused. The caller disposes it when it is done.</param>
    /// <param name="timeoutNs">How long to wait for what others do with the buffer, in nanoseconds of the machine's clock.</param>
    /// <returns>Ok; EINVAL: no access, or an unknown one; ENODEV: the GPU is gone; ETIME: others have not ended; ENOMEM: no
    /// memory for the books.</returns>
    /// <remarks><b>Linux:</b> amdgpu_cs_ioctl with ttm_bo_validate (v6.12).</remarks>
    /// <exception cref="ObjectDisposedException">The program closed it.</exception>
    public Errno TryBeginWork(SyncAccess access, out GpuWork? work, ulong timeoutNs = ulong.MaxValue)
    {
        ObjectDisposedException.ThrowIf(Volatile.Read(ref isClosed) != 0, this);
        work = null;
        if (access is not (SyncAccess.Read or SyncAccess.Write or (SyncAccess.Read | SyncAccess.Write)))
        {
            return Errno.EINVAL;
        }

        if (parts.Machine.Faults.ShouldFail(FaultPoint.Slab))
        {
            return Errno.ENOMEM;
        }

        BringWherePreferred();
        using ReservationLock held = Reservation.Lock();
        bool isWrite = (access & SyncAccess.Write) != SyncAccess.None;
        Errno errno = isGone ? Errno.ENODEV : Reservation.Wait(Reservation.UsageOf(isWrite), timeoutNs, out _);
        if (!errno.IsOk)
        {
            return errno;
        }

        var fence = new DmaFence(Reservation.Contexts, Reservation.Contexts.Next(), seqno: 1);
        held.TryReserve(1).ThrowIfError(); // one is not none
        held.Add(fence, isWrite ? FenceUsage.Write : FenceUsage.Read);
        work = new GpuWork(this, access, fence);
        lock (worksGate)
        {
            _ = works.Add(work);
        }

        NoteUse();
        return Errno.Ok;
    }

    /// <summary>Work is over.</summary>
    internal void Forget(GpuWork work)
    {
        lock (worksGate)
        {
            _ = works.Remove(work);
        }
    }

    private void FailWorks(Errno why)
    {
        GpuWork[] pending;
        lock (worksGate)
        {
            pending = [.. works];
        }

        foreach (GpuWork work in pending)
        {
            work.Fail(why);
        }
    }

    // A hint: where it cannot be followed now, the GPU works where the buffer is.
    private void BringWherePreferred()
    {
        GpuPlaces wanted = Preferred & allowed;
        if ((Place & wanted) != GpuPlaces.None || isGone)
        {
            return;
        }

        foreach (GpuPlaces place in Order)
        {
            if ((place & wanted) != GpuPlaces.None && TryMoveTo(place, timeoutNs: 0).IsOk)
            {
                return;
            }
        }
    }
}
