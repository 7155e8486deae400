using System.Net.Sockets;
using Mm.Core;
using Mm.Devices.Nics;
using Mm.Devices.Nics.Bindings;
using Mm.Devices.Nics.Queues;
using Mm.Devices.Nics.Sockets;
using Mm.DmaBuf.Buffers;

namespace Mm.Devices.Tests.Nics.Bindings;

/// <summary>
/// What tools/testing/selftests/net/ncdevmem.c (v6.12) checks of bindings, and the receive cases of drivers/net/hw/devmem.py
/// under their names. Its cases of sending (check_tx, check_tx_chunks) have nothing here to send with, and large buffers
/// (check_rx_large_niov) are of a later kernel.
/// </summary>
internal sealed class DeviceMemoryBindingSelftests
{
    private static readonly QueueId[] Last = [QueueId.Receive(3)];

    /// <summary>run_devmem_tests of ncdevmem.</summary>
    [Test]
    public void RunDevmemTests()
    {
        using var rig = new NicRig(new NicOptions { Queues = 4 });
        BufferHandle buffer = rig.HeapBuffer(64);
        NicControl control = rig.Nic.OpenControl();
        rig.Nic.Steering.TrySpread(3).ThrowIfError();
        Assert.That(control.TryBind(buffer, [], out _).IsOk, Is.False, "binding an empty array of queues");
        rig.Nic.TrySetQueueOptions(new QueueOptions { SplitsHeaders = false }).ThrowIfError();
        Assert.That(control.TryBind(buffer, Last, out _).IsOk, Is.False, "with header split off");
        rig.Nic.TrySetQueueOptions(new QueueOptions()).ThrowIfError();
        control.TryBind(buffer, Last, out _).ThrowIfError();
        Assert.That(rig.Nic.TrySetQueueCount(3).IsOk, Is.False, "deactivating a bound queue");

        control.Dispose();
        Assert.That(buffer.Buffer.AttachmentCount, Is.Zero, "closing the socket unbinds");
        rig.Nic.TrySetQueueCount(3).ThrowIfError();
    }

    /// <summary>check_rx: a flow lands in the buffer, its tokens are given back one by one, bytes are validated.</summary>
    [Test]
    public void CheckRx() => Serve(new QueueOptions { RingEntries = 8 }, [.. Enumerable.Repeat(5000, 60)]);

    /// <summary>check_rx_hds: payloads around the sizes at which headers are split.</summary>
    [Test]
    public void CheckRxHds() => Serve(new QueueOptions { RingEntries = 8 }, [1, 8, 64, 128, 512, 1024, 4096, 8192]);

    /// <summary>The same where the card splits too late: a part is told of as linear.</summary>
    [Test]
    public void CheckRxHds_SplitTooLate() =>
        Serve(new QueueOptions { RingEntries = 8, SplitExcess = new ByteCount(64) }, [65, 128, 512, 1024, 4096, 8192]);

    // The server's loop: receive, read where the messages say, give each token back.
    private static void Serve(QueueOptions options, int[] sizes)
    {
        using var rig = new NicRig(new NicOptions { Queues = 4, Queue = options });
        BufferHandle buffer = rig.HeapBuffer(16);
        using NicControl control = rig.Nic.OpenControl();
        rig.Nic.Steering.TrySpread(3).ThrowIfError();
        control.TryBind(buffer, Last, out DeviceMemoryBinding? binding).ThrowIfError();
        (Socket sender, NicSocket receiver) = rig.Connect();
        rig.Steer(receiver, 3);
        byte[] iobuf = new byte[8192];
        for (int index = 0; index < sizes.Length; index++)
        {
            byte[] sent = rig.Bytes($"sent {index}", sizes[index]);
            NicRig.Send(sender, receiver, sent);
            var controls = new ControlBuffer(20_000);
            receiver.TryReceive(iobuf, ReceiveFlags.DeviceMemory, controls, out ByteCount received).ThrowIfError();
            Assert.That((int)received.Value, Is.EqualTo(sizes[index]));
            Assert.That(controls.Messages, Is.Not.Empty, "flow steering error");
            int linear = (int)controls.Messages.Where(message => message.Kind == ReceiveControlKind.Linear).Sum(message => (long)message.Size.Value);
            byte[] all = [.. iobuf[..linear], .. NicRig.ReadBuffer(buffer, controls.Messages)];
            Assert.That(all, Is.EqualTo(sent));
            foreach (ReceiveControl message in controls.Messages.Where(message => message.Kind == ReceiveControlKind.DeviceMemory))
            {
                Assert.That(message.Binding, Is.EqualTo(binding!.Id), "received on the wrong buffer");
                receiver.TryReturnTokens([new TokenRange(message.Token, 1)], out int freed).ThrowIfError();
                Assert.That(freed, Is.EqualTo(1));
            }
        }
    }
}
