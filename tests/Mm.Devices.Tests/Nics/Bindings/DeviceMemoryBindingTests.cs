using System.Net.Sockets;
using Mm.Core;
using Mm.Core.Dma;
using Mm.Devices.Nics;
using Mm.Devices.Nics.Bindings;
using Mm.Devices.Nics.PagePools;
using Mm.Devices.Nics.Queues;
using Mm.Devices.Nics.Sockets;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Exporters;

namespace Mm.Devices.Tests.Nics.Bindings;

internal sealed class DeviceMemoryBindingTests
{
    private static readonly QueueId[] First = [QueueId.Receive(0)];

    private static IEnumerable<TestCaseData> Refusals()
    {
        yield return Case("no queue", Errno.EINVAL, new NicOptions(), []);
        yield return Case("queue past the end", Errno.ERANGE, new NicOptions(), QueueId.Receive(2));
        yield return Case("queue below 0", Errno.ERANGE, new NicOptions(), QueueId.Receive(-1));
        yield return Case("queue that sends", Errno.EINVAL, new NicOptions(), new QueueId(QueueKind.Transmit, 0));
        yield return Case("queue twice", Errno.EEXIST, new NicOptions(), QueueId.Receive(1), QueueId.Receive(1));
        yield return Case("no queue management", Errno.EOPNOTSUPP, new NicOptions { HasQueueManagement = false }, QueueId.Receive(0));
        yield return Case("headers not split off", Errno.EINVAL, Of(new QueueOptions { SplitsHeaders = false }), QueueId.Receive(0));
        yield return Case("large buffers", Errno.E2BIG, Of(new QueueOptions { Order = 1 }), QueueId.Receive(0));
        yield return Case("driver without providers", Errno.ENODATA, Of(new QueueOptions { UsesProviders = false }), QueueId.Receive(0));
    }

    [TestCaseSource(nameof(Refusals))]
    public void Bind_Refused_LeavesQueuesAndBufferAsTheyWere(Errno expected, NicOptions options, QueueId[] queues)
    {
        using var rig = new NicRig(options);
        BufferHandle buffer = rig.HeapBuffer(4);
        using NicControl control = rig.Nic.OpenControl();

        Assert.That(control.TryBind(buffer, queues, out DeviceMemoryBinding? binding), Is.EqualTo(expected));
        Assert.That((binding, control.Bindings.Count, buffer.Buffer.AttachmentCount, buffer.Buffer.HandleCount), Is.EqualTo(((DeviceMemoryBinding?)null, 0, 0, 1)));
        Assert.That(rig.Nic.Queues.Select(queue => (queue.Provider, queue.IsRunning)), Is.All.EqualTo(((IQueueProvider?)null, true)));
        (Socket sender, NicSocket receiver) = rig.Connect();
        NicRig.Send(sender, receiver, new byte[] { 1, 2 });
        Assert.That(NicRig.Receive(receiver, 2), Is.EqualTo(new byte[] { 1, 2 }));
    }

    [Test]
    public void Bind_WhileOthersHaveTheQueue_IsRefused()
    {
        using var rig = new NicRig();
        BufferHandle buffer = rig.HeapBuffer(4);
        using NicControl control = rig.Nic.OpenControl();
        rig.Nic.TrySetXdpProgram(true).ThrowIfError();
        Assert.That(control.TryBind(buffer, First, out _), Is.EqualTo(Errno.EEXIST));
        rig.Nic.TrySetXdpProgram(false).ThrowIfError();
        rig.Nic.TrySetXdpSocket(0, true).ThrowIfError();
        Assert.That(control.TryBind(buffer, First, out _), Is.EqualTo(Errno.EBUSY));
        rig.Nic.TrySetXdpSocket(0, false).ThrowIfError();
        control.TryBind(buffer, First, out _).ThrowIfError();

        Assert.That(control.TryBind(rig.HeapBuffer(1), First, out _), Is.EqualTo(Errno.EEXIST));
        Assert.That(rig.Nic.TrySetXdpProgram(true), Is.EqualTo(Errno.EBUSY));
        Assert.That(rig.Nic.TrySetXdpSocket(0, true), Is.EqualTo(Errno.EBUSY));
        Assert.That(rig.Nic.TrySetXdpSocket(2, true), Is.EqualTo(Errno.EINVAL));
        Assert.That(rig.Nic.TrySetQueueOptions(new QueueOptions { SplitsHeaders = false }), Is.EqualTo(Errno.EINVAL));
        rig.Nic.Remove();
        Assert.That(control.TryBind(buffer, First, out _), Is.EqualTo(Errno.ENODEV));
        control.Dispose();
        Assert.That(() => control.TryBind(buffer, First, out _), Throws.InstanceOf<ObjectDisposedException>());
    }

