using System.IO.Pipelines;
using System.Net.Sockets;
using Mm.Core;
using Mm.Devices.Nics;
using Mm.Devices.Nics.Bindings;
using Mm.Devices.Nics.PagePools;
using Mm.Devices.Nics.Queues;
using Mm.Devices.Nics.Sockets;
using Mm.Devices.Tests.Nics;
using Mm.DmaBuf.Buffers;

namespace Mm.Devices.Tests.Seeds;

/// <summary>S1, network memory without a page: no CPU path reads payload, tokens come back, and the pool drains to nothing.</summary>
[Category("Seeds")]
internal sealed class NetmemWithoutPageTests
{
    [Test]
    public void Payload_WithoutPages_IsReadByNoCpuPathAndItsPoolDrainsToZero()
    {
        using var rig = new NicRig(new NicOptions { Queues = 1, Queue = new QueueOptions { RingEntries = 4 } });
        (_, BufferHandle buffer) = rig.BarBuffer(0, 32);
        using NicControl control = rig.Nic.OpenControl();
        control.TryBind(buffer, [QueueId.Receive(0)], out DeviceMemoryBinding? binding, BindingContract.Revocable).ThrowIfError();
        PagePool pool = rig.Nic.Queues[0].Pool!;
        (Socket sender, NicSocket receiver) = rig.Connect();
        byte[] sent = rig.Bytes("sent", 40_960);
        NicRig.Send(sender, receiver, sent);
        PageCount ram = rig.Machine.Allocator.Statistics.InUse;

        // Every way of a CPU to the bytes: receive, peek, a pipe, and the word itself.
        Assert.That(receiver.TryReceive(new byte[100], ReceiveFlags.None, null, out _), Is.EqualTo(Errno.EFAULT));
        Assert.That(receiver.TryReceive(new byte[100], ReceiveFlags.Peek, null, out _), Is.EqualTo(Errno.EFAULT));
        Assert.That(() => receiver.Reader.TryRead(out ReadResult _), Throws.InstanceOf<ErrnoException>().With.Property(nameof(ErrnoException.Errno)).EqualTo(Errno.EFAULT));
        Assert.That(receiver.Available.Value, Is.EqualTo(40_960), "nothing was consumed");

        var controls = new ControlBuffer(64);
        receiver.TryReceive(new byte[40_960], ReceiveFlags.DeviceMemory, controls, out _).ThrowIfError();
        Assert.That(controls.Messages.SelectMany(message => rig.ReadGpu(message.Offset.Value, (int)message.Size.Value)), Is.EqualTo(sent), "the GPU has them");
        Assert.That((receiver.TokenCount, pool.InFlight), Is.EqualTo((10, 14)), "ten with the user, four in the ring");
        receiver.TryReturnTokens([new TokenRange(1, 10)], out int freed).ThrowIfError();
        Assert.That((freed, receiver.TokenCount), Is.EqualTo((10, 0)));
        control.Dispose();
        Assert.That((pool.InFlight, pool.IsFreed, binding!.IsFreed, binding.FreePages.Value), Is.EqualTo((0, true, true, 32UL)));
        Assert.That(rig.Machine.Allocator.Statistics.InUse.Value, Is.AtLeast(ram.Value), "the queue went on with plain memory");
    }

    [Test]
    public void Word_OfMemoryWithoutPages_GivesNoPage()
    {
        using var rig = new NicRig(new NicOptions { Queues = 1 });
        using NicControl control = rig.Nic.OpenControl();
        control.TryBind(rig.HeapBuffer(80), [QueueId.Receive(0)], out _).ThrowIfError();
        PagePool pool = rig.Nic.Queues[0].Pool!;
        using NapiContext.Scope napi = pool.Options.Napi!.Enter();
        pool.TryAllocate(out PoolLease lease).ThrowIfError();
        using (lease)
        {
            Assert.That((lease.Memory.IsNetIov, lease.Memory.TryGetPage(out _), lease.Memory.TryGetNetIov(out _)), Is.EqualTo((true, false, true)));
        }
    }
}
