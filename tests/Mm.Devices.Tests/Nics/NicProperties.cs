using System.Net.Sockets;
using FsCheck;
using Mm.Core;
using Mm.Devices.Nics;
using Mm.Devices.Nics.Bindings;
using Mm.Devices.Nics.Queues;
using Mm.Devices.Nics.Sockets;
using Mm.DmaBuf.Buffers;

namespace Mm.Devices.Tests.Nics;

internal sealed class NicProperties
{
    /// <summary>Whatever is sent over two flows, and whatever is bound, unbound, restarted and reset meanwhile: every byte arrives once, in order, where it was steered.</summary>
    [FsCheck.NUnit.Property(MaxTest = 40)]
    public void Traffic_UnderAnyProgram_ArrivesByteForByte(byte[] program)
    {
        using var rig = new NicRig(new NicOptions { Queue = new QueueOptions { RingEntries = 6, MaxSegment = new ByteCount(9000), SplitExcess = new ByteCount(30) } });
        using var run = new Run(rig);
        foreach (byte step in program)
        {
            run.Step(step);
        }

        run.Drain();
        Assert.That(run.Received, Is.EqualTo(run.Sent));
    }

    /// <summary>A failure at any allocation while bytes land loses none of them: they wait, and land later.</summary>
    [FsCheck.NUnit.Property(MaxTest = 40)]
    public void Failure_AtAnyAllocation_LosesNoByte(PositiveInt nth, bool isBound)
    {
        using var rig = new NicRig(new NicOptions { Queues = 1, Queue = new QueueOptions { RingEntries = 2, MaxSegment = new ByteCount(5000) } });
        BufferHandle buffer = rig.HeapBuffer(40);
        using NicControl control = rig.Nic.OpenControl();
        if (isBound)
        {
            control.TryBind(buffer, [QueueId.Receive(0)], out _).ThrowIfError();
        }

        (Socket sender, NicSocket receiver) = rig.Connect();
        byte[] sent = rig.Bytes("sent", 60_000);
        rig.Machine.Faults.FailNth(nth.Get % 2 == 0 ? FaultPoint.Slab : FaultPoint.PageAlloc, (ulong)(nth.Get % 40) + 1, 3);
        rig.Start(sender, sent);
        var received = new List<byte>();
        var controls = new ControlBuffer(64);
        byte[] bytes = new byte[9000];
        while (received.Count < sent.Length)
        {
            int left = Math.Min(7000, sent.Length - received.Count);
            _ = receiver.LandAsync(new ByteCount((ulong)left)).AsTask().GetAwaiter().GetResult();
            while (receiver.TryReceive(bytes, ReceiveFlags.DeviceMemory, controls, out ByteCount part).IsOk)
            {
                received.AddRange(isBound ? NicRig.ReadBuffer(buffer, controls.Messages) : bytes[..(int)part.Value]);
                ReturnAll(receiver, controls);
            }
        }

        Assert.That(received.ToArray().AsSpan().SequenceEqual(sent), Is.True);
    }

    private static void ReturnAll(NicSocket socket, ControlBuffer controls)
    {
        foreach (ReceiveControl message in controls.Messages.Where(message => message.Kind == ReceiveControlKind.DeviceMemory))
        {
            Errno errno = socket.TryReturnTokens([new TokenRange(message.Token, 1)], out _);
            if (!errno.IsOk)
            {
                socket.TryReturnTokens([new TokenRange(message.Token, 1)], out _).ThrowIfError();
            }
        }

        controls.Clear();
    }

    // Two flows to two queues; what each was sent and what each received.
    private sealed class Run : IDisposable
    {
        private readonly NicRig rig;
        private readonly NicControl?[] controls = new NicControl?[2];
        private readonly (Socket Sender, NicSocket Receiver)[] flows = new (Socket, NicSocket)[2];
        private readonly List<byte>[] sent = [[], []];
        private readonly List<byte>[] received = [[], []];
        private readonly Dictionary<uint, BufferHandle> byBinding = [];
        private readonly int[] pending = new int[2]; // sends since all was received
        private int sends;

        internal Run(NicRig rig)
        {
            this.rig = rig;
            for (int index = 0; index < 2; index++)
            {
                flows[index] = rig.Connect();
                rig.Steer(flows[index].Receiver, index);
            }
        }

        internal byte[][] Sent => [.. sent.Select(bytes => bytes.ToArray())];

        internal byte[][] Received => [.. received.Select(bytes => bytes.ToArray())];

        internal void Step(byte step)
        {
            int flow = step & 1;
            switch ((step >> 1) % 8)
            {
                case < 3:
                    Send(flow, 1 + (step * 37 % 5000));
                    break;
                case < 5:
                    Receive(flow);
                    break;
                case 5:
                    Bind(flow);
                    break;
                case 6:
                    controls[flow]?.Dispose();
                    controls[flow] = null;
                    break;
                default:
                    rig.Nic.TryRestartQueue(flow).ThrowIfError();
                    break;
            }

            rig.Nic.Validate();
        }

        internal void Drain()
        {
            for (int flow = 0; flow < 2; flow++)
            {
                while (Receive(flow))
                {
                    // Until all has come.
                }

                Assert.That(flows[flow].Receiver.TokenCount, Is.Zero);
            }
        }

        public void Dispose()
        {
            foreach (NicControl? control in controls)
            {
                control?.Dispose();
            }
        }

        private void Send(int flow, int count)
        {
            // Not more than the memory takes, two pages a send: nobody receives meanwhile.
            if (++pending[flow] > 8)
            {
                return;
            }

            byte[] bytes = rig.Bytes($"send {sends++}", count);
            sent[flow].AddRange(bytes);
            Landing landing = NicRig.Send(flows[flow].Sender, flows[flow].Receiver, bytes);
            Assert.That(landing.End, Is.EqualTo(LandingEnd.Done));
        }

        private bool Receive(int flow)
        {
            byte[] bytes = new byte[7000];
            var controlsOf = new ControlBuffer(16);
            NicSocket socket = flows[flow].Receiver;
            if (!socket.TryReceive(bytes, ReceiveFlags.DeviceMemory, controlsOf, out ByteCount count).IsOk)
            {
                pending[flow] = 0;
                return false;
            }

            if (controlsOf.Messages.Count == 0)
            {
                received[flow].AddRange(bytes[..(int)count.Value]);
                return true;
            }

            int at = 0;
            foreach (ReceiveControl message in controlsOf.Messages)
            {
                int size = (int)message.Size.Value;
                received[flow].AddRange(message.Kind == ReceiveControlKind.Linear
                    ? bytes[at..(at + size)]
                    : NicRig.ReadBuffer(byBinding[message.Binding], [message]));
                at += size;
            }

            ReturnAll(socket, controlsOf);
            return true;
        }

        private void Bind(int flow)
        {
            if (controls[flow] is null)
            {
                controls[flow] = rig.Nic.OpenControl();
                BufferHandle buffer = rig.HeapBuffer(24);
                controls[flow]!.TryBind(buffer, [QueueId.Receive(flow)], out DeviceMemoryBinding? binding).ThrowIfError();
                byBinding.Add(binding!.Id, buffer);
            }
        }
    }
}
