using System.Net.Sockets;
using Mm.Core;
using Mm.Devices.Nics;
using Mm.Devices.Nics.PagePools;
using Mm.Devices.Nics.Queues;
using Mm.Devices.Nics.Sockets;

namespace Mm.Devices.Tests.Nics;

internal sealed class NicTests
{
    private static readonly QueueOptions Whole = new() { SplitsHeaders = false };

    [TestCase(true, false)]
    [TestCase(false, false)]
    [TestCase(true, true)]
    [TestCase(false, true)]
    public void Bytes_OverTheWire_AreReceivedAsSent(bool splitsHeaders, bool isTranslated)
    {
        using var rig = new NicRig(new NicOptions { Queue = new QueueOptions { SplitsHeaders = splitsHeaders } }, isTranslated);
        rig.Machine.Dma.Diagnostics.IsOn = true;
        (Socket sender, NicSocket receiver) = rig.Connect();
        byte[] sent = rig.Bytes("sent", 100_000);

        Landing landing = NicRig.Send(sender, receiver, sent);
        Assert.That(landing, Is.EqualTo(new Landing(new ByteCount(100_000), LandingEnd.Done)));
        Assert.That(NicRig.Receive(receiver, sent.Length), Is.EqualTo(sent));
        Assert.That(receiver.TryReceive(new byte[1], ReceiveFlags.None, null, out _), Is.EqualTo(Errno.EAGAIN));
        Assert.That(rig.Machine.Dma.Diagnostics.Collect(), Is.Empty);
    }

    [Test]
    public void Segments_OfAFlow_AreAsLargeAsTheCardMakesThem()
    {
        using var rig = new NicRig(new NicOptions { Queues = 1, Queue = new QueueOptions { MaxSegment = new ByteCount(10_000) } });
        (Socket sender, NicSocket receiver) = rig.Connect();
        NicRig.Send(sender, receiver, rig.Bytes("sent", 25_000));

        ReceiveQueue queue = rig.Nic.Queues[0];
        Assert.That((queue.Statistics.Segments, queue.Statistics.Bytes), Is.EqualTo((3L, new ByteCount(25_000))));
        Assert.That(queue.Pool!.InFlight, Is.AtLeast(queue.PostedCount + 3 + 3 + 2), "buffers of 10000, 10000 and 5000 bytes");
        NicRig.Receive(receiver, 25_000);
        Assert.That(queue.Pool.Statistics.Ring, Is.EqualTo(8), "they came back from outside the NAPI context");
    }

    [Test]
    public void Flow_WithARule_GoesToItsQueue()
    {
        using var rig = new NicRig(new NicOptions { Queues = 4 });
        rig.Nic.Steering.TrySpread(1).ThrowIfError();
        (Socket first, NicSocket one) = rig.Connect();
        (Socket second, NicSocket two) = rig.Connect();
        rig.Steer(two, 3);
        NicRig.Send(first, one, new byte[1000]);
        NicRig.Send(second, two, new byte[3000]);

        Assert.That(
            rig.Nic.Queues.Select(queue => queue.Statistics.Bytes.Value), Is.EqualTo(new ulong[] { 1000, 0, 0, 3000 }));
    }

    [Test]
    public void Sender_ThatEnds_EndsTheFlowOnceAllIsReceived()
    {
        using var rig = new NicRig();
        (Socket sender, NicSocket receiver) = rig.Connect();
        sender.Send(new byte[] { 1, 2, 3 });
        sender.Shutdown(SocketShutdown.Send);

        Landing landing = receiver.LandAsync(new ByteCount(10)).AsTask().GetAwaiter().GetResult();
        Assert.That(landing, Is.EqualTo(new Landing(new ByteCount(3), LandingEnd.FlowEnded)));
        Assert.That(NicRig.Receive(receiver, 10), Is.EqualTo(new byte[] { 1, 2, 3 }));
        Assert.That(receiver.TryReceive(new byte[1], ReceiveFlags.None, null, out ByteCount received), Is.EqualTo(Errno.Ok));
        Assert.That(received.IsZero, Is.True);
    }

    [Test]
    public void Queue_WithoutABuffer_LetsTheRestWaitOnTheWire()
    {
        using var rig = new NicRig(new NicOptions { Queues = 1, Queue = new QueueOptions { RingEntries = 2 } });
        (Socket sender, NicSocket receiver) = rig.Connect();
        byte[] sent = rig.Bytes("sent", 400_000);
        NicRig.Send(sender, receiver, new byte[1]); // takes the first pages of headers
        NicRig.Receive(receiver, 1);
        rig.Machine.Faults.FailNth(FaultPoint.PageAlloc, 1, ulong.MaxValue);

        Landing landing = NicRig.Send(sender, receiver, sent);
        Assert.That((landing.End, landing.Bytes.Value), Is.EqualTo((LandingEnd.NoBuffer, 64 * 4096UL)));
        Assert.That(rig.Nic.Queues[0].Statistics.AllocationFailures, Is.Positive);
        rig.Machine.Faults.Clear();
        landing = receiver.LandAsync(new ByteCount(400_000 - landing.Bytes.Value)).AsTask().GetAwaiter().GetResult();
        Assert.That(landing.End, Is.EqualTo(LandingEnd.Done));
        Assert.That(NicRig.Receive(receiver, sent.Length), Is.EqualTo(sent));
    }

