using System.Net.Sockets;
using Mm.Core;
using Mm.Devices.Nics;
using Mm.Devices.Nics.Flows;
using Mm.Devices.Nics.Queues;
using Mm.Devices.Nics.Sockets;

namespace Mm.Devices.Tests.Nics.Queues;

internal sealed class ReceiveQueueTests
{
    [Test]
    public void Header_OfASegment_SaysWhoseItIsAndHowMuchFollows()
    {
        using var rig = new NicRig(new NicOptions { Queues = 1, Queue = new QueueOptions { MaxSegment = new ByteCount(3000) } });
        (Socket sender, NicSocket receiver) = rig.Connect();
        NicRig.Send(sender, receiver, rig.Bytes("sent", 5000));
        var headers = new HeaderCollector();
        receiver.TryRead(long.MaxValue, headers, out long taken).ThrowIfError();

        Assert.That(taken, Is.EqualTo(5000));
        Assert.That(headers.Found, Is.EqualTo(new[]
        {
            new WireHeader(receiver.Flow, 0, 3000), new WireHeader(receiver.Flow, 3000, 2000),
        }));
    }

    [Test]
    public void Header_NotSplitOff_StandsBeforeThePayload()
    {
        using var rig = new NicRig(new NicOptions { Queues = 1, Queue = new QueueOptions { SplitsHeaders = false } });
        (Socket sender, NicSocket receiver) = rig.Connect();
        NicRig.Send(sender, receiver, rig.Bytes("sent", 5000));
        var headers = new HeaderCollector();
        receiver.TryRead(long.MaxValue, headers, out _).ThrowIfError();

        Assert.That(headers.Found, Is.EqualTo(new[] { new WireHeader(receiver.Flow, 0, 5000) }));
        Assert.That(headers.Fragments, Is.EqualTo(new[] { (54, 4042), (0, 958) }));
    }

    /// <summary>The card writes by its own address: what is not mapped any more faults, and no byte leaves the wire.</summary>
    [Test]
    public void Write_ThatFaults_LeavesTheBytesOnTheWire()
    {
        using var rig = new NicRig(new NicOptions { Queues = 1, Queue = new QueueOptions { RingEntries = 1 } });
        (Socket sender, NicSocket receiver) = rig.Connect();
        NicRig.Send(sender, receiver, new byte[1]); // takes a page of headers, which a detached device could not map
        sender.Send(new byte[] { 1, 2, 3 });
        rig.Machine.Dma.TryDetach(rig.Device.Id).ThrowIfError();

        Landing landing = receiver.LandAsync(new ByteCount(3)).AsTask().GetAwaiter().GetResult();
        Assert.That(landing, Is.EqualTo(new Landing(ByteCount.Zero, LandingEnd.Fault)));
        Assert.That(rig.Nic.Queues[0].Statistics.Faults, Is.Positive);
    }

    [Test]
    public void Queue_OfLargeBuffers_FillsThem()
    {
        using var rig = new NicRig(new NicOptions { Queues = 1, Queue = new QueueOptions { Order = 2 } });
        (Socket sender, NicSocket receiver) = rig.Connect();
        byte[] sent = rig.Bytes("sent", 40_000);
        NicRig.Send(sender, receiver, sent);

        Assert.That(rig.Nic.Queues[0].Pool!.Statistics.SlowHighOrder, Is.Positive);
        Assert.That(NicRig.Receive(receiver, 40_000), Is.EqualTo(sent));
    }

    /// <summary>Buffers that lie side by side in bound memory are filled by one read of the wire.</summary>
    [Test]
    public void Neighbours_OfBoundMemory_AreFilledAtOneGo()
    {
        const int Total = 60 * 1024;
        using var rig = new NicRig(new NicOptions { Queues = 1, Queue = new QueueOptions { MaxSegment = QueueOptions.LargestSegment } });
        (_, Mm.DmaBuf.Buffers.BufferHandle buffer) = rig.BarBuffer(0, 32);
        using NicControl control = rig.Nic.OpenControl();
        control.TryBind(buffer, [QueueId.Receive(0)], out _, Mm.Devices.Nics.Bindings.BindingContract.Revocable).ThrowIfError();
        (Socket sender, NicSocket receiver) = rig.Connect();
        byte[] sent = rig.Bytes("sent", Total);
        sender.Send(sent);
        Assert.That(receiver.LandAsync(new ByteCount(Total)).AsTask().GetAwaiter().GetResult().End, Is.EqualTo(LandingEnd.Done));
        var controls = new ControlBuffer(32);
        receiver.TryReceive(new byte[Total], ReceiveFlags.DeviceMemory, controls, out _).ThrowIfError();

        Assert.That(controls.Messages, Has.Count.EqualTo(15));
        Assert.That(rig.Nic.Queues[0].Statistics.Reads, Is.LessThan(15));
        Assert.That(rig.ReadGpu(0, Total), Is.EqualTo(sent));
    }

    [Test]
    public void QueueId_OfAReceiveQueue_IsOne() =>
        Assert.That(QueueId.Receive(3), Is.EqualTo(new QueueId(QueueKind.Receive, 3)));

    private sealed class HeaderCollector : ISegmentReader
    {
        internal List<WireHeader> Found { get; } = [];

        internal List<(int Start, int Count)> Fragments { get; } = [];

        public Errno TryRead(Segment segment, int from, int atMost, out int taken)
        {
            Assert.That(WireHeader.TryRead(segment.OpenHeader().Span, out WireHeader header, out _), Is.True);
            Found.Add(header);
            Fragments.AddRange(segment.Fragments.Select(fragment => (fragment.Start, fragment.Count)));
            taken = atMost;
            return Errno.Ok;
        }
    }
}
