using System.Net.Sockets;
using Mm.Core;
using Mm.Devices.Nics;
using Mm.Devices.Nics.Bindings;
using Mm.Devices.Nics.Queues;
using Mm.Devices.Nics.Sockets;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Exporters;

namespace Mm.Devices.Tests.Nics;

/// <summary>A card at work on one thread while another takes memory away, gives it back, restarts and resets.</summary>
internal sealed class NicThreadsTests
{
    private const int Total = 600_000;

    [Test]
    [CancelAfter(60_000)]
    public void Flow_WhileMemoryIsTakenAndQueuesRestart_ArrivesByteForByte(CancellationToken cancellation)
    {
        using var rig = new NicRig(new NicOptions { Queues = 2, Queue = new QueueOptions { RingEntries = 4, MaxSegment = new ByteCount(6000) } });
        (BarBuffer owner, BufferHandle buffer) = rig.BarBuffer(0, 32);
        using NicControl control = rig.Nic.OpenControl();
        control.TryBind(buffer, [QueueId.Receive(1)], out _, BindingContract.Revocable).ThrowIfError();
        (Socket sender, NicSocket receiver) = rig.Connect();
        rig.Steer(receiver, 1);
        byte[] sent = rig.Bytes("sent", Total);
        rig.Start(sender, sent);
        int isDone = 0;
        var disturber = new Thread(() => Disturb(rig, owner, ref isDone));
        disturber.Start();
        byte[] received = ReceiveAll(rig, receiver, cancellation);
        Volatile.Write(ref isDone, 1);
        disturber.Join();

        Assert.That(received.AsSpan().SequenceEqual(sent), Is.True);
        Assert.That(rig.Nic.Queues[1].Statistics.Faults, Is.Zero, "no write was on its way when memory was taken");
        Assert.That(rig.Nic.Queues[1].Statistics.Starts, Is.GreaterThan(1));
    }

    [Test]
    [CancelAfter(60_000)]
    public void Removal_WhileAFlowLands_EndsItAndLeavesNothing(CancellationToken cancellation)
    {
        using var rig = new NicRig(new NicOptions { Queues = 1 });
        using NicControl control = rig.Nic.OpenControl();
        control.TryBind(rig.HeapBuffer(100), [QueueId.Receive(0)], out DeviceMemoryBinding? binding).ThrowIfError();
        (Socket sender, NicSocket receiver) = rig.Connect();
        rig.Start(sender, rig.Bytes("sent", 200_000));
        var remover = new Thread(rig.Nic.Remove);
        remover.Start();
        Landing landing;
        do
        {
            landing = receiver.LandAsync(new ByteCount(4096), cancellation).AsTask().GetAwaiter().GetResult();
        }
        while (landing.End == LandingEnd.Done);
        remover.Join();

        Assert.That(landing.End, Is.EqualTo(LandingEnd.DeviceGone).Or.EqualTo(LandingEnd.NoBuffer));
        Assert.That((rig.Device.LiveMappings, binding!.IsAttached), Is.EqualTo((0, false)));
        receiver.Dispose();
    }

    [Test]
    [CancelAfter(60_000)]
    public void Flow_WhileQueuesComeAndGo_IsSteeredToOneThatIsThere(CancellationToken cancellation)
    {
        using var rig = new NicRig(new NicOptions { Queues = 1, Queue = new QueueOptions { RingEntries = 1 } });
        NicSocket[] receivers = [.. Enumerable.Range(0, 4).Select(_ => rig.Connect().Receiver)];
        int isDone = 0;
        var changer = new Thread(() =>
        {
            for (int round = 0; round < 1000 && !cancellation.IsCancellationRequested; round++)
            {
                rig.Nic.TrySetQueueCount(1 + (round % 2)).ThrowIfError();
            }

            Volatile.Write(ref isDone, 1);
        });
        changer.Start();
        var ends = new HashSet<LandingEnd>();
        for (int turn = 0; Volatile.Read(ref isDone) == 0; turn++)
        {
            ends.Add(receivers[turn % receivers.Length].Land().End);
        }

        changer.Join();
        Assert.That(ends, Does.Contain(LandingEnd.WireEmpty));
    }

    private static void Disturb(NicRig rig, BarBuffer owner, ref int isDone)
    {
        for (int round = 0; Volatile.Read(ref isDone) == 0; round++)
        {
            switch (round % 4)
            {
                case 0:
                    owner.TryRevoke().ThrowIfError();
                    break;
                case 1:
                    owner.TryRestore().ThrowIfError();
                    break;
                case 2:
                    rig.Nic.TryRestartQueue(1).ThrowIfError();
                    break;
                default:
                    rig.Nic.Reset();
                    break;
            }
        }

        owner.TryRestore().ThrowIfError();
    }

    private static byte[] ReceiveAll(NicRig rig, NicSocket receiver, CancellationToken cancellation)
    {
        var received = new List<byte>(Total);
        while (received.Count < Total)
        {
            cancellation.ThrowIfCancellationRequested();
            int wanted = Math.Min(5000, Total - received.Count);
            _ = receiver.LandAsync(new ByteCount((ulong)wanted), cancellation).AsTask().GetAwaiter().GetResult();
            var controls = new ControlBuffer(16);
            while (receiver.TryReceive(new byte[9000], ReceiveFlags.DeviceMemory, controls, out _).IsOk)
            {
                foreach (ReceiveControl message in controls.Messages)
                {
                    received.AddRange(rig.ReadGpu(message.Offset.Value, (int)message.Size.Value));
                    receiver.TryReturnTokens([new TokenRange(message.Token, 1)], out _).ThrowIfError();
                }

                controls.Clear();
            }
        }

        return [.. received];
    }
}
