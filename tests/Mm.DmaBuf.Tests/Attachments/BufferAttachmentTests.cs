using Mm.Core;
using Mm.Core.Dma;
using Mm.DmaBuf.Attachments;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Fences;
using Mm.DmaBuf.Reservations;
using Mm.DmaBuf.Tests.Buffers;

namespace Mm.DmaBuf.Tests.Attachments;

[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class BufferAttachmentTests : IDisposable
{
    private readonly BufferRig rig = new();

    public void Dispose() => rig.Dispose();

    [TestCase(false, false, false, 0)]
    [TestCase(true, true, false, 0)]
    [TestCase(false, true, true, 1)]
    [TestCase(true, false, true, 0)]
    public void Attach_WhereOneFollowsMovesAndTheOtherNot_MapsBothWaysAndPinsOnce(bool isDynamic, bool moves, bool isKept, int pins)
    {
        FakeExporter exporter = Exporter(moves);
        using BufferHandle handle = Export(exporter);
        BufferAttachment attachment = Attach(handle, isDynamic);
        Assert.That((attachment.Rebuilds, exporter.Pins), Is.EqualTo((isKept ? 1L : 0L, pins)));
        using (BufferMapping mapping = Map(attachment, DmaDirection.ToDevice))
        {
            Assert.That(mapping.Direction, Is.EqualTo(isKept ? DmaDirection.Bidirectional : DmaDirection.ToDevice));
            Assert.That((attachment.Rebuilds, exporter.Pins), Is.EqualTo((1L, pins)), "pinned exactly once");
        }

        attachment.Dispose();
        attachment.Dispose();
        Assert.That((exporter.Pins, exporter.Attached, attachment.Device.LiveMappings, handle.Buffer.HandleCount), Is.EqualTo((0, 0, 0, 1)));
    }

    [Test]
    public void DropMappings_OfAnImporterThatFollowsMoves_UnmapsAndTheNextMapIsNew()
    {
        using BufferHandle handle = Export(Exporter(moves: true));
        using BufferAttachment attachment = Attach(handle, isDynamic: true);
        using BufferMapping mapping = Map(attachment, DmaDirection.ToDevice);
        using (ReservationLock held = handle.Buffer.Reservation.Lock())
        {
            attachment.DropMappings(held);
        }

        Assert.That((attachment.Device.LiveMappings, mapping.IsValid), Is.EqualTo((0, false)));
        Map(attachment, DmaDirection.ToDevice).Dispose();
        Assert.That(attachment.Rebuilds, Is.EqualTo(2));
    }

    [Test]
    public void DropMappings_OfAStaticOne_Throws()
    {
        using BufferHandle handle = Export(Exporter(moves: false));
        using BufferAttachment attachment = Attach(handle, isDynamic: false);
        using ReservationLock held = handle.Buffer.Reservation.Lock();
        bool throws = false;
        try
        {
            attachment.DropMappings(held);
        }
        catch (InvalidOperationException)
        {
            throws = true;
        }

        Assert.That(throws, Is.True, "it keeps its mapping until it is detached");
    }

    [Test]
    public void Map_ThousandTimesWithoutAMove_IsBuiltOnce_AndOnceMoreForAMove()
    {
        FakeExporter exporter = Exporter(moves: true);
        using BufferHandle handle = Export(exporter);
        using BufferAttachment attachment = Attach(handle, isDynamic: true);
        Map(attachment, DmaDirection.Bidirectional).Dispose();
        for (int count = 0; count < 1000; count++)
        {
            Notify(handle.Buffer);
            Map(attachment, DmaDirection.Bidirectional).Dispose();
        }

        Assert.That((attachment.Rebuilds, attachment.Notifications), Is.EqualTo((1L, 1000L)));
        exporter.Move(new PhysAddr(0x200000));
        Notify(handle.Buffer);
        for (int count = 0; count < 10; count++)
        {
            Map(attachment, DmaDirection.Bidirectional).Dispose();
        }

        Assert.That((attachment.Rebuilds, attachment.Device.LiveMappings), Is.EqualTo((2L, 1)));
    }

    [Test]
    public void Mapping_UsedAfterAMove_Faults()
    {
        FakeExporter exporter = Exporter(moves: true);
        using BufferHandle handle = Export(exporter);
        using BufferAttachment attachment = Attach(handle, isDynamic: true);
        using BufferMapping before = Map(attachment, DmaDirection.Bidirectional);
        DmaAddr address = before.Segments[0].Address;
        exporter.Move(new PhysAddr(0x200000));
        Assert.That(before.IsValid, Is.False);
        Assert.That(attachment.Device.Port.TryRead(address, new byte[8], out DmaFault fault), Is.EqualTo(Errno.EFAULT), "use after move");
        Assert.That(fault.IsFault, Is.True);
        using BufferMapping after = Map(attachment, DmaDirection.Bidirectional);
        Assert.That((after.IsValid, after.Segments[0].Address), Is.EqualTo((true, new DmaAddr(0x200000))));
    }

    [Test]
    public void Map_InAnotherDirection_IsEbusyWhereOneMappingIsKept()
    {
        using BufferHandle handle = rig.Udmabuf(rig.SealedFile(2), 0, 2);
        using BufferAttachment attachment = Attach(handle, isDynamic: false);
        using BufferMapping first = Map(attachment, DmaDirection.ToDevice);
        Assert.That(attachment.TryMap(DmaDirection.FromDevice, out _), Is.EqualTo(Errno.EBUSY));
        Assert.That(attachment.TryMap(DmaDirection.Bidirectional, out _), Is.EqualTo(Errno.EBUSY));
        first.Dispose();
        Assert.That(attachment.TryMap(DmaDirection.FromDevice, out _), Is.EqualTo(Errno.EBUSY), "kept until detached");
        using BufferAttachment other = Attach(handle, isDynamic: false, "other");
        Map(other, DmaDirection.Bidirectional).Dispose();
        Map(other, DmaDirection.FromDevice).Dispose();
        Assert.That(other.Rebuilds, Is.EqualTo(1), "both ways serves either");
    }

    [Test]
    public void Map_InTwoDirections_IsTwoMappingsWhereNoneIsKept()
    {
        using BufferHandle handle = rig.Heap();
        using BufferAttachment attachment = Attach(handle, isDynamic: false);
        using BufferMapping one = Map(attachment, DmaDirection.ToDevice);
        using BufferMapping two = Map(attachment, DmaDirection.FromDevice);
        Assert.That((attachment.Rebuilds, attachment.Device.LiveMappings), Is.EqualTo((2L, 2)));
    }

    [Test]
    public void Attach_Refused_IsUndone([Values(1UL, 2UL, 3UL)] ulong nth, [Values] bool moves)
    {
        FakeExporter exporter = Exporter(moves);
        using BufferHandle handle = Export(exporter);
        DmaDevice device = rig.Device();
        rig.Machine.Faults.FailNth(FaultPoint.Slab, nth);
        Errno errno = BufferAttachment.TryAttach(handle, device, moves ? null : new FakeImporter(), out BufferAttachment? attachment);
        Assert.That(errno, Is.EqualTo(nth < 3 ? Errno.ENOMEM : Errno.Ok), "the attachment, then its mapping");
        attachment?.Dispose();
        Assert.That((exporter.Pins, exporter.Attached, device.LiveMappings, handle.Buffer.HandleCount, handle.Buffer.AttachmentCount), Is.EqualTo((0, 0, 0, 1, 0)));
    }

    [Test]
    public void Attach_TheExporterRefuses_TakesNothing()
    {
        FakeExporter exporter = Exporter(moves: true);
        using BufferHandle handle = Export(exporter);
        exporter.Refusal = Errno.ENODEV;
        Assert.That(BufferAttachment.TryAttach(handle, rig.Device(), new FakeImporter(), out BufferAttachment? attachment), Is.EqualTo(Errno.ENODEV));
        Assert.That((attachment, handle.Buffer.HandleCount, handle.Buffer.AttachmentCount), Is.EqualTo(((BufferAttachment?)null, 1, 0)));
    }

    [Test]
    public void Map_Refused_LeavesTheOldMapping()
    {
        FakeExporter exporter = Exporter(moves: true);
        using BufferHandle handle = Export(exporter);
        using BufferAttachment attachment = Attach(handle, isDynamic: true);
        using BufferMapping mapping = Map(attachment, DmaDirection.ToDevice);
        exporter.Refusal = Errno.ENODEV;
        Assert.That(attachment.TryMap(DmaDirection.ToDevice, out _), Is.EqualTo(Errno.ENODEV));
        Assert.That(mapping.IsValid, Is.True);
        exporter.Refusal = Errno.Ok;
        exporter.Move(new PhysAddr(0x300000));
        rig.Machine.Faults.FailNth(FaultPoint.Slab, 1);
        Assert.That(attachment.TryMap(DmaDirection.ToDevice, out _), Is.EqualTo(Errno.ENOMEM));
        Assert.That(attachment.Rebuilds, Is.EqualTo(1));
    }

    [Test]
    public void Pin_ByADynamicImporter_IsALeaseThatDetachingEnds()
    {
        FakeExporter exporter = Exporter(moves: true);
        using BufferHandle handle = Export(exporter);
        BufferAttachment attachment = Attach(handle, isDynamic: true);
        AttachmentPin first = Pin(attachment);
        AttachmentPin second = Pin(attachment);
        Assert.That(exporter.Pins, Is.EqualTo(2));
        first.Dispose();
        first.Dispose();
        Assert.That(exporter.Pins, Is.EqualTo(1), "no double unpin (museum 18)");
        attachment.Dispose();
        Assert.That(exporter.Pins, Is.Zero);
        second.Dispose();
        Assert.That(exporter.Pins, Is.Zero);
    }

    [Test]
    public void Pin_Refused_TakesNone()
    {
        FakeExporter exporter = Exporter(moves: true);
        using BufferHandle handle = Export(exporter);
        using BufferAttachment attachment = Attach(handle, isDynamic: true);
        exporter.Refusal = Errno.ENOMEM;
        using (ReservationLock held = handle.Buffer.Reservation.Lock())
        {
            Assert.That(attachment.TryPin(held, out AttachmentPin? pin), Is.EqualTo(Errno.ENOMEM));
            Assert.That((pin, exporter.Pins), Is.EqualTo(((AttachmentPin?)null, 0)));
        }
    }

    [Test]
    public void Pin_ByAStaticImporter_IsTheCallersMistake()
    {
        using BufferHandle handle = rig.Heap();
        using BufferAttachment attachment = Attach(handle, isDynamic: false);
        Assert.That(() => Pin(attachment), Throws.InvalidOperationException);
    }

    [Test]
    public void Importer_ToldOfAMove_MustNotMapPinDetachOrTell()
    {
        FakeExporter exporter = Exporter(moves: true);
        using BufferHandle handle = Export(exporter);
        var importer = new FakeImporter();
        BufferAttachment.TryAttach(handle, rig.Device(), importer, out BufferAttachment? attachment).ThrowIfError();
        using (attachment)
        {
            Action<BufferAttachment>[] mistakes =
            [
                static each => each.Dispose(),
                static each => Notify(each.Buffer),
            ];
            foreach (Action<BufferAttachment> mistake in mistakes)
            {
                importer.Then = mistake;
                Assert.That(() => Notify(handle.Buffer), Throws.Exception);
            }

            importer.Then = null;
            Notify(handle.Buffer);
        }
    }

    [Test]
    public void Map_WithATokenThatHoldsNothing_IsTheCallersMistake()
    {
        using BufferHandle handle = rig.Heap();
        using BufferHandle other = rig.Heap();
        using BufferAttachment attachment = Attach(handle, isDynamic: true);
        Assert.That(() => attachment.TryMap(default, DmaDirection.ToDevice, out _), Throws.InvalidOperationException);
        Assert.That(() => MapWithTokenOf(other.Buffer, leaves: false), Throws.InvalidOperationException);
        Assert.That(() => MapWithTokenOf(handle.Buffer, leaves: true), Throws.InvalidOperationException);
        Assert.That(() => MapWithTokenOf(handle.Buffer, leaves: false), Throws.Nothing);

        void MapWithTokenOf(DmaBuffer buffer, bool leaves)
        {
            ReservationLock held = buffer.Reservation.Lock();
            try
            {
                if (leaves)
                {
                    held.Dispose();
                }

                _ = attachment.TryMap(held, DmaDirection.ToDevice, out _);
            }
            finally
            {
                if (!leaves)
                {
                    held.Dispose();
                }
            }
        }
    }

    [Test]
    public void Importer_ToldOfAMove_MustNotMap()
    {
        FakeExporter exporter = Exporter(moves: true);
        using BufferHandle handle = Export(exporter);
        var importer = new FakeImporter();
        BufferAttachment.TryAttach(handle, rig.Device(), importer, out BufferAttachment? attachment).ThrowIfError();
        using (attachment)
        {
            importer.Then = static each =>
            {
                using ReservationLock held = each.Buffer.Reservation.LockOrGoOn();
                _ = each.TryMap(held, DmaDirection.ToDevice, out _);
            };
            Assert.That(() => Notify(handle.Buffer), Throws.InvalidOperationException.With.Message.Contains("being told of a move"));
            importer.Then = static each =>
            {
                using ReservationLock held = each.Buffer.Reservation.LockOrGoOn();
                _ = each.TryPin(held, out _);
            };
            Assert.That(() => Notify(handle.Buffer), Throws.InvalidOperationException);
            Assert.That((attachment!.Rebuilds, exporter.Pins), Is.EqualTo((0L, 0)));
        }
    }

    [Test]
    public void Detach_EndsTheMappingsThatAreOut()
    {
        using BufferHandle handle = rig.Heap();
        BufferAttachment attachment = Attach(handle, isDynamic: false);
        BufferMapping mapping = Map(attachment, DmaDirection.ToDevice);
        DmaAddr address = mapping.Segments[0].Address;
        attachment.Dispose();
        Assert.That((mapping.IsValid, attachment.Device.LiveMappings), Is.EqualTo((false, 0)));
        Assert.That(attachment.Device.Port.TryRead(address, new byte[1], out _), Is.EqualTo(Errno.EFAULT));
        mapping.Dispose();
        Assert.That(() => mapping.List, Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(() => attachment.TryMap(DmaDirection.ToDevice, out _), Throws.InstanceOf<ObjectDisposedException>());
    }

    [Test]
    public void Map_ByAStaticImporter_WaitsForTheKernelsFences()
    {
        using BufferHandle handle = rig.Heap();
        using BufferAttachment attachment = Attach(handle, isDynamic: false);
        DmaFence clearing = rig.Fence();
        BufferRig.Add(handle.Buffer, clearing, FenceUsage.Kernel);
        using var started = new ManualResetEventSlim();
        var mapper = new Thread(() =>
        {
            started.Set();
            Map(attachment, DmaDirection.ToDevice).Dispose();
        });
        mapper.Start();
        started.Wait();
        clearing.Signal().ThrowIfError();
        mapper.Join();
        Assert.That(attachment.Rebuilds, Is.EqualTo(1));
    }

    [Test]
    public void Attachment_HoldsTheBuffer()
    {
        BufferHandle handle = rig.Heap();
        BufferAttachment attachment = Attach(handle, isDynamic: false);
        handle.Dispose();
        Assert.That(rig.System.Buffers.Count, Is.EqualTo(1));
        using (BufferMapping mapping = Map(attachment, DmaDirection.Bidirectional))
        {
            Assert.That(PeerRig.Read(attachment.Device, mapping.Segments), Is.EqualTo(new byte[BufferRig.Page]));
        }

        attachment.Dispose();
        Assert.That(rig.System.Buffers.Count, Is.Zero);
    }

    internal static BufferMapping Map(BufferAttachment attachment, DmaDirection direction)
    {
        attachment.TryMap(direction, out BufferMapping? mapping).ThrowIfError();
        return mapping!;
    }

    private static AttachmentPin Pin(BufferAttachment attachment)
    {
        using ReservationLock held = attachment.Buffer.Reservation.Lock();
        attachment.TryPin(held, out AttachmentPin? pin).ThrowIfError();
        return pin!;
    }

    private static void Notify(DmaBuffer buffer)
    {
        using ReservationLock held = buffer.Reservation.LockOrGoOn();
        buffer.NotifyMove(held, MoveNotice.MayMove);
    }

    private FakeExporter Exporter(bool moves) => new(rig.Machine) { Traits = new BufferTraits { Moves = moves } };

    private BufferHandle Export(FakeExporter exporter)
    {
        DmaBuffer.TryExport(rig.System.Buffers, exporter, reservation: null, out BufferHandle? handle).ThrowIfError();
        return handle!;
    }

    private BufferAttachment Attach(BufferHandle handle, bool isDynamic, string name = "device")
    {
        BufferAttachment.TryAttach(handle, rig.Device(name), isDynamic ? new FakeImporter() : null, out BufferAttachment? attachment).ThrowIfError();
        return attachment!;
    }
}
