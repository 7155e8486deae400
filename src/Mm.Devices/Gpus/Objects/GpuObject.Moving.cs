using System.Numerics;
using Mm.Core;
using Mm.Devices.Gpus.Vram;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Reservations;

namespace Mm.Devices.Gpus.Objects;

/// <content>Where it lies, and how it gets elsewhere.</content>
public sealed partial class GpuObject
{
    // The GPU's own memory first, and of it what nobody else can use.
    private static readonly GpuPlaces[] Order = [GpuPlaces.HiddenVram, GpuPlaces.VisibleVram, GpuPlaces.Ram];

    /// <summary>Says where the program would like it to lie. Nothing moves until the GPU works on it.</summary>
    /// <param name="places">Where; at least one that is allowed.</param>
    /// <returns>Ok; EINVAL: none of them is allowed.</returns>
    public Errno TrySetPreferred(GpuPlaces places)
    {
        if ((places & allowed) == GpuPlaces.None || (places & ~GpuPlaces.Any) != GpuPlaces.None)
        {
            return Errno.EINVAL;
        }

        Volatile.Write(ref preferred, (int)places);
        return Errno.Ok;
    }

    /// <summary>Moves it, asking others to leave the GPU's memory where there is no room.</summary>
    /// <param name="place">Where to; one place.</param>
    /// <param name="timeoutNs">How long to wait for the fences of those who use it, in nanoseconds of the machine's clock.</param>
    /// <returns>Ok, also where it lies there; EINVAL: not one place that is allowed; ENODEV: the GPU is gone; ENOMEM: no room;
    /// EBUSY: pinned; ETIME: a fence has not signaled; EAGAIN, EIO, ECANCELED: the copy engine took no job, broke one off, or was
    /// reset. Refused, importers may have been told, and nothing moved.</returns>
    public Errno TryMoveTo(GpuPlaces place, ulong timeoutNs = ulong.MaxValue)
    {
        bool isOne = BitOperations.PopCount((uint)place) == 1 && (place & allowed) != GpuPlaces.None;
        if (!isOne || isGone || Place == place)
        {
            return !isOne ? Errno.EINVAL : isGone ? Errno.ENODEV : Errno.Ok;
        }

        Errno errno = GpuBacking.TryTake(parts, place, Size.ToPagesRoundDown(), mayEvict: true, out GpuBacking? next);
        if (!errno.IsOk)
        {
            return errno;
        }

        parts.Points?.Reach("gpu-move");
        using ReservationLock held = Reservation.Lock();
        return TryMoveOrDrop(held, next!, timeoutNs);
    }

    /// <inheritdoc/>
    bool IVramTenant.TryEvict(VramPart part)
    {
        GpuPlaces short_ = part == VramPart.Visible ? GpuPlaces.VisibleVram : GpuPlaces.HiddenVram;
        if (Place != short_ || !Reservation.TryLock(out ReservationLock held))
        {
            return false;
        }

        using (held)
        {
            // Who works on it would have to be waited for: another one is asked.
            bool canGo = Place == short_ && pins == 0 && !isGone && Reservation.TestSignaled(FenceUsage.Bookkeep);
            bool tucksAway = canGo && part == VramPart.Visible && TryLeaveFor(held, GpuPlaces.HiddenVram);
            return canGo && (tucksAway || TryLeaveFor(held, GpuPlaces.Ram));
        }
    }

    /// <summary>The GPU was reset: addresses from before are dead, and there are new ones.</summary>
    internal void Renew()
    {
        FailWorks(Errno.ECANCELED);
        using ReservationLock held = Reservation.Lock();
        if (isGone || Place == GpuPlaces.Ram)
        {
            return;
        }

        Tell(held, MoveNotice.Revoked);
        Errno errno = backing.TryRenewAddresses();
        if (errno.IsOk)
        {
            Tell(held, MoveNotice.Restored);
        }
        else
        {
            isGone = true; // the BAR has lost its provider
        }
    }

