using System.Net.Sockets;
using Mm.Core;
using Mm.Devices.Nics;
using Mm.Devices.Nics.Bindings;
using Mm.Devices.Nics.Queues;
using Mm.Devices.Nics.Sockets;
using Mm.Devices.Tests.Nics;
using Mm.DmaBuf.Buffers;

namespace Mm.Devices.Tests.Seeds;

/// <summary>S1, one allocator: the GPU's driver owns all of its BAR; packets land in the memory of the process whose flow it is.</summary>
[Category("Seeds")]
internal sealed class OneAllocatorReceiveTests
{
    private const int PageBytes = 4096;

    [Test]
    public void ReceiveQueue_OfAProcess_FillsThatProcesssPagesOfTheGpuAlone()
    {
        using var rig = new NicRig(new NicOptions { Queues = 3 });
        rig.Nic.Steering.TrySpread(1).ThrowIfError();

        // The driver's own allocator gives each process a piece of the BAR, and makes no pool of it.
        var p = new Process(rig, startPage: 100, queue: 1);
        var q = new Process(rig, startPage: 200, queue: 2);
        Assert.That(rig.Pci.Pools.TryFind(NicRig.Gpu, out _), Is.False, "no p2pmem pool, and so no second allocator");
        byte[] toP = rig.Bytes("for P", 20_000);
        byte[] toQ = rig.Bytes("for Q", 30_000);
        NicRig.Send(p.Sender, p.Receiver, toP);
        NicRig.Send(q.Sender, q.Receiver, toQ);
        p.Receive(20_000);
        q.Receive(30_000);

        Assert.That(p.Read(), Is.EqualTo(toP));
        Assert.That(q.Read(), Is.EqualTo(toQ));
        Assert.That(p.Touched(rig), Is.EqualTo(5), "pages of P that hold its 20000 bytes");
        Assert.That(q.Touched(rig), Is.EqualTo(8));
        Assert.That(CountTouched(rig, 0, 400), Is.EqualTo(5 + 8), "and of the whole BAR no page besides");
        Assert.That(rig.Nic.Queues[1].Statistics.Bytes.Value + rig.Nic.Queues[2].Statistics.Bytes.Value, Is.EqualTo(50_000));
        p.End();
        q.End();
    }

    /// <summary>A flow of Q that no rule sends anywhere goes to RAM, never to P; also while P's queue is taken away and comes back.</summary>
    [Test]
    public void Flow_OfAnotherProcess_NeverLandsInThisOnes()
    {
        using var rig = new NicRig(new NicOptions { Queues = 3 });
        rig.Nic.Steering.TrySpread(1).ThrowIfError();
        var p = new Process(rig, startPage: 100, queue: 1);
        (Socket sender, NicSocket q) = rig.Connect();
        byte[] sent = rig.Bytes("for Q", 40_000);
        NicRig.Send(sender, q, sent.AsMemory(0, 20_000));
        rig.Nic.Reset();
        NicRig.Send(sender, q, sent.AsMemory(20_000));

        Assert.That(NicRig.Receive(q, 40_000), Is.EqualTo(sent));
        Assert.That(CountTouched(rig, 0, 400), Is.Zero, "no byte of the GPU was written");
        Assert.That(rig.Nic.Queues[1].Statistics.Bytes.IsZero, Is.True);
        p.End();
    }

    /// <summary>T5: steering that sends a flow to another's queue is obeyed, as in Linux; the message names whose buffer it is, so that it is found out.</summary>
    [Test]
    public void Rule_ThatSendsAFlowToAnothersQueue_IsFoundOutByTheBindingsNumber()
    {
        using var rig = new NicRig(new NicOptions { Queues = 3 });
        var p = new Process(rig, startPage: 100, queue: 1);
        (Socket sender, NicSocket q) = rig.Connect();
        rig.Steer(q, 1);
        NicRig.Send(sender, q, rig.Bytes("for Q", 100));
        var controls = new ControlBuffer(4);
        q.TryReceive(new byte[100], ReceiveFlags.DeviceMemory, controls, out _).ThrowIfError();

        Assert.That(controls.Messages.Single().Binding, Is.EqualTo(p.Binding.Id), "Q has bound nothing: a steering error");
        q.Dispose();
        p.End();
    }

    private static int CountTouched(NicRig rig, int startPage, int pages) => Enumerable.Range(startPage, pages)
        .Count(page => rig.ReadGpu((ulong)page * PageBytes, PageBytes).AsSpan().ContainsAnyExcept((byte)0));

    // A process: its files, its piece of the GPU, its queue, its flow.
    private sealed class Process
    {
        private const int Pages = 16;

        private readonly NicRig rig;
        private readonly FileTable files;
        private readonly NicControl control;
        private readonly int startPage;
        private readonly ControlBuffer controls = new(64);

        internal Process(NicRig rig, int startPage, int queue)
        {
            this.rig = rig;
            this.startPage = startPage;
            files = rig.System.CreateFileTable();
            (_, BufferHandle handle) = rig.BarBuffer((ulong)startPage, Pages);
            files.TryInstall(handle, out FileNumber number).ThrowIfError();
            files.TryGetBuffer(number, out BufferHandle? mine).ThrowIfError();
            using (mine)
            {
                control = rig.Nic.OpenControl();
                control.TryBind(mine!, [QueueId.Receive(queue)], out DeviceMemoryBinding? binding, BindingContract.Revocable).ThrowIfError();
                Binding = binding!;
            }

            (Sender, Receiver) = rig.Connect();
            rig.Steer(Receiver, queue);
        }

        internal DeviceMemoryBinding Binding { get; }

        internal Socket Sender { get; }

        internal NicSocket Receiver { get; }

        internal void Receive(int count)
        {
            Receiver.TryReceive(new byte[count], ReceiveFlags.DeviceMemory, controls, out ByteCount received).ThrowIfError();
            Assert.That((int)received.Value, Is.EqualTo(count));
            Assert.That(controls.Messages.Select(message => message.Binding), Is.All.EqualTo(Binding.Id));
        }

        internal byte[] Read() => [.. controls.Messages.SelectMany(message =>
            rig.ReadGpu(((ulong)startPage * PageBytes) + message.Offset.Value, (int)message.Size.Value))];

        internal int Touched(NicRig card) => CountTouched(card, startPage, Pages);

        internal void End()
        {
            Receiver.Dispose();
            control.Dispose();
            Assert.That((Binding.IsFreed, Binding.FreePages), Is.EqualTo((true, new PageCount(Pages))));
            files.Dispose();
        }
    }
}
