using Mm.Devices.Nics.PagePools;
using Mm.Devices.Nics.Queues;
using Mm.Devices.Nics.Sockets;

namespace Mm.Devices.Nics;

/// <content>Reset, removal, and who holds what.</content>
public sealed partial class Nic
{
    /// <inheritdoc/>
    /// <remarks>What has landed stays with its sockets, what is on the wire waits; memory stays bound.</remarks>
    public void Reset()
    {
        lock (control)
        {
            if (State == DeviceState.Removed)
            {
                return;
            }

            StopAll();
            foreach (ReceiveQueue queue in queues)
            {
                // Refused, it stands until somebody asks for bytes and there is memory.
                _ = queue.TryRestart(queueOptions);
            }
        }
    }

    /// <inheritdoc/>
    /// <remarks><b>Linux:</b> unregister_netdevice, dev_dmabuf_uninstall (v6.12).</remarks>
    public void Remove()
    {
        lock (control)
        {
            if (State == DeviceState.Removed)
            {
                return;
            }

            Volatile.Write(ref state, (int)DeviceState.Removed);
            StopAll();
            foreach (ReceiveQueue queue in queues)
            {
                queue.Provider = null;
            }

            // Also those without a queue, whose fragments users still have.
            foreach (IQueueProvider provider in ForgetsBindings ? [] : providers)
            {
                provider.DeviceGone();
            }

            providers.Clear();
        }

        // Refused where the PCI side has taken it out before.
        _ = machine.Dma.TryDetach(Id);
    }

    /// <inheritdoc/>
    public void Report(ICollection<LedgerEntry> entries)
    {
        ArgumentNullException.ThrowIfNull(entries);
        IQueueProvider[] bound;
        lock (control)
        {
            bound = [.. providers];
        }

        foreach (ReceiveQueue queue in Queues)
        {
            ReportQueue(queue, entries);
        }

        foreach (IQueueProvider provider in bound)
        {
            provider.Report($"{Name} ", entries);
        }

        NicSocket[] open;
        lock (socketGate)
        {
            open = [.. sockets];
        }

        foreach (NicSocket socket in open)
        {
            socket.Report($"{Name} {socket}", Id, entries);
        }
    }

    private void ReportQueue(ReceiveQueue queue, ICollection<LedgerEntry> entries)
    {
        foreach (PagePool pool in new[] { queue.Pool, queue.Headers }.OfType<PagePool>())
        {
            bool isRam = pool.Options.Provider is null;
            if (pool.InFlight > 0)
            {
                string held = isRam ? "RAM" : "bound memory";
                entries.Add(new LedgerEntry($"{Name} queue {queue.Index}", HoldingKind.Page, held, default, (ulong)pool.InFlight));
            }
        }
    }
}