    /// <summary>The GPU is gone: nobody gets addresses any more, and those that were given are dead.</summary>
    internal void Kill()
    {
        FailWorks(Errno.ENODEV); // who waits for them with the reservation locked goes on
        using (ReservationLock held = Reservation.Lock())
        {
            isGone = true;
            Tell(held, MoveNotice.Revoked);
            backing.EndAddresses();
        }

        FailWorks(Errno.ENODEV); // and those that began meanwhile
    }

    // The first place that has room, and where none has, the first that others can be made to leave.
    private static Errno TryTakeBest(GpuParts parts, PageCount pages, GpuPlaces wanted, GpuPlaces allowed, out GpuBacking? backing)
    {
        backing = null;
        foreach (GpuPlaces choice in (ReadOnlySpan<GpuPlaces>)[wanted, allowed & ~wanted])
        {
            foreach (bool mayEvict in (ReadOnlySpan<bool>)[false, true])
            {
                foreach (GpuPlaces place in Order)
                {
                    if ((place & choice) != GpuPlaces.None
                        && GpuBacking.TryTake(parts, place, pages, mayEvict, out backing).IsOk)
                    {
                        return Errno.Ok;
                    }
                }
            }
        }

        return Errno.ENOMEM;
    }

    // To a place where the client reaches it. Only free pages are taken: nobody is evicted with a reservation locked.
    private Errno TryBringWithin(ReservationLock held, BufferClient client)
    {
        if (isGone)
        {
            return Errno.ENODEV;
        }

        GpuPlaces reached = (client.IsPeerToPeer ? GpuPlaces.Ram | GpuPlaces.VisibleVram : GpuPlaces.Ram) & allowed;
        if ((Place & reached) != GpuPlaces.None)
        {
            return Errno.Ok;
        }

        if (pins > 0)
        {
            return Errno.EBUSY;
        }

        Errno errno = Errno.ENOMEM;
        foreach (GpuPlaces place in Order)
        {
            if ((place & reached) != GpuPlaces.None
                && GpuBacking.TryTake(parts, place, Size.ToPagesRoundDown(), mayEvict: false, out GpuBacking? next).IsOk)
            {
                errno = TryMoveOrDrop(held, next!, ulong.MaxValue);
                break;
            }
        }

        return errno;
    }

    private bool TryLeaveFor(ReservationLock held, GpuPlaces place) =>
        (allowed & place) != GpuPlaces.None
        && GpuBacking.TryTake(parts, place, Size.ToPagesRoundDown(), mayEvict: false, out GpuBacking? next).IsOk
        && TryMoveOrDrop(held, next!, timeoutNs: 0).IsOk;

    // Told, waited for, copied, and only then are the old addresses ended: refused before, nothing has changed.
    private Errno TryMoveOrDrop(ReservationLock held, GpuBacking next, ulong timeoutNs)
    {
        Errno errno = isGone ? Errno.ENODEV : pins > 0 ? Errno.EBUSY : Errno.Ok;
        if (errno.IsOk)
        {
            Tell(held, MoveNotice.MayMove);
            errno = Reservation.Wait(FenceUsage.Bookkeep, timeoutNs, out _);
        }

        errno = errno.IsOk ? next.TryFill(backing) : errno;
        if (!errno.IsOk)
        {
            next.Dispose();
            return errno;
        }

        GpuBacking before = backing;
        Volatile.Write(ref backing, next);
        before.Dispose();
        Moves++;
        NoteUse();
        return Errno.Ok;
    }

    private void Tell(ReservationLock held, MoveNotice notice) => Volatile.Read(ref shared)?.NotifyMove(held, notice);

    private void NoteUse()
    {
        if (Place == GpuPlaces.Ram)
        {
            parts.Pool.Forget(this);
        }
        else
        {
            parts.Pool.Add(this);
        }
    }
}
