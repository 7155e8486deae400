using System.Net;
using System.Net.Sockets;
using Mm.Core;
using Mm.Core.Dma;
using Mm.Core.Native;
using Mm.Devices.Nics;
using Mm.Devices.Nics.Queues;
using Mm.Devices.Nics.Sockets;
using Mm.DmaBuf;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Exporters;
using Mm.DmaBuf.Reservations;
using Mm.P2pDma;
using Mm.P2pDma.Machines;
using Mm.P2pDma.Topologies;

namespace Mm.Devices.Tests.Nics;

/// <summary>The two-switch machine with a card beside a GPU, real connections to it, and buffers to bind.</summary>
internal sealed class NicRig : IDisposable
{
    public static readonly PciPlace Gpu = PciAddress.Parse("0000:03:00.0");
    public static readonly PciPlace Place = PciAddress.Parse("0000:04:00.0");
    public const int GpuBar = 1;

    private readonly List<Socket> senders = [];
    private readonly List<BufferHandle> handles = [];
    private readonly List<Task> sending = [];

    public NicRig(NicOptions? options = null, bool isTranslated = false)
    {
        Topology topology = BuiltInMachines.TryGet("two-switch", out Topology? found) ? found : throw new InvalidOperationException("gone");
        Machine = Machine.CreateBuilder()
            .WithSeed(7)
            .AddRam(new NodeId(0), new PhysRange(new PhysAddr(0x1_0000_0000), ByteCount.FromMiB(64)))
            .Build();
        Pci = new PciSystem(Machine, topology);
        System = new BufferSystem(Machine);
        Device = AttachDevice(isTranslated);
        Nic.TryCreate(Machine, Device, options ?? new NicOptions(), out Nic? nic).ThrowIfError();
        Nic = nic!;
    }

    public Machine Machine { get; }

    public PciSystem Pci { get; }

    public BufferSystem System { get; }

    public DmaDevice Device { get; }

    public Nic Nic { get; }

    public List<LedgerEntry> Ledger
    {
        get
        {
            var entries = new List<LedgerEntry>();
            Nic.Report(entries);
            return entries;
        }
    }

    /// <summary>A connection over the loopback: its sending end, and the socket that the card receives for.</summary>
    public (Socket Sender, NicSocket Receiver) Connect()
    {
        (Socket sender, Socket receiver) = ConnectPlainly();
        Nic.TryOpen(receiver, out NicSocket? socket).ThrowIfError();
        return (sender, socket!);
    }

