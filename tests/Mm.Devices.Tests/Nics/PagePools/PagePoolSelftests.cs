using System.Net.Sockets;
using Mm.Core;
using Mm.Devices.Nics;
using Mm.Devices.Nics.Queues;
using Mm.Devices.Nics.Sockets;

namespace Mm.Devices.Tests.Nics.PagePools;

/// <summary>tools/testing/selftests/drivers/net/hw/pp_alloc_fail.py (v6.12): traffic goes on while allocations of a pool fail.</summary>
internal sealed class PagePoolSelftests
{
    [Test]
    public void TestPpAlloc()
    {
        using var rig = new NicRig(new NicOptions { Queues = 1, Queue = new QueueOptions { RingEntries = 8 } });
        (Socket sender, NicSocket receiver) = rig.Connect();
        Flow(rig, sender, receiver, 200_000);
        long failures = rig.Nic.Queues[0].Statistics.AllocationFailures;
        rig.Machine.Faults.FailNth(FaultPoint.PageAlloc, 1, ulong.MaxValue);
        Assert.That(NicRig.Send(sender, receiver, rig.Bytes("held", 500_000)).End, Is.EqualTo(LandingEnd.NoBuffer));
        Assert.That(rig.Nic.Queues[0].Statistics.AllocationFailures, Is.GreaterThan(failures), "rx-alloc-fail");

        // What wobbles: the ring's size is changed while memory is short, and refused or not, traffic goes on.
        _ = rig.Nic.TrySetQueueOptions(new QueueOptions { RingEntries = 16 });
        rig.Machine.Faults.Clear();
        NicRig.Receive(receiver, 500_000);
        Landing rest = receiver.LandAsync(new ByteCount(1)).AsTask().GetAwaiter().GetResult();
        Assert.That(rest.End, Is.EqualTo(LandingEnd.Done), "traffic flows again");
    }

    private static void Flow(NicRig rig, Socket sender, NicSocket receiver, int total)
    {
        byte[] sent = rig.Bytes("flow", total);
        for (int at = 0; at < total; at += 10_000)
        {
            NicRig.Send(sender, receiver, sent.AsMemory(at, 10_000));
            Assert.That(NicRig.Receive(receiver, 10_000), Is.EqualTo(sent[at..(at + 10_000)]));
        }
    }
}
