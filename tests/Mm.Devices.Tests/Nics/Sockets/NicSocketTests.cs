using System.Net;
using System.Net.Sockets;
using Mm.Core;
using Mm.Devices.Nics;
using Mm.Devices.Nics.PagePools;
using Mm.Devices.Nics.Queues;
using Mm.Devices.Nics.Sockets;
using Mm.DmaBuf.Buffers;

namespace Mm.Devices.Tests.Nics.Sockets;

internal sealed class NicSocketTests
{
    /// <summary>T4: a plain receive of what lies in device memory gives EFAULT and consumes nothing.</summary>
    [Test]
    public void Receive_OfDeviceMemoryWithoutTheFlag_IsRefusedAndConsumesNothing()
    {
        using var rig = new NicRig();
        using Bound bound = Bind(rig, 8);
        NicRig.Send(bound.Sender, bound.Receiver, rig.Bytes("sent", 5000));

        byte[] bytes = new byte[5000];
        Assert.That(bound.Receiver.TryReceive(bytes, ReceiveFlags.None, null, out ByteCount received), Is.EqualTo(Errno.EFAULT));
        Assert.That(bound.Receiver.TryReceive(bytes, ReceiveFlags.Peek, null, out _), Is.EqualTo(Errno.EFAULT));
        Assert.That((received.Value, bound.Receiver.Available.Value, bound.Receiver.TokenCount), Is.EqualTo((0UL, 5000UL, 0)));
        Assert.That(bytes, Is.All.Zero);
        bound.Receiver.TryReceive(bytes, ReceiveFlags.DeviceMemory, new ControlBuffer(4), out received).ThrowIfError();
        Assert.That((received.Value, bound.Receiver.TokenCount), Is.EqualTo((5000UL, 2)));
    }

    [Test]
    public void Receive_OfReadableBytesWithTheFlag_CopiesWithoutMessages()
    {
        using var rig = new NicRig();
        (Socket sender, NicSocket receiver) = rig.Connect();
        NicRig.Send(sender, receiver, new byte[] { 1, 2, 3 });
        var controls = new ControlBuffer(4);
        byte[] bytes = new byte[10];
        receiver.TryReceive(bytes, ReceiveFlags.DeviceMemory, controls, out ByteCount received).ThrowIfError();

        Assert.That((received.Value, controls.Messages.Count, bytes[2]), Is.EqualTo((3UL, 0, (byte)3)));
    }

    [Test]
    public void Receive_OfPayloadBehindTheHeader_AnnouncesItAsLinear()
    {
        using var rig = new NicRig(new NicOptions { Queue = new QueueOptions { SplitExcess = new ByteCount(100) } });
        using Bound bound = Bind(rig, 8);
        byte[] sent = rig.Bytes("sent", 5000);
        NicRig.Send(bound.Sender, bound.Receiver, sent);
        var controls = new ControlBuffer(4);
        byte[] bytes = new byte[5000];
        bound.Receiver.TryReceive(bytes, ReceiveFlags.DeviceMemory, controls, out ByteCount received).ThrowIfError();

        Assert.That(received.Value, Is.EqualTo(5000));
        Assert.That(controls.Messages.Select(message => (message.Kind, message.Size.Value)), Is.EqualTo(new[]
        {
            (ReceiveControlKind.Linear, 100UL), (ReceiveControlKind.DeviceMemory, 4096UL), (ReceiveControlKind.DeviceMemory, 804UL),
        }));
        Assert.That(bytes.AsSpan(0, 100).SequenceEqual(sent.AsSpan(0, 100)), Is.True);
        Assert.That(bytes.AsSpan(100).ContainsAnyExcept((byte)0), Is.False);
        Assert.That(bound.Read(controls), Is.EqualTo(sent[100..]));
    }

    /// <summary>A segment that lies wholly behind its header is readable, on a bound queue, too.</summary>
    [Test]
    public void Receive_OfShortPayloadBehindTheHeader_IsReadable()
    {
        using var rig = new NicRig(new NicOptions { Queue = new QueueOptions { SplitExcess = new ByteCount(100) } });
        using Bound bound = Bind(rig, 8);
        NicRig.Send(bound.Sender, bound.Receiver, new byte[] { 4, 5 });

        Assert.That(NicRig.Receive(bound.Receiver, 2), Is.EqualTo(new byte[] { 4, 5 }));
    }

