using Mm.Core;
using Mm.Core.Dma;
using Mm.Devices.Nics.Bindings;
using Mm.Devices.Nics.Queues;
using Mm.DmaBuf.Buffers;

namespace Mm.Devices.Nics;

/// <content>Queues: how many, how they work, and whose memory they fill.</content>
public sealed partial class Nic
{
    /// <summary>Changes how many queues work.</summary>
    /// <param name="count">How many.</param>
    /// <returns>
    /// <see cref="Errno.EINVAL"/>: none, more than there may be, or a queue that would go has memory bound to it.
    /// <see cref="Errno.ENODEV"/>: the card is removed.
    /// <see cref="Errno.ENOMEM"/>: no memory for a queue; the count stays.
    /// </returns>
    /// <remarks><b>Linux:</b> ethtool_set_channels (v6.12).</remarks>
    public Errno TrySetQueueCount(int count)
    {
        lock (control)
        {
            if (State == DeviceState.Removed)
            {
                return Errno.ENODEV;
            }

            if (count < 1 || count > options.MaxQueues || queues.Skip(count).Any(queue => queue.Provider is not null))
            {
                return Errno.EINVAL;
            }

            ReceiveQueue[] gone = [.. queues.Skip(count)];
            if (gone.Length == 0)
            {
                return TryStart(count);
            }

            // Nobody is sent to a queue that is not there: steering first.
            Steering.Resize(count);
            Volatile.Write(ref queues, queues[..count]);
            Array.ForEach(gone, queue => queue.Stop());
            return Errno.Ok;
        }
    }

    /// <summary>Changes how queues work, and restarts each.</summary>
    /// <param name="wanted">How.</param>
    /// <returns>
    /// <see cref="Errno.EINVAL"/>: the options are no card's, or headers are to be split off no more while memory is bound.
    /// <see cref="Errno.ENODEV"/>: the card is removed.
    /// <see cref="Errno.ENOMEM"/>: no memory for a queue; those before it have changed.
    /// </returns>
    /// <remarks><b>Linux:</b> ethtool_set_ringparam, with tcp-data-split (v6.12).</remarks>
    public Errno TrySetQueueOptions(QueueOptions wanted)
    {
        ArgumentNullException.ThrowIfNull(wanted);
        lock (control)
        {
            if (State == DeviceState.Removed)
            {
                return Errno.ENODEV;
            }

            if (!AreLegal(wanted) || (!wanted.SplitsHeaders && HasProvider()))
            {
                return Errno.EINVAL;
            }

            foreach (ReceiveQueue queue in queues)
            {
                Errno errno = queue.TryRestart(wanted);
                if (!errno.IsOk)
                {
                    return errno;
                }
            }

            queueOptions = wanted;
            return Errno.Ok;
        }
    }

    /// <summary>Loads or unloads a program that sees packets before the system.</summary>
    /// <param name="isLoaded">Which of the two.</param>
    /// <returns><see cref="Errno.EBUSY"/>: memory is bound to a queue, which no program could read.
    /// <see cref="Errno.ENODEV"/>: the card is removed.</returns>
    /// <remarks><b>Linux:</b> dev_xdp_attach (v6.12).</remarks>
    public Errno TrySetXdpProgram(bool isLoaded)
    {
        lock (control)
        {
            if (State == DeviceState.Removed)
            {
                return Errno.ENODEV;
            }

            if (HasProvider())
            {
                return Errno.EBUSY;
            }

            hasXdpProgram = isLoaded;
            return Errno.Ok;
        }
    }

    /// <summary>Gives a queue to an AF_XDP socket, or takes it back.</summary>
    /// <param name="index">The queue.</param>
    /// <param name="isTaken">Which of the two.</param>
    /// <returns><see cref="Errno.EINVAL"/>: no such queue. <see cref="Errno.EBUSY"/>: memory is bound to it.</returns>
    /// <remarks><b>Linux:</b> xp_assign_dev (v6.12).</remarks>
    public Errno TrySetXdpSocket(int index, bool isTaken)
    {
        lock (control)
        {
            if (index < 0 || index >= queues.Length)
            {
                return Errno.EINVAL;
            }

            if (queues[index].Provider is not null)
            {
                return Errno.EBUSY;
            }

            queues[index].IsXdpSocket = isTaken;
            return Errno.Ok;
        }
    }