    [Test]
    public void Bind_FailedAtEachAllocation_LeavesNothing()
    {
        ulong nth = 1;
        for (bool isBound = false; !isBound; nth++)
        {
            using var rig = new NicRig();
            BufferHandle buffer = rig.HeapBuffer(4);
            using NicControl control = rig.Nic.OpenControl();
            rig.Machine.Faults.FailNth(FaultPoint.Slab, nth);
            Errno errno = control.TryBind(buffer, [QueueId.Receive(0), QueueId.Receive(1)], out DeviceMemoryBinding? binding);
            isBound = rig.Machine.Faults.FailureCount(FaultPoint.Slab) == 0;
            rig.Machine.Faults.Clear();
            Assert.That((errno.IsOk, binding is not null), Is.EqualTo((isBound, isBound)), $"failure {nth}: {errno}");
            Assert.That(buffer.Buffer.AttachmentCount, Is.EqualTo(isBound ? 1 : 0));
        }

        Assert.That(nth, Is.AtLeast(16), "message, binding, number, attachment, mapping, pool of pages, segments, and two restarts");
    }

    [Test]
    public void Payload_OfABoundQueue_LandsInTheBufferAlone()
    {
        using var rig = new NicRig();
        (BarBuffer owner, BufferHandle buffer) = rig.BarBuffer(16, 8);
        using NicControl control = rig.Nic.OpenControl();
        control.TryBind(buffer, First, out DeviceMemoryBinding? binding, BindingContract.Revocable).ThrowIfError();
        (Socket sender, NicSocket receiver) = rig.Connect();
        rig.Steer(receiver, 0);
        byte[] sent = rig.Bytes("sent", 10_000);
        NicRig.Send(sender, receiver, sent);

        var controls = new ControlBuffer(16);
        byte[] untouched = new byte[20_000];
        receiver.TryReceive(untouched, ReceiveFlags.DeviceMemory, controls, out ByteCount received).ThrowIfError();
        Assert.That(received.Value, Is.EqualTo(10_000));
        Assert.That(untouched, Is.All.Zero, "the CPU was given no byte");
        Assert.That(controls.Messages.Select(message => (message.Kind, message.Offset.Value, message.Size.Value, message.Token, message.Binding)), Is.EqualTo(new[]
        {
            (ReceiveControlKind.DeviceMemory, 0UL, 4096UL, 1U, binding!.Id),
            (ReceiveControlKind.DeviceMemory, 4096UL, 4096UL, 2U, binding.Id),
            (ReceiveControlKind.DeviceMemory, 8192UL, 1808UL, 3U, binding.Id),
        }));
        byte[] landed = [.. controls.Messages.SelectMany(message => rig.ReadGpu((16 * 4096) + message.Offset.Value, (int)message.Size.Value))];
        Assert.That(landed, Is.EqualTo(sent));
        Assert.That((binding.Pages.Value, binding.FreePages.Value, binding.Direction), Is.EqualTo((8UL, 0UL, DmaDirection.FromDevice)));
        Assert.That(owner.IsRevoked, Is.False);
        receiver.TryReturnTokens([new TokenRange(1, 3)], out int freed).ThrowIfError();
        Assert.That((freed, receiver.TokenCount), Is.EqualTo((3, 0)));
    }

