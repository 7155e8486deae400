using Mm.Core;
using Mm.Devices.Nics.Bindings;
using Mm.Devices.Nics.Queues;
using Mm.DmaBuf.Buffers;

namespace Mm.Devices.Nics;

/// <summary>By what user space binds memory to a card's queues; closing it unbinds.</summary>
/// <remarks>
/// Owns its bindings: who crashes closes it, too.
/// <para><b>Linux:</b> a netlink socket of the netdev family and its list of bindings (net/core/netdev-genl.c, v6.12).</para>
/// <para><b>Invariants:</b> (1) closed, no queue has a binding of it; memory stays mapped until its last fragment is back.</para>
/// <para><b>Locking:</b> one lock; safe from any thread.</para>
/// </remarks>
public sealed class NicControl : IDisposable
{
    private readonly Lock gate = new();
    private readonly List<DeviceMemoryBinding> bindings = []; // protected by gate
    private readonly Nic nic;
    private bool isClosed; // protected by gate

    internal NicControl(Nic nic) => this.nic = nic;

    /// <summary>What it has bound.</summary>
    public IReadOnlyList<DeviceMemoryBinding> Bindings
    {
        get
        {
            lock (gate)
            {
                return [.. bindings];
            }
        }
    }

    /// <summary>Binds a shared buffer to queues: from here on what comes to them lands in it.</summary>
    /// <param name="buffer">A handle of the buffer; stays the caller's.</param>
    /// <param name="queues">The queues.</param>
    /// <param name="binding">The binding; null when refused. It is this control's.</param>
    /// <param name="contract">What is expected of the memory.</param>
    /// <returns>
    /// <see cref="Errno.EINVAL"/>: no queue, one that does not receive, or headers are not split off.
    /// <see cref="Errno.ENODEV"/>: the card is removed.
    /// <see cref="Errno.EEXIST"/>: a program sees packets first, or the queue has memory bound.
    /// <see cref="Errno.ERANGE"/>: no such queue.
    /// <see cref="Errno.EBUSY"/>: an AF_XDP socket has the queue.
    /// <see cref="Errno.EOPNOTSUPP"/>: the driver restarts no single queue; or the exporter refuses.
    /// <see cref="Errno.E2BIG"/>: the queue's buffers are not single pages.
    /// <see cref="Errno.ENODATA"/>: the driver does not take a provider's memory.
    /// <see cref="Errno.ENOMEM"/>: no memory. And what attaching and mapping are refused with.
    /// </returns>
    /// <exception cref="ObjectDisposedException">It is closed, or the handle is.</exception>
    /// <remarks><b>Linux:</b> NETDEV_CMD_BIND_RX (v6.12).</remarks>
    public Errno TryBind(
        BufferHandle buffer,
        ReadOnlySpan<QueueId> queues,
        out DeviceMemoryBinding? binding,
        BindingContract contract = BindingContract.Static)
    {
        ArgumentNullException.ThrowIfNull(buffer);
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(isClosed, this);
            Errno errno = nic.TryBind(buffer, queues, contract, out binding);
            if (errno.IsOk)
            {
                bindings.Add(binding!);
            }

            return errno;
        }
    }

    /// <summary>Closes it: all its queues go on with plain memory. Twice does nothing.</summary>
    public void Dispose()
    {
        DeviceMemoryBinding[] left;
        lock (gate)
        {
            isClosed = true;
            left = [.. bindings];
            bindings.Clear();
        }

        foreach (DeviceMemoryBinding binding in left)
        {
            nic.Release(binding);
        }
    }
}