    /// <summary>Restarts a queue: new pools, and the buffers of the old go when users give them back.</summary>
    /// <param name="index">The queue.</param>
    /// <returns>
    /// <see cref="Errno.ENODEV"/>: the card is removed.
    /// <see cref="Errno.ERANGE"/>: no such queue.
    /// <see cref="Errno.EOPNOTSUPP"/>: the driver restarts no single queue.
    /// <see cref="Errno.ENODATA"/>: the driver does not take the provider's memory.
    /// <see cref="Errno.ENOMEM"/>, and what a provider refuses with: the queue runs on as it was.
    /// </returns>
    /// <remarks><b>Linux:</b> netdev_rx_queue_restart (v6.12).</remarks>
    public Errno TryRestartQueue(int index)
    {
        lock (control)
        {
            if (State == DeviceState.Removed)
            {
                return Errno.ENODEV;
            }

            return index < 0 || index >= queues.Length ? Errno.ERANGE : TryRestart(queues[index]);
        }
    }

    /// <summary>Binds a shared buffer to queues.</summary>
    /// <remarks><b>Linux:</b> netdev_nl_bind_rx_doit (v6.12).</remarks>
    internal Errno TryBind(
        BufferHandle buffer, ReadOnlySpan<QueueId> wanted, BindingContract contract, out DeviceMemoryBinding? binding)
    {
        binding = null;
        if (wanted.IsEmpty)
        {
            return Errno.EINVAL;
        }

        if (machine.Faults.ShouldFail(FaultPoint.Slab))
        {
            return Errno.ENOMEM; // the answer's message
        }

        lock (control)
        {
            if (State == DeviceState.Removed)
            {
                return Errno.ENODEV;
            }

            if (hasXdpProgram)
            {
                return Errno.EEXIST;
            }

            DmaDirection direction = BindsBothWays ? DmaDirection.Bidirectional : DmaDirection.FromDevice;
            Errno errno = DeviceMemoryBinding.TryCreate(
                buffer, device, contract, direction, ++lastBinding, out DeviceMemoryBinding? made);
            if (!errno.IsOk)
            {
                return errno;
            }

            Track(made!);
            foreach (QueueId queue in wanted)
            {
                errno = queue.Kind == QueueKind.Receive ? TryBindQueue(queue.Index, made!) : Errno.EINVAL;
                if (!errno.IsOk)
                {
                    Unbind(made!);
                    made!.Drop();
                    return errno;
                }
            }

            binding = made;
            return Errno.Ok;
        }
    }

    /// <summary>A binding's owner is gone: its queues go on with plain memory.</summary>
    /// <remarks><b>Linux:</b> net_devmem_unbind_dmabuf (v6.12).</remarks>
    internal void Release(DeviceMemoryBinding binding)
    {
        lock (control)
        {
            Unbind(binding);
        }

        binding.Drop();
    }

    private Errno TryBindQueue(int index, IQueueProvider provider)
    {
        if (index < 0 || index >= queues.Length)
        {
            return Errno.ERANGE;
        }

        ReceiveQueue queue = queues[index];
        if (queue.Provider is not null)
        {
            return Errno.EEXIST;
        }

        if (queue.IsXdpSocket)
        {
            return Errno.EBUSY;
        }

        // The queue's place in the binding.
        if (machine.Faults.ShouldFail(FaultPoint.Slab))
        {
            return Errno.ENOMEM;
        }

        queue.Provider = provider;
        Errno errno = TryRestart(queue);
        if (!errno.IsOk)
        {
            queue.Provider = null;
            return errno;
        }

        provider.OnBound(queue, isBound: true);
        return Errno.Ok;
    }

    private void Unbind(IQueueProvider provider)
    {
        foreach (ReceiveQueue queue in queues.Where(queue => queue.Provider == provider))
        {
            queue.Provider = null;
            provider.OnBound(queue, isBound: false);
            if (State == DeviceState.Working && !TryRestart(queue).IsOk)
            {
                // Linux warns and lets it run with the provider's memory. Here it stands until there is memory.
                queue.Stop();
            }
        }
    }

    private Errno TryRestart(ReceiveQueue queue) =>
        options.HasQueueManagement ? queue.TryRestart(queueOptions) : Errno.EOPNOTSUPP;

    private bool TryRevive(ReceiveQueue queue)
    {
        lock (control)
        {
            return State == DeviceState.Working && queues.Contains(queue)
                && (queue.IsRunning || queue.TryRestart(queueOptions).IsOk);
        }
    }

    private bool HasProvider() => queues.Any(static queue => queue.Provider is not null);

    // Adds queues up to a count, all or none.
    private Errno TryStart(int count)
    {
        var added = new List<ReceiveQueue>();
        for (int index = queues.Length; index < count; index++)
        {
            var queue = new ReceiveQueue(machine, device, index);
            Errno errno = queue.TryRestart(queueOptions);
            if (!errno.IsOk)
            {
                added.ForEach(static started => started.Stop());
                return errno;
            }

            added.Add(queue);
        }

        Volatile.Write(ref queues, [.. queues, .. added]);
        Steering.Resize(count);
        return Errno.Ok;
    }

    private void StopAll() => Array.ForEach(queues, static queue => queue.Stop());
}
