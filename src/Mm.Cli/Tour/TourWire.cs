using System.Net;
using System.Net.Sockets;
using Mm.Core;
using Mm.Core.Dma;
using Mm.Core.Native;
using Mm.Devices;
using Mm.Devices.Nics;
using Mm.Devices.Nics.Bindings;
using Mm.Devices.Nics.Flows;
using Mm.Devices.Nics.Queues;
using Mm.Devices.Nics.Sockets;
using Mm.DmaBuf;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Exporters;
using Mm.P2pDma.Providers;

namespace Mm.Cli.Tour;

/// <summary>The card beside the GPU, with real connections over the loopback, and pieces of the GPU's memory to bind to queues.</summary>
internal sealed class TourWire : IDisposable
{
    private readonly TourStage stage;
    private readonly DmaDevice device;
    private readonly BarProvider memory;
    private readonly List<Socket> senders = [];
    private readonly List<BufferHandle> handles = [];

    /// <summary>Makes the card.</summary>
    public TourWire(TourStage stage, int queues)
    {
        this.stage = stage;
        System = new BufferSystem(stage.Machine);
        memory = stage.ProvideGpuMemory();
        device = stage.Attach(stage.DirectNic);
        var options = new NicOptions { Queues = queues, Queue = new QueueOptions { RingEntries = 8 } };
        Nic.TryCreate(stage.Machine, device, options, out Nic? nic).ThrowIfError();
        Nic = nic!;
        Nic.Steering.TrySpread(1).ThrowIfError();
    }

    /// <summary>The card.</summary>
    public Nic Nic { get; }

    /// <summary>The machine's buffers.</summary>
    public BufferSystem System { get; }

    /// <summary>Shares a piece of the GPU's memory and binds it to a queue.</summary>
    public DeviceMemoryBinding Bind(NicControl control, ByteCount offset, ByteCount length, int queue)
    {
        new BarExporter(System.Buffers, stage.Pci)
            .TryExport(stage.Gpu.Place, TourStage.LargestBar(stage.Gpu), [new BarRange(offset, length)], out _, out BufferHandle? handle)
            .ThrowIfError();
        handles.Add(handle!);
        control.TryBind(handle!, [QueueId.Receive(queue)], out DeviceMemoryBinding? binding, BindingContract.Revocable).ThrowIfError();
        return binding!;
    }

    /// <summary>Opens a connection; its flow goes to a queue where one is said.</summary>
    public (Socket Sender, NicSocket Receiver) Connect(int? queue)
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        var sender = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        sender.Connect(listener.LocalEndPoint!);
        senders.Add(sender);
        Nic.TryOpen(listener.Accept(), out NicSocket? receiver).ThrowIfError();
        if (queue is { } wanted)
        {
            Nic.Steering.TryAdd(new FlowRule { SourcePort = receiver!.Flow.Source.Port, Queue = wanted }, out _).ThrowIfError();
        }

        return (sender, receiver!);
    }

    /// <summary>Sends bytes, and lets the card take them off the wire.</summary>
    public static void Send(Socket sender, NicSocket receiver, ReadOnlySpan<byte> bytes)
    {
        _ = sender.Send(bytes);
        _ = receiver.LandAsync(new ByteCount((ulong)bytes.Length)).AsTask().GetAwaiter().GetResult();
    }

    /// <summary>What the GPU reads where messages say.</summary>
    public byte[] ReadGpu(ByteCount start, IEnumerable<ReceiveControl> messages) => [.. messages.SelectMany(message =>
    {
        PhysRange range = memory.Aperture.Slice(start.AddChecked(message.Offset), message.Size);
        using SpanLease lease = stage.Machine.Lease(range);
        return lease.Bytes.ToArray();
    })];

    /// <inheritdoc/>
    public void Dispose()
    {
        Nic.Dispose();
        var left = new List<LedgerEntry>();
        Nic.Report(left);
        stage.Check(left.Count == 0 && device.LiveMappings == 0, "the card is gone: its ledger is empty, nothing is mapped");
        senders.ForEach(static sender => sender.Dispose());
        handles.ForEach(static handle => handle.Dispose());
    }
}
