using System.Net.Sockets;
using Mm.Core;
using Mm.Core.Dma;
using Mm.Devices.Nics.Flows;
using Mm.Devices.Nics.Queues;
using Mm.Devices.Nics.Sockets;
using Mm.Devices.Nics.ZeroCopy;

namespace Mm.Devices.Nics;

/// <summary>A network card: its wire is real, a TCP connection of the system, and what comes lands in the memory of a queue.</summary>
/// <remarks>
/// Owns its queues, the rules that steer flows, and, by them, the sockets it opened. Not responsible for memory that is bound
/// to queues: its binding is.
/// <para><b>Linux:</b> struct net_device with its driver (v6.12), as far as receiving goes. Differences: real connections are
/// the wire, so headers are made anew by the card; nothing is sent; a queue without a buffer lets packets wait instead of
/// dropping them.</para>
/// <para><b>States:</b> working → removed. A reset stops and starts every queue.</para>
/// <para><b>Invariants:</b> (1) a flow's bytes go to the memory of the queue that it is steered to, and to no other; (2) what is
/// handed up is what the wire brought, in order; (3) removed, it has no mapping and reaches no memory.</para>
/// <para><b>Locking:</b> a control lock (<b>Linux:</b> rtnl_lock) for queues, providers and life; a flow's gate and a queue's
/// for landing. Safe from any thread.</para>
/// </remarks>
public sealed partial class Nic : IModelDevice, IFlowPort, IZeroCopyPort
{
    private readonly Lock control = new();
    private readonly Lock socketGate = new();
    private readonly Machine machine;
    private readonly DmaDevice device;
    private readonly NicOptions options;
    private readonly HashSet<NicSocket> sockets = []; // protected by socketGate
    private readonly List<IQueueProvider> providers = []; // that may still be mapped, protected by control
    private ReceiveQueue[] queues = []; // replaced under control, read without
    private QueueOptions queueOptions; // protected by control
    private uint lastBinding; // protected by control
    private bool hasXdpProgram; // protected by control
    private int state; // a DeviceState; changed under control

    private Nic(Machine machine, DmaDevice device, NicOptions options)
    {
        this.machine = machine;
        this.device = device;
        this.options = options;
        queueOptions = options.Queue;
        Steering = new FlowSteering(options.Queues);
    }

    /// <inheritdoc/>
    public string Name => options.Name;

    /// <inheritdoc/>
    public DeviceId Id => device.Id;

    /// <inheritdoc/>
    public DeviceState State => (DeviceState)Volatile.Read(ref state);

    /// <summary>Which flow goes to which queue.</summary>
    public FlowSteering Steering { get; }

    /// <summary>Its receive queues.</summary>
    public IReadOnlyList<ReceiveQueue> Queues => Volatile.Read(ref queues);

    /// <summary>Makes a card and starts its queues.</summary>
    /// <param name="machine">The machine.</param>
    /// <param name="device">How the card reaches memory.</param>
    /// <param name="options">What it is made as.</param>
    /// <param name="nic">The card; null when refused. The caller disposes it.</param>
    /// <returns>
    /// <see cref="Errno.EINVAL"/>: the options are no card's.
    /// <see cref="Errno.ENODEV"/>: the device is not attached.
    /// <see cref="Errno.ENOMEM"/>: no memory for a queue.
    /// </returns>
    public static Errno TryCreate(Machine machine, DmaDevice device, NicOptions options, out Nic? nic)
    {
        ArgumentNullException.ThrowIfNull(machine);
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(options);
        nic = null;
        if (options.Queues < 1 || options.MaxQueues < options.Queues || !AreLegal(options.Queue))
        {
            return Errno.EINVAL;
        }

        if (!device.IsAttached)
        {
            return Errno.ENODEV;
        }

        var made = new Nic(machine, device, options);
        Errno errno = made.TryStart(options.Queues);
        if (!errno.IsOk)
        {
            made.StopAll();
            return errno;
        }

        nic = made;
        return Errno.Ok;
    }