    [Test]
    public void Receive_OfBothKinds_NeverMixesThemInOneCall()
    {
        using var rig = new NicRig();
        BufferHandle buffer = rig.HeapBuffer(8);
        (Socket sender, NicSocket receiver) = rig.Connect();
        rig.Steer(receiver, 0);
        NicRig.Send(sender, receiver, new byte[] { 1 });
        NicRig.Send(sender, receiver, new byte[] { 2 });
        using NicControl control = rig.Nic.OpenControl();
        control.TryBind(buffer, [QueueId.Receive(0)], out _).ThrowIfError();
        NicRig.Send(sender, receiver, new byte[] { 3 });
        control.Dispose();
        NicRig.Send(sender, receiver, new byte[] { 4 });

        var controls = new ControlBuffer(8);
        ulong[] sizes = new ulong[3];
        for (int call = 0; call < 3; call++)
        {
            receiver.TryReceive(new byte[10], ReceiveFlags.DeviceMemory, controls, out ByteCount received).ThrowIfError();
            sizes[call] = received.Value;
        }

        Assert.That(sizes, Is.EqualTo(new ulong[] { 2, 1, 1 }));
        Assert.That(controls.Messages, Has.Count.EqualTo(1));
    }

    [Test]
    public void Peek_OfAnyKind_ConsumesNothing()
    {
        using var rig = new NicRig();
        using Bound bound = Bind(rig, 8);
        (Socket sender, NicSocket plain) = rig.Connect();
        rig.Steer(plain, 1);
        NicRig.Send(sender, plain, new byte[] { 1, 2 });
        plain.TryReceive(new byte[1], ReceiveFlags.Peek, null, out _).ThrowIfError();
        NicRig.Send(bound.Sender, bound.Receiver, new byte[] { 3 });
        var controls = new ControlBuffer(2);
        bound.Receiver.TryReceive(new byte[1], ReceiveFlags.Peek | ReceiveFlags.DeviceMemory, controls, out _).ThrowIfError();
        bound.Receiver.TryReceive(new byte[1], ReceiveFlags.DeviceMemory, controls, out _).ThrowIfError();

        Assert.That(NicRig.Receive(plain, 2), Is.EqualTo(new byte[] { 1, 2 }));
        Assert.That(controls.Messages.Select(message => (message.Offset.Value, message.Token)), Is.EqualTo(new[] { (0UL, 1U), (0UL, 2U) }), "two tokens of one fragment");
    }

    [Test]
    public void Receive_WithoutRoomForMessagesOrMemoryForTokens_IsRefusedOrShort()
    {
        using var rig = new NicRig();
        using Bound bound = Bind(rig, 8);
        NicRig.Send(bound.Sender, bound.Receiver, rig.Bytes("sent", 10_000));
        byte[] bytes = new byte[10_000];
        Assert.That(bound.Receiver.TryReceive(bytes, ReceiveFlags.DeviceMemory, null, out _), Is.EqualTo(Errno.ETOOSMALL));
        Assert.That(bound.Receiver.TryReceive(bytes, ReceiveFlags.DeviceMemory, new ControlBuffer(0), out _), Is.EqualTo(Errno.ETOOSMALL));
        rig.Machine.Faults.FailNth(FaultPoint.Slab, 1);
        Assert.That(bound.Receiver.TryReceive(bytes, ReceiveFlags.DeviceMemory, new ControlBuffer(9), out _), Is.EqualTo(Errno.ENOMEM));
        Assert.That((bound.Receiver.Available.Value, bound.Receiver.TokenCount), Is.EqualTo((10_000UL, 0)), "refused, nothing is consumed");

        bound.Receiver.TryReceive(bytes, ReceiveFlags.DeviceMemory, new ControlBuffer(2), out ByteCount received).ThrowIfError();
        Assert.That((received.Value, bound.Receiver.TokenCount), Is.EqualTo((8192UL, 2)));
        bound.Receiver.TryReceive(bytes.AsSpan(0, 100), ReceiveFlags.DeviceMemory, new ControlBuffer(2), out received).ThrowIfError();
        Assert.That((received.Value, bound.Receiver.Available.Value, bound.Receiver.TokenCount), Is.EqualTo((100UL, 1708UL, 3)));
    }

