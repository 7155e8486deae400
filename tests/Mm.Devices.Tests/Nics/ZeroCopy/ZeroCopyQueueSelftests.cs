using System.Net.Sockets;
using Mm.Core;
using Mm.Devices.Nics;
using Mm.Devices.Nics.Queues;
using Mm.Devices.Nics.Sockets;
using Mm.Devices.Nics.ZeroCopy;

namespace Mm.Devices.Tests.Nics.ZeroCopy;

/// <summary>tools/testing/selftests/drivers/net/hw/iou-zcrx.py (newer than v6.12), case by case under its names.</summary>
internal sealed class ZeroCopyQueueSelftests
{
    [Test]
    public void TestZcrx() => Serve(12_840, 12_840, isRss: false);

    /// <summary>So many receives of a page each.</summary>
    [Test]
    public void TestZcrxOneshot() => Serve(16_384, 4096, isRss: false);

    /// <summary>The flow comes by the table instead of by a rule: here the table is spread over the one queue.</summary>
    [Test]
    public void TestZcrxRss() => Serve(12_840, 12_840, isRss: true);

    private static void Serve(int total, int chunk, bool isRss)
    {
        using var rig = new ZeroCopyRig(new NicOptions { Queues = 2, Queue = new QueueOptions { RingEntries = 64 } });
        VirtRange area = rig.Map(64);
        int served = isRss ? 0 : 1;
        ZeroCopyQueue queue = rig.Register(rig.Options(area) with { Queue = served, RefillEntries = 64 });
        rig.Card.Nic.Steering.TrySpread(1).ThrowIfError();
        (Socket sender, NicSocket receiver) = rig.Card.Connect();
        if (!isRss)
        {
            rig.Card.Steer(receiver, served);
        }

        byte[] sent = rig.Card.Bytes("sent", total);
        var completions = new CompletionBuffer(64);
        for (int at = 0; at < total; at += chunk)
        {
            NicRig.Send(sender, receiver, sent.AsMemory(at, chunk));
            queue.TryReceive(receiver, new ByteCount((ulong)chunk), completions, out ByteCount received).ThrowIfError();
            Assert.That((int)received.Value, Is.EqualTo(chunk));
            List<ReceiveCompletion> taken = ZeroCopyRig.Take(completions);
            Assert.That(rig.Read(area, taken), Is.EqualTo(sent[at..(at + chunk)]));
            taken.ForEach(completion => Assert.That(queue.Ring.TryPush(new RefillEntry(completion.Place)), Is.True));
        }
    }
}
