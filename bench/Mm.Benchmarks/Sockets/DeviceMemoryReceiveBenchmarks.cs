using System.Net;
using System.Net.Sockets;
using BenchmarkDotNet.Attributes;
using Mm.Core;
using Mm.Core.Dma;
using Mm.Devices.Nics;
using Mm.Devices.Nics.Flows;
using Mm.Devices.Nics.Queues;
using Mm.Devices.Nics.Sockets;
using Mm.DmaBuf;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Exporters;

namespace Mm.Benchmarks.Sockets;

/// <summary>
/// 4 MiB over a loopback connection: received by a plain socket, by the card into pages and copied, and by the card into a
/// bound buffer with its tokens given back. The time of 4 MiB is GB/s the other way up.
/// </summary>
[MemoryDiagnoser]
public class DeviceMemoryReceiveBenchmarks
{
    private const int Total = 4 << 20;
    private const int Step = 60 << 10; // one segment

    private readonly byte[] sent = new byte[Total];
    private readonly byte[] received = new byte[Step];
    private readonly ControlBuffer controls = new(64);
    private readonly TokenRange[] tokens = new TokenRange[64];
    private Machine machine = null!;
    private BufferHandle buffer = null!;
    private Nic nic = null!;
    private NicControl control = null!;
    private (Socket Sender, Socket Receiver) plain;
    private (Socket Sender, NicSocket Receiver) copied;
    private (Socket Sender, NicSocket Receiver) bound;

    [GlobalSetup]
    public void Setup()
    {
        machine = Machine.CreateBuilder().AddRam(new NodeId(0), new PhysRange(PhysAddr.Zero, ByteCount.FromGiB(1))).Build();
        DmaDevice device = machine.Dma.Attach(machine.RegisterDevice("nic"), DmaMask.Bits64);
        var options = new NicOptions { Queue = new QueueOptions { RingEntries = 64, MaxSegment = QueueOptions.LargestSegment } };
        Nic.TryCreate(machine, device, options, out Nic? made).ThrowIfError();
        nic = made!;
        nic.Steering.TrySpread(1).ThrowIfError();
        var system = new BufferSystem(machine);
        system.Heaps.TryAllocate("system", new HeapRequest(ByteCount.FromMiB(1)), out BufferHandle? handle).ThrowIfError();
        buffer = handle!;
        control = nic.OpenControl();
        control.TryBind(buffer, [QueueId.Receive(1)], out _).ThrowIfError();
        plain = Connect();
        copied = Open(queue: 0);
        bound = Open(queue: 1);
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        nic.Dispose();
        control.Dispose();
        buffer.Dispose();
        plain.Receiver.Dispose();
        plain.Sender.Dispose();
        copied.Sender.Dispose();
        bound.Sender.Dispose();
        machine.Dispose();
    }

    /// <summary>By a plain socket into one array.</summary>
    [Benchmark(Baseline = true)]
    public async Task PlainSocket()
    {
        Task sending = SendAsync(plain.Sender);
        for (int done = 0; done < Total;)
        {
            done += await plain.Receiver.ReceiveAsync(received);
        }

        await sending;
    }

    /// <summary>By the card into pages, from which a user copies.</summary>
    [Benchmark]
    public async Task CardAndCopy()
    {
        Task sending = SendAsync(copied.Sender);
        for (int done = 0; done < Total;)
        {
            int part = Math.Min(Step, Total - done);
            _ = await copied.Receiver.LandAsync(new ByteCount((ulong)part));
            copied.Receiver.TryReceive(received, ReceiveFlags.None, controls: null, out ByteCount count).ThrowIfError();
            done += (int)count.Value;
        }

        await sending;
    }

    /// <summary>By the card into a bound buffer; tokens are given back in one call a segment.</summary>
    [Benchmark]
    public async Task DeviceMemory()
    {
        Task sending = SendAsync(bound.Sender);
        for (int done = 0; done < Total;)
        {
            int part = Math.Min(Step, Total - done);
            _ = await bound.Receiver.LandAsync(new ByteCount((ulong)part));
            bound.Receiver.TryReceive(received, ReceiveFlags.DeviceMemory, controls, out ByteCount count).ThrowIfError();
            done += (int)count.Value;
            ReturnTokens();
        }

        await sending;
    }

    private void ReturnTokens()
    {
        int count = controls.Messages.Count;
        for (int index = 0; index < count; index++)
        {
            tokens[index] = new TokenRange(controls.Messages[index].Token, 1);
        }

        bound.Receiver.TryReturnTokens(tokens.AsSpan(0, count), out _).ThrowIfError();
        controls.Clear();
    }

    private async Task SendAsync(Socket sender)
    {
        for (int done = 0; done < Total;)
        {
            done += await sender.SendAsync(sent.AsMemory(done));
        }
    }

    private (Socket Sender, NicSocket Receiver) Open(int queue)
    {
        (Socket sender, Socket receiver) = Connect();
        nic.TryOpen(receiver, out NicSocket? socket).ThrowIfError();
        nic.Steering.TryAdd(new FlowRule { SourcePort = socket!.Flow.Source.Port, Queue = queue }, out _).ThrowIfError();
        return (sender, socket);
    }

    private static (Socket Sender, Socket Receiver) Connect()
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        var sender = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        sender.Connect(listener.LocalEndPoint!);
        return (sender, listener.Accept());
    }
}