    /// <summary>T3: more than 128 ranges or no whole ranges are refused; the 1025th fragment ends the call; unknown tokens are passed over.</summary>
    [Test]
    public void ReturnTokens_AtItsLimits_ActsAsLinux()
    {
        using var rig = new NicRig();
        using Bound bound = Bind(rig, 8);
        NicRig.Send(bound.Sender, bound.Receiver, rig.Bytes("sent", 12_000));
        bound.Receiver.TryReceive(new byte[12_000], ReceiveFlags.DeviceMemory, new ControlBuffer(9), out _).ThrowIfError();
        NicSocket socket = bound.Receiver;

        Assert.That(socket.TryReturnTokens(new TokenRange[129], out int freed), Is.EqualTo(Errno.EINVAL));
        Assert.That(socket.TryReturnTokens(new byte[12], out _), Is.EqualTo(Errno.EINVAL));
        Assert.That(socket.TryReturnTokens(new TokenRange[128], out freed), Is.EqualTo(Errno.Ok));
        Assert.That(freed, Is.Zero, "empty ranges");
        socket.TryReturnTokens([new TokenRange(1000, 1022), new TokenRange(1, 3)], out freed).ThrowIfError();
        Assert.That((freed, socket.TokenCount), Is.EqualTo((2, 1)), "the 1025th is not looked at");
        socket.TryReturnTokens([new TokenRange(1, 1), new TokenRange(uint.MaxValue, 2)], out freed).ThrowIfError();
        Assert.That(freed, Is.Zero, "given back before, and around the end of the numbers");
        rig.Machine.Faults.FailNth(FaultPoint.Slab, 1);
        Assert.That(socket.TryReturnTokens([new TokenRange(3, 1)], out _), Is.EqualTo(Errno.ENOMEM));
        socket.TryReturnTokens([new TokenRange(3, 1)], out freed).ThrowIfError();
        Assert.That(freed, Is.EqualTo(1));
    }

    [Test]
    public void Tokens_GivenBack_AreUsedAgainFromTheLowest()
    {
        using var rig = new NicRig();
        using Bound bound = Bind(rig, 8);
        var controls = new ControlBuffer(20);
        for (int round = 0; round < 4; round++)
        {
            NicRig.Send(bound.Sender, bound.Receiver, new byte[] { 1 });
            bound.Receiver.TryReceive(new byte[1], ReceiveFlags.DeviceMemory, controls, out _).ThrowIfError();
            if (round == 2)
            {
                bound.Receiver.TryReturnTokens([new TokenRange(2, 1)], out _).ThrowIfError();
            }
        }

        Assert.That(controls.Messages.Select(message => message.Token), Is.EqualTo(new uint[] { 1, 2, 3, 2 }));
    }

    [Test]
    public void Close_WithTokensOut_GivesThemBack()
    {
        using var rig = new NicRig();
        using Bound bound = Bind(rig, 8);
        NicRig.Send(bound.Sender, bound.Receiver, rig.Bytes("sent", 8192));
        bound.Receiver.TryReceive(new byte[5000], ReceiveFlags.DeviceMemory, new ControlBuffer(9), out _).ThrowIfError();
        Assert.That(rig.Ledger.Single(entry => entry.Kind == HoldingKind.Token).Count, Is.EqualTo(2));
        bound.Receiver.Dispose();
        bound.Receiver.Dispose();

        Assert.That(rig.Ledger.Where(entry => entry.Kind == HoldingKind.Token), Is.Empty);
        Assert.That(bound.Receiver.Land().End, Is.EqualTo(LandingEnd.ConnectionLost));
        Assert.That(rig.Nic.Queues[0].Pool!.InFlight, Is.EqualTo(8), "all in the ring again, or in the pool");
        Assert.That(() => bound.Receiver.TryReceive(new byte[1], ReceiveFlags.None, null, out _), Throws.InstanceOf<ObjectDisposedException>());
    }