    /// <summary>T2: memory stays mapped until the last token is back; exactly one detach.</summary>
    [Test]
    public void Control_ClosedWithTokensOut_KeepsMemoryMappedUntilTheLastOne()
    {
        using var rig = new NicRig();
        BufferHandle buffer = rig.HeapBuffer(4);
        NicControl control = rig.Nic.OpenControl();
        control.TryBind(buffer, First, out DeviceMemoryBinding? binding).ThrowIfError();
        (Socket sender, NicSocket receiver) = rig.Connect();
        rig.Steer(receiver, 0);
        NicRig.Send(sender, receiver, rig.Bytes("sent", 8192));
        var controls = new ControlBuffer(2);
        receiver.TryReceive(new byte[8192], ReceiveFlags.DeviceMemory, controls, out _).ThrowIfError();
        control.Dispose();
        control.Dispose();

        Assert.That((rig.Nic.Queues[0].Provider, binding!.IsAttached, buffer.Buffer.AttachmentCount), Is.EqualTo(((IQueueProvider?)null, true, 1)));
        Assert.That(rig.Ledger.Select(entry => entry.Kind), Does.Contain(HoldingKind.Attachment).And.Contain(HoldingKind.Token));
        receiver.TryReturnTokens([new TokenRange(1, 1)], out _).ThrowIfError();
        Assert.That((binding.IsAttached, binding.IsFreed), Is.EqualTo((true, false)));
        receiver.TryReturnTokens([new TokenRange(2, 1)], out _).ThrowIfError();
        Assert.That((binding.IsAttached, binding.IsFreed, buffer.Buffer.AttachmentCount, buffer.Buffer.HandleCount), Is.EqualTo((false, true, 0, 1)));
        NicRig.Send(sender, receiver, new byte[] { 9 });
        Assert.That(NicRig.Receive(receiver, 1), Is.EqualTo(new byte[] { 9 }), "the queue goes on with plain memory");
    }

    [Test]
    public void Binding_OfABarThatMayBeTakenAway_IsRefusedAsStatic()
    {
        using var rig = new NicRig();
        (_, BufferHandle buffer) = rig.BarBuffer(0, 4);
        using NicControl control = rig.Nic.OpenControl();

        Assert.That(control.TryBind(buffer, First, out _), Is.EqualTo(Errno.EOPNOTSUPP));
    }

    [Test]
    public void Revoke_OfBoundMemory_LetsBytesWaitUntilItIsBack()
    {
        using var rig = new NicRig();
        (BarBuffer owner, BufferHandle buffer) = rig.BarBuffer(0, 8);
        using NicControl control = rig.Nic.OpenControl();
        control.TryBind(buffer, First, out DeviceMemoryBinding? binding, BindingContract.Revocable).ThrowIfError();
        (Socket sender, NicSocket receiver) = rig.Connect();
        rig.Steer(receiver, 0);
        byte[] sent = rig.Bytes("sent", 9000);
        NicRig.Send(sender, receiver, sent.AsMemory(0, 5000));
        owner.TryRevoke().ThrowIfError();
        sender.Send(sent.AsSpan(5000));

        Assert.That((binding!.IsReady, receiver.Land()), Is.EqualTo((false, new Landing(ByteCount.Zero, LandingEnd.MemoryGone))));
        Assert.That(rig.Nic.Queues[0].Statistics.Faults, Is.Zero, "the card did not even try");
        owner.TryRestore().ThrowIfError();
        Assert.That(receiver.LandAsync(new ByteCount(4000)).AsTask().GetAwaiter().GetResult().End, Is.EqualTo(LandingEnd.Done));
        var controls = new ControlBuffer(16);
        receiver.TryReceive(new byte[9000], ReceiveFlags.DeviceMemory, controls, out _).ThrowIfError();
        Assert.That(controls.Messages.SelectMany(message => rig.ReadGpu(message.Offset.Value, (int)message.Size.Value)), Is.EqualTo(sent));
        owner.TryRevoke(isForGood: true).ThrowIfError();
        Assert.That(binding.TryReady(), Is.EqualTo(Errno.ENODEV));
    }