    [Test]
    public void Restart_WithBytesUnread_LosesNone()
    {
        using var rig = new NicRig(new NicOptions { Queues = 1 });
        (Socket sender, NicSocket receiver) = rig.Connect();
        byte[] sent = rig.Bytes("sent", 9000);
        NicRig.Send(sender, receiver, sent.AsMemory(0, 4000));
        PagePool before = rig.Nic.Queues[0].Pool!;
        rig.Nic.TryRestartQueue(0).ThrowIfError();

        Assert.That((before.IsDestroyed, before.IsFreed, before.InFlight), Is.EqualTo((true, false, 1)));
        NicRig.Send(sender, receiver, sent.AsMemory(4000));
        Assert.That(NicRig.Receive(receiver, 9000), Is.EqualTo(sent));
        Assert.That((before.IsFreed, rig.Nic.Queues[0].Statistics.Starts), Is.EqualTo((true, 2L)));
        Assert.That(rig.Nic.TryRestartQueue(1), Is.EqualTo(Errno.ERANGE));
    }

    [Test]
    public void Restart_FailedAtEachAllocation_LeavesTheQueueRunning()
    {
        using var rig = new NicRig(new NicOptions { Queues = 1, Queue = new QueueOptions { RingEntries = 1 } });
        (Socket sender, NicSocket receiver) = rig.Connect();
        ulong nth = 1;
        for (; ; nth++)
        {
            PagePool before = rig.Nic.Queues[0].Pool!;
            rig.Machine.Faults.FailNth(FaultPoint.Slab, nth);
            Errno errno = rig.Nic.TryRestartQueue(0);
            bool hasFailed = rig.Machine.Faults.FailureCount(FaultPoint.Slab) > 0;
            rig.Machine.Faults.Clear();
            NicRig.Send(sender, receiver, new byte[] { 1 });
            if (!hasFailed)
            {
                break;
            }

            Assert.That(errno.IsOk || (errno == Errno.ENOMEM && rig.Nic.Queues[0].Pool == before), Is.True, $"{nth}: {errno}");
        }

        Assert.That(nth, Is.AtLeast(5));
    }

    [Test]
    public void QueueCount_Changed_SpreadsFlowsAnew()
    {
        using var rig = new NicRig(new NicOptions { Queues = 2, MaxQueues = 4 });
        (Socket sender, NicSocket receiver) = rig.Connect();
        Assert.That(rig.Nic.TrySetQueueCount(0), Is.EqualTo(Errno.EINVAL));
        Assert.That(rig.Nic.TrySetQueueCount(5), Is.EqualTo(Errno.EINVAL));
        rig.Nic.TrySetQueueCount(4).ThrowIfError();
        rig.Steer(receiver, 3);
        NicRig.Send(sender, receiver, new byte[10]);
        Assert.That(rig.Nic.Queues[3].Statistics.Bytes.Value, Is.EqualTo(10));

        rig.Nic.TrySetQueueCount(1).ThrowIfError();
        NicRig.Send(sender, receiver, new byte[20]);
        Assert.That(rig.Nic.Queues, Has.Count.EqualTo(1));
        Assert.That(rig.Nic.Queues[0].Statistics.Bytes.Value, Is.EqualTo(20), "the rule went with its queue");
    }

    [Test]
    public void Options_Changed_CountFromTheNextSegmentOn()
    {
        using var rig = new NicRig(new NicOptions { Queues = 1 });
        (Socket sender, NicSocket receiver) = rig.Connect();
        Assert.That(rig.Nic.TrySetQueueOptions(new QueueOptions { RingEntries = 0 }), Is.EqualTo(Errno.EINVAL));
        Assert.That(rig.Nic.TrySetQueueOptions(new QueueOptions { MaxSegment = new ByteCount(70_000) }), Is.EqualTo(Errno.EINVAL));
        rig.Nic.TrySetQueueOptions(Whole).ThrowIfError();
        byte[] sent = rig.Bytes("sent", 5000);
        NicRig.Send(sender, receiver, sent);

        Assert.That(rig.Nic.Queues[0].Headers, Is.Null);
        Assert.That(NicRig.Receive(receiver, 5000), Is.EqualTo(sent));
    }