    [Test]
    public void Socket_OfUdp_ReceivesDatagramsAndHasNoTokens()
    {
        using var rig = new NicRig();
        using var sender = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        using var receiver = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        sender.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        receiver.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        sender.Connect(receiver.LocalEndPoint!);
        receiver.Connect(sender.LocalEndPoint!);
        rig.Nic.TryOpen(receiver, out NicSocket? socket).ThrowIfError();
        NicRig.Send(sender, socket!, new byte[] { 1, 2, 3 });

        Assert.That(socket!.Protocol, Is.EqualTo(ProtocolType.Udp));
        Assert.That(NicRig.Receive(socket, 3), Is.EqualTo(new byte[] { 1, 2, 3 }));
        Assert.That(socket.TryReturnTokens([new TokenRange(1, 1)], out _), Is.EqualTo(Errno.EBADF));
    }

    [Test]
    public void Connection_ThatBreaks_EndsLanding()
    {
        using var rig = new NicRig();
        (Socket sender, NicSocket receiver) = rig.Connect();
        sender.LingerState = new LingerOption(true, 0);
        sender.Close();

        Landing landing = receiver.LandAsync(new ByteCount(1)).AsTask().GetAwaiter().GetResult();
        Assert.That(landing.End, Is.EqualTo(LandingEnd.ConnectionLost));
    }

    /// <summary>A fragment that is no device memory, inside a segment that is: refused, nothing is consumed of it.</summary>
    [Test]
    public void Receive_OfAMixedSegment_IsRefused()
    {
        using var rig = new NicRig();
        using Bound bound = Bind(rig, 80);
        using var pages = new PagePoolHolder(rig);
        bound.Receiver.Deliver(pages.MixedSegment(rig.Nic.Queues[0].Pool!));

        Assert.That(bound.Receiver.TryReceive(new byte[20], ReceiveFlags.DeviceMemory, new ControlBuffer(4), out ByteCount received), Is.EqualTo(Errno.Ok));
        Assert.That(received.Value, Is.EqualTo(10), "what came before counts");
        Assert.That(bound.Receiver.TryReceive(new byte[20], ReceiveFlags.DeviceMemory, new ControlBuffer(4), out _), Is.EqualTo(Errno.ENODEV));
        bound.Receiver.Dispose();
    }

    [Test]
    public void Control_WithNegativeRoom_Throws() =>
        Assert.That(() => new ControlBuffer(-1), Throws.InstanceOf<ArgumentOutOfRangeException>());

    private static Bound Bind(NicRig rig, ulong pages) => new(rig, pages);

    private sealed class Bound : IDisposable
    {
        private readonly BufferHandle buffer;
        private readonly NicControl control;

        internal Bound(NicRig rig, ulong pages)
        {
            buffer = rig.HeapBuffer(pages);
            control = rig.Nic.OpenControl();
            control.TryBind(buffer, [QueueId.Receive(0)], out _).ThrowIfError();
            (Sender, Receiver) = rig.Connect();
            rig.Steer(Receiver, 0);
        }

        internal Socket Sender { get; }

        internal NicSocket Receiver { get; }

        internal byte[] Read(ControlBuffer controls) => NicRig.ReadBuffer(buffer, controls.Messages);

        public void Dispose() => control.Dispose();
    }

    private sealed class PagePoolHolder(NicRig rig) : IDisposable
    {
        private PagePool? pool;

        internal Segment MixedSegment(PagePool bound)
        {
            PagePool.TryCreate(rig.Machine, new PagePoolOptions(), out pool).ThrowIfError();
            pool!.TryAllocate(out PoolLease page).ThrowIfError();
            using NapiContext.Scope napi = bound.Options.Napi!.Enter();
            bound.TryAllocate(out PoolLease memory).ThrowIfError();
            var segment = new Segment(default, 0, 0);
            segment.Add(new SegmentFragment(memory, 0, 10));
            segment.Add(new SegmentFragment(page, 0, 10));
            return segment;
        }

        public void Dispose() => pool!.Dispose();
    }
}