    /// <summary>Memory that moves under a binding: nothing moved costs nothing, moved it is found anew, and bytes go on.</summary>
    [Test]
    public void Move_OfBoundMemory_IsFollowed()
    {
        using var rig = new NicRig();
        rig.Pci.Bars.TryGet(NicRig.Gpu, NicRig.GpuBar, out Mm.P2pDma.Providers.BarProvider? provider).ThrowIfError();
        PhysRange home = provider!.Aperture.Slice(ByteCount.FromMiB(1), new ByteCount(8 * 4096));
        MovingBuffer.TryExport(rig.System.Buffers, rig.Pci.Owners, provider, [home], out MovingBuffer? owner, out BufferHandle? buffer).ThrowIfError();
        using (buffer)
        using (NicControl control = rig.Nic.OpenControl())
        {
            control.TryBind(buffer!, First, out DeviceMemoryBinding? binding, BindingContract.Revocable).ThrowIfError();
            (Socket sender, NicSocket receiver) = rig.Connect();
            rig.Steer(receiver, 0);
            byte[] sent = rig.Bytes("sent", 12_000);
            NicRig.Send(sender, receiver, sent.AsMemory(0, 4096));
            owner!.TryMoveToRam().ThrowIfError();
            NicRig.Send(sender, receiver, sent.AsMemory(4096, 4096));
            owner.TryMoveToDevice([home]).ThrowIfError();
            NicRig.Send(sender, receiver, sent.AsMemory(8192));

            var controls = new ControlBuffer(16);
            receiver.TryReceive(new byte[12_000], ReceiveFlags.DeviceMemory, controls, out _).ThrowIfError();
            Assert.That(owner.IsInDevice, Is.True);
            Assert.That(
                controls.Messages.SelectMany(message => rig.ReadGpu((1 << 20) + message.Offset.Value, (int)message.Size.Value)), Is.EqualTo(sent));
            Assert.That(binding!.IsReady, Is.True);
            receiver.Dispose();
        }
    }

    [Test]
    public void Binding_OfManyPages_ServesSeveralQueuesAndCountsThem()
    {
        using var rig = new NicRig(new NicOptions { Queue = new QueueOptions { RingEntries = 3 } });
        BufferHandle buffer = rig.HeapBuffer(200);
        using NicControl control = rig.Nic.OpenControl();
        control.TryBind(buffer, [QueueId.Receive(0), QueueId.Receive(1)], out DeviceMemoryBinding? binding).ThrowIfError();

        Assert.That((binding!.Queues.Count, binding.FreePages.Value), Is.EqualTo((2, 194UL)));
        Assert.That(rig.Nic.TrySetQueueCount(1), Is.EqualTo(Errno.EINVAL), "the second queue has memory bound");
        rig.Nic.TryRestartQueue(1).ThrowIfError();
        Assert.That(binding.FreePages.Value, Is.EqualTo(194UL), "the old ring's pages are back");
        rig.Nic.Reset();
        Assert.That((binding.FreePages.Value, rig.Nic.Queues[0].Pool!.Options.Provider), Is.EqualTo((194UL, (IMemoryProvider)binding)));
    }

    [Test]
    public void Begin_OfAPoolThatDoesNotFit_IsRefused()
    {
        using var rig = new NicRig();
        using NicControl control = rig.Nic.OpenControl();
        control.TryBind(rig.HeapBuffer(1), First, out DeviceMemoryBinding? binding).ThrowIfError();
        var options = new PagePoolOptions { Device = rig.Device, SyncsForDevice = true, MaxLength = new ByteCount(4096), Provider = binding };
        DmaDevice other = rig.Machine.Dma.Attach(rig.Machine.RegisterDevice("other"), DmaMask.Bits64);

        Assert.That(PagePool.TryCreate(rig.Machine, options with { Order = 1 }, out _), Is.EqualTo(Errno.E2BIG));
        Assert.That(PagePool.TryCreate(rig.Machine, options with { Device = other }, out _), Is.EqualTo(Errno.EINVAL));
        Assert.That(PagePool.TryCreate(rig.Machine, options with { SyncsForDevice = false }, out _), Is.EqualTo(Errno.EOPNOTSUPP));
    }

