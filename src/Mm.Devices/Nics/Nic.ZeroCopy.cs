using Mm.Core;
using Mm.Devices.Nics.Queues;
using Mm.Devices.Nics.ZeroCopy;

namespace Mm.Devices.Nics;

/// <content>Queues that users register memory for.</content>
public sealed partial class Nic
{
    /// <summary>Registers memory of a user for a queue: what comes to it lands there.</summary>
    /// <param name="wanted">The queue, the ring, and the area.</param>
    /// <param name="queue">What was registered; null when refused. The caller disposes it.</param>
    /// <returns>
    /// <see cref="Errno.EPERM"/>: the user may not administer the network.
    /// <see cref="Errno.EINVAL"/>: the ring does not put work off, its completions have no room for a place, no entry or too many,
    /// an area that is not of whole pages or not the whole buffer, or headers are not split off.
    /// <see cref="Errno.EFAULT"/>: no area, one above 1 GiB, or one that cannot be pinned.
    /// <see cref="Errno.EOVERFLOW"/>: the area wraps.
    /// <see cref="Errno.ENODEV"/>: the card is removed.
    /// <see cref="Errno.ERANGE"/>: no such queue.
    /// <see cref="Errno.EEXIST"/>: a program sees packets first, or the queue has memory bound.
    /// <see cref="Errno.EBUSY"/>: an AF_XDP socket has the queue.
    /// <see cref="Errno.EOPNOTSUPP"/>: the driver restarts no single queue, or its buffers are not single pages.
    /// <see cref="Errno.ENOMEM"/>: no memory, or more than may be locked. And what attaching, pinning and mapping are refused with.
    /// </returns>
    /// <remarks><b>Linux:</b> IORING_REGISTER_ZCRX_IFQ, io_register_zcrx_ifq and net_mp_open_rxq (v6.15).</remarks>
    public Errno TryRegister(ZeroCopyOptions wanted, out ZeroCopyQueue? queue)
    {
        ArgumentNullException.ThrowIfNull(wanted);
        queue = null;
        Errno errno = State == DeviceState.Removed
            ? Errno.ENODEV
            : ZeroCopyQueue.TryCreate(machine, device, this, wanted, out queue);
        if (!errno.IsOk)
        {
            return errno;
        }

        lock (control)
        {
            errno = TryOpenQueue(wanted.Queue, queue!);
        }

        if (!errno.IsOk)
        {
            queue!.Dispose();
            queue = null;
        }

        return errno;
    }

    void IZeroCopyPort.Close(ZeroCopyQueue queue)
    {
        lock (control)
        {
            Unbind(queue);
        }
    }

    private Errno TryOpenQueue(int index, ZeroCopyQueue queue)
    {
        if (State == DeviceState.Removed)
        {
            return Errno.ENODEV;
        }

        if (hasXdpProgram)
        {
            return Errno.EEXIST;
        }

        Track(queue);
        return TryBindQueue(index, queue);
    }

    // Who may still be mapped is told when the card goes.
    private void Track(IQueueProvider provider)
    {
        _ = providers.RemoveAll(static old => old.IsFreed);
        providers.Add(provider);
    }
}