    public (Socket Sender, Socket Receiver) ConnectPlainly()
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        var sender = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        sender.Connect(listener.LocalEndPoint!);
        senders.Add(sender);
        return (sender, listener.Accept());
    }

    /// <summary>Sends the flow of a socket to a queue.</summary>
    public void Steer(NicSocket socket, int queue) => Nic.Steering.TryAdd(
        new Mm.Devices.Nics.Flows.FlowRule { SourcePort = socket.Flow.Source.Port, Queue = queue }, out _).ThrowIfError();

    public byte[] Bytes(string stream, int count)
    {
        byte[] bytes = new byte[count];
        Machine.CreateRandom(stream).Fill(bytes);
        return bytes;
    }

    /// <summary>Sends bytes and lets so many land.</summary>
    public static Landing Send(Socket sender, NicSocket receiver, ReadOnlyMemory<byte> bytes)
    {
        Task sent = SendAsync(sender, bytes);
        Landing landing = receiver.LandAsync(new ByteCount((ulong)bytes.Length)).AsTask().GetAwaiter().GetResult();
        if (landing.End == LandingEnd.Done)
        {
            sent.GetAwaiter().GetResult();
        }

        return landing;
    }

    /// <summary>Begins to send bytes while the test receives them.</summary>
    public void Start(Socket sender, ReadOnlyMemory<byte> bytes, bool ends = false) => sending.Add(StartAsync(sender, bytes, ends));

    private static async Task StartAsync(Socket sender, ReadOnlyMemory<byte> bytes, bool ends)
    {
        await SendAsync(sender, bytes);
        if (ends)
        {
            sender.Shutdown(SocketShutdown.Send);
        }
    }

    private static async Task SendAsync(Socket sender, ReadOnlyMemory<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            bytes = bytes[await sender.SendAsync(bytes)..];
        }
    }

    /// <summary>A buffer of plain memory.</summary>
    public BufferHandle HeapBuffer(ulong pages)
    {
        System.Heaps.TryAllocate("system", new HeapRequest(new PageCount(pages).ToBytes()), out BufferHandle? handle).ThrowIfError();
        handles.Add(handle!);
        return handle!;
    }

    /// <summary>A buffer in the GPU's memory, which may be taken away.</summary>
    public (BarBuffer Owner, BufferHandle Handle) BarBuffer(ulong startPage, ulong pages)
    {
        BarRange[] pieces = [new BarRange(new PageCount(startPage).ToBytes(), new PageCount(pages).ToBytes())];
        new BarExporter(System.Buffers, Pci).TryExport(Gpu, GpuBar, pieces, out BarBuffer? owner, out BufferHandle? handle).ThrowIfError();
        handles.Add(handle!);
        return (owner!, handle!);
    }

    /// <summary>Bytes of the GPU's memory, as the GPU's own process would see them.</summary>
    public byte[] ReadGpu(ulong offset, int count)
    {
        Pci.Bars.TryGet(Gpu, GpuBar, out Mm.P2pDma.Providers.BarProvider? provider).ThrowIfError();
        using SpanLease lease = Machine.Lease(provider!.Aperture.Slice(new ByteCount(offset), new ByteCount((ulong)count)));
        return lease.Bytes.ToArray();
    }

    /// <summary>The bytes of a buffer that messages tell of, as its own process would read them.</summary>
    public static byte[] ReadBuffer(BufferHandle buffer, IEnumerable<ReceiveControl> messages)
    {
        using ReservationLock held = buffer.Buffer.Reservation.Lock();
        buffer.Buffer.TryView(held, out KernelView? view).ThrowIfError();
        using (view)
        {
            return [.. messages.Where(message => message.Kind == ReceiveControlKind.DeviceMemory).SelectMany(message =>
            {
                byte[] part = new byte[message.Size.Value];
                view!.TryRead(message.Offset, part).ThrowIfError();
                return part;
            })];
        }
    }

    /// <summary>Copies out what has landed.</summary>
    public static byte[] Receive(NicSocket socket, int count)
    {
        byte[] bytes = new byte[count];
        int done = 0;
        while (done < count && socket.TryReceive(bytes.AsSpan(done), ReceiveFlags.None, null, out ByteCount part).IsOk && !part.IsZero)
        {
            done += (int)part.Value;
        }

        return bytes[..done];
    }

    /// <summary>Everything ends: no entry, no mapping, no buffer, no page is left.</summary>
    public void Dispose()
    {
        Nic.Validate();
        Nic.Dispose();
        Assert.That(Ledger, Is.Empty);
        Assert.That(Device.LiveMappings, Is.Zero);
        Assert.That(sending.Select(task => task.IsFaulted), Is.All.False);
        senders.ForEach(sender => sender.Dispose());
        handles.ForEach(handle => handle.Dispose());
        Assert.That(System.Buffers.Count, Is.Zero);
        Pci.Validate();
        System.Validate();
        Assert.That(Machine.Allocator.Statistics.InUse, Is.EqualTo(PageCount.Zero));
        Machine.Dispose();
        Assert.That(Machine.NativeBytes, Is.EqualTo(ByteCount.Zero));
    }

    private DmaDevice AttachDevice(bool isTranslated)
    {
        IommuDomain? domain = isTranslated ? Pci.CreateDomain("nic") : null;
        Pci.TryAttach(Place, DmaMask.Bits64, default, domain, out DmaDevice? device).ThrowIfError();
        return device!;
    }
}