    /// <summary>Museum 27: users of a binding are told before the card disappears; what comes back late is taken.</summary>
    [Test]
    public void Removal_WithTokensOut_UnmapsAtOnceAndTakesThemLater()
    {
        using var rig = new NicRig();
        BufferHandle buffer = rig.HeapBuffer(4);
        NicControl control = rig.Nic.OpenControl();
        control.TryBind(buffer, First, out DeviceMemoryBinding? binding).ThrowIfError();
        (Socket sender, NicSocket receiver) = rig.Connect();
        rig.Steer(receiver, 0);
        NicRig.Send(sender, receiver, rig.Bytes("sent", 4096));
        receiver.TryReceive(new byte[4096], ReceiveFlags.DeviceMemory, new ControlBuffer(1), out _).ThrowIfError();
        rig.Nic.Remove();

        Assert.That((binding!.IsAttached, binding.IsFreed, rig.Device.LiveMappings, buffer.Buffer.AttachmentCount), Is.EqualTo((false, false, 0, 0)));
        control.Dispose();
        receiver.TryReturnTokens([new TokenRange(1, 1)], out int freed).ThrowIfError();
        Assert.That((freed, binding.IsFreed), Is.EqualTo((1, true)));
    }

    /// <summary>Museum 27 put back: removal does not tell the binding, and the ledger of mappings shows it.</summary>
    [Test]
    public void Removal_ThatForgetsBindings_IsCaughtByTheMappingsLeft()
    {
        var rig = new NicRig();
        rig.Nic.ForgetsBindings = true;
        rig.Machine.Dma.Diagnostics.IsOn = true;
        using (NicControl control = rig.Nic.OpenControl())
        {
            control.TryBind(rig.HeapBuffer(4), First, out _).ThrowIfError();
            rig.Nic.Remove();
            Assert.That(rig.Device.LiveMappings, Is.EqualTo(1));
            Assert.That(rig.Machine.Dma.Diagnostics.Collect().Select(found => found.Kind), Does.Contain(DmaDiagnosticKind.OutstandingAtDetach));
        }

        rig.Dispose();
    }

    /// <summary>Museum 27's second fault put back: memory that only bytes should come to can be read by the card.</summary>
    [TestCase(false)]
    [TestCase(true)]
    public void Direction_OfAMapping_LetsTheCardWriteAlone(bool hasFault)
    {
        using var rig = new NicRig(Of(new QueueOptions { RingEntries = 1 }), isTranslated: true);
        rig.Nic.BindsBothWays = hasFault;
        using NicControl control = rig.Nic.OpenControl();
        control.TryBind(rig.HeapBuffer(2), First, out DeviceMemoryBinding? binding).ThrowIfError();
        LedgerEntry mapping = rig.Ledger.Single(entry => entry.Kind == HoldingKind.Mapping);
        binding!.TryAllocate(rig.Nic.Queues[0].Pool!, out NetIov? page).ThrowIfError();
        Errno read = rig.Device.Port.TryRead(page!.Address, new byte[64], out DmaFault fault);
        binding.Release(rig.Nic.Queues[0].Pool!, page);

        Assert.That(mapping.Held.EndsWith(nameof(DmaDirection.FromDevice), StringComparison.Ordinal), Is.EqualTo(!hasFault));
        Assert.That((read.IsOk, fault.Kind), Is.EqualTo(hasFault ? (true, DmaFaultKind.None) : (false, DmaFaultKind.ReadDenied)));
    }

    private static NicOptions Of(QueueOptions queue) => new() { Queue = queue };

    private static TestCaseData Case(string name, Errno expected, NicOptions options, params QueueId[] queues) =>
        new TestCaseData(expected, options, queues).SetArgDisplayNames(name);
}