    /// <summary>Opens a socket on a connection: what comes over it, the card receives.</summary>
    /// <param name="connection">A connected socket of the system, which belongs to the result from here on.</param>
    /// <param name="socket">The socket; null when refused. The caller disposes it.</param>
    /// <returns><see cref="Errno.ENODEV"/>: the card is removed. <see cref="Errno.EPROTONOSUPPORT"/>: it is neither TCP nor
    /// UDP over IP.</returns>
    /// <exception cref="ArgumentException">The socket is not connected.</exception>
    public Errno TryOpen(Socket connection, out NicSocket? socket)
    {
        ArgumentNullException.ThrowIfNull(connection);
        socket = null;
        if (State == DeviceState.Removed)
        {
            return Errno.ENODEV;
        }

        if (connection.ProtocolType is not (ProtocolType.Tcp or ProtocolType.Udp)
            || connection.AddressFamily is not (AddressFamily.InterNetwork or AddressFamily.InterNetworkV6))
        {
            return Errno.EPROTONOSUPPORT;
        }

        if (connection.RemoteEndPoint is not System.Net.IPEndPoint remote || connection.LocalEndPoint is not System.Net.IPEndPoint local)
        {
            throw new ArgumentException("connection must be connected", nameof(connection));
        }

        connection.Blocking = false; // what is not there is not waited for with a queue's gate held
        var opened = new NicSocket(this, new WireFlow(connection, new FlowKey(remote, local)), machine.Faults);
        lock (socketGate)
        {
            _ = sockets.Add(opened);
        }

        socket = opened;
        return Errno.Ok;
    }

    /// <summary>Opens the way by which user space binds memory to queues.</summary>
    /// <returns>The control; the caller disposes it, and with it all its bindings.</returns>
    public NicControl OpenControl() => new(this);

    /// <summary>Recounts its pools. Wants it at rest.</summary>
    /// <exception cref="Core.Checks.MmBugException">Something does not add up: a bug in Mm.</exception>
    public void Validate()
    {
        foreach (ReceiveQueue queue in Queues)
        {
            queue.Pool?.Validate();
            queue.Headers?.Validate();
        }
    }

    /// <summary>Ends it: removed, and its sockets closed. Twice does nothing.</summary>
    public void Dispose()
    {
        Remove();
        NicSocket[] open;
        lock (socketGate)
        {
            open = [.. sockets];
        }

        foreach (NicSocket socket in open)
        {
            socket.Dispose();
        }
    }

    /// <summary>Its name and place.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"{Name} ({machine.DeviceName(Id)})";

    Landing IFlowPort.Land(NicSocket socket, int atMost, bool flushes)
    {
        WireFlow flow = socket.Wire;
        lock (flow.Gate)
        {
            ReceiveQueue queue = FindQueue(flow);
            (LandingEnd end, int landed) = FindObstacle(flow, queue) is { } obstacle
                ? (obstacle, 0)
                : queue.Land(flow, atMost, flushes);
            if (landed == 0 && end is not (LandingEnd.WireEmpty or LandingEnd.Done))
            {
                queue.Flush(flow);
            }

            foreach (Segment segment in flow.TakeFinished())
            {
                socket.Deliver(segment);
            }

            return new Landing(new ByteCount((ulong)landed), end);
        }
    }

    void IFlowPort.Forget(NicSocket socket)
    {
        lock (socket.Wire.Gate)
        {
            socket.Wire.Drop();
        }

        lock (socketGate)
        {
            _ = sockets.Remove(socket);
        }
    }

    // Queues come and go meanwhile: steering is asked first, and again where its answer is gone.
    private ReceiveQueue FindQueue(WireFlow flow)
    {
        while (true)
        {
            int index = Steering.Steer(flow.Key);
            ReceiveQueue[] now = Volatile.Read(ref queues);
            if (index < now.Length)
            {
                return now[index];
            }
        }
    }

    // What keeps a queue from receiving; null for nothing.
    private LandingEnd? FindObstacle(WireFlow flow, ReceiveQueue queue)
    {
        if (flow.IsDropped || State == DeviceState.Removed)
        {
            return flow.IsDropped ? LandingEnd.ConnectionLost : LandingEnd.DeviceGone;
        }

        if (queue.Provider is { IsReady: false } provider && !provider.TryReady().IsOk)
        {
            return LandingEnd.MemoryGone;
        }

        return queue.IsRunning || TryRevive(queue) ? null : LandingEnd.NoBuffer;
    }

    private static bool AreLegal(QueueOptions queue) =>
        queue.RingEntries > 0 && queue.SplitExcess.Value <= 128 && queue.Order is >= 0 and <= 10
        && !queue.MaxSegment.IsZero && queue.MaxSegment <= QueueOptions.LargestSegment;
}