    [Test]
    public void Removal_InTheMiddle_EndsLandingAndKeepsWhatLanded()
    {
        using var rig = new NicRig();
        (Socket sender, NicSocket receiver) = rig.Connect();
        byte[] sent = rig.Bytes("sent", 6000);
        NicRig.Send(sender, receiver, sent);
        sender.Send(new byte[100]);
        rig.Nic.Remove();
        rig.Nic.Remove();

        Assert.That((rig.Nic.State, rig.Device.LiveMappings, rig.Device.IsAttached), Is.EqualTo((DeviceState.Removed, 0, false)));
        Assert.That(receiver.Land(), Is.EqualTo(new Landing(ByteCount.Zero, LandingEnd.DeviceGone)));
        Assert.That(NicRig.Receive(receiver, 6000), Is.EqualTo(sent));
        (_, Socket other) = rig.ConnectPlainly();
        using (other)
        {
            Assert.That(rig.Nic.TryOpen(other, out _), Is.EqualTo(Errno.ENODEV));
        }

        Errno[] refused = [rig.Nic.TryRestartQueue(0), rig.Nic.TrySetQueueCount(1), rig.Nic.TrySetQueueOptions(Whole), rig.Nic.TrySetXdpProgram(true)];
        Assert.That(refused, Is.All.EqualTo(Errno.ENODEV));
    }

    [Test]
    public void Reset_InTheMiddle_LosesNothing()
    {
        using var rig = new NicRig();
        (Socket sender, NicSocket receiver) = rig.Connect();
        byte[] sent = rig.Bytes("sent", 6000);
        NicRig.Send(sender, receiver, sent.AsMemory(0, 3000));
        sender.Send(sent.AsSpan(3000));
        rig.Nic.Reset();

        Assert.That(receiver.LandAsync(new ByteCount(3000)).AsTask().GetAwaiter().GetResult().End, Is.EqualTo(LandingEnd.Done));
        Assert.That(NicRig.Receive(receiver, 6000), Is.EqualTo(sent));
        rig.Nic.Remove();
        rig.Nic.Reset();
        Assert.That(rig.Nic.State, Is.EqualTo(DeviceState.Removed));
    }

    /// <summary>A reset that finds no memory leaves queues standing; they start when somebody asks for bytes.</summary>
    [Test]
    public void Reset_WithoutMemory_StartsQueuesLater()
    {
        using var rig = new NicRig(new NicOptions { Queues = 1 });
        (Socket sender, NicSocket receiver) = rig.Connect();
        sender.Send(new byte[] { 5 });
        rig.Machine.Faults.FailNth(FaultPoint.Slab, 1, ulong.MaxValue);
        rig.Nic.Reset();

        Assert.That(receiver.Land().End, Is.EqualTo(LandingEnd.NoBuffer));
        rig.Machine.Faults.Clear();
        Assert.That(receiver.LandAsync(new ByteCount(1)).AsTask().GetAwaiter().GetResult().End, Is.EqualTo(LandingEnd.Done));
    }

    [Test]
    public void Create_OfIllegalOptions_IsRefused()
    {
        using var rig = new NicRig();
        NicOptions[] illegal =
        [
            new NicOptions { Queues = 0 },
            new NicOptions { Queues = 4, MaxQueues = 3 },
            new NicOptions { Queue = new QueueOptions { SplitExcess = new ByteCount(129) } },
            new NicOptions { Queue = new QueueOptions { Order = 11 } },
        ];
        Assert.That(illegal.Select(options => Nic.TryCreate(rig.Machine, rig.Device, options, out _)), Is.All.EqualTo(Errno.EINVAL));
        rig.Nic.Remove();
        Assert.That(Nic.TryCreate(rig.Machine, rig.Device, new NicOptions(), out _), Is.EqualTo(Errno.ENODEV));
    }

    [Test]
    public void Ledger_OfAWorkingCard_NamesWhatItHolds()
    {
        using var rig = new NicRig(new NicOptions { Queues = 1 });
        (Socket sender, NicSocket receiver) = rig.Connect();
        NicRig.Send(sender, receiver, new byte[100]);

        Assert.That(rig.Ledger.Select(entry => (entry.Holder, entry.Kind)), Is.EqualTo(new[]
        {
            ("nic0 queue 0", HoldingKind.Page), ("nic0 queue 0", HoldingKind.Page), ($"nic0 socket {receiver.Flow}", HoldingKind.Page),
        }));
        Assert.That((rig.Nic.Name, rig.Nic.Id, rig.Nic.ToString()), Is.EqualTo(("nic0", rig.Device.Id, "nic0 (0000:04:00.0)")));
    }
}
