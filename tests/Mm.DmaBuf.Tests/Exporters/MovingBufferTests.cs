using Mm.Core;
using Mm.Core.Dma;
using Mm.DmaBuf.Attachments;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Exporters;
using Mm.DmaBuf.Fences;
using Mm.DmaBuf.Reservations;
using Mm.DmaBuf.Tests.Attachments;

namespace Mm.DmaBuf.Tests.Exporters;

[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class MovingBufferTests : IDisposable
{
    private readonly PeerRig rig = new();

    public void Dispose() => rig.Dispose();

    [Test]
    public void Move_ToRamAndBack_KeepsTheBytes()
    {
        using BufferHandle handle = rig.Moving(out MovingBuffer exporter);
        byte[] bytes = BufferRig.Bytes(4 * BufferRig.Page, seed: 2);
        rig.Fill(rig.Vram(0, 4), bytes);
        Assert.That((exporter.TryMoveToRam(), exporter.IsInDevice, exporter.TryMoveToRam()), Is.EqualTo((Errno.Ok, false, Errno.Ok)));
        Assert.That(ReadAll(handle.Buffer), Is.EqualTo(bytes));
        Assert.That(exporter.TryMoveToDevice([rig.Vram(100, 1), rig.Vram(50, 3)]), Is.EqualTo(Errno.Ok));
        Assert.That((ReadAll(handle.Buffer), exporter.IsInDevice, exporter.Moves), Is.EqualTo((bytes, true, 2L)));
    }

    [Test]
    public void Map_ByWhoDoesNotTakeAPeersMemory_BringsItToRam()
    {
        using BufferHandle handle = rig.Moving(out MovingBuffer exporter);
        using BufferAttachment near = Attach(handle, rig.Near, new FakeImporter());
        using BufferAttachment far = Attach(handle, rig.Far, new FakeImporter());
        Assert.That((near.Terms.Reason, far.Terms.Reason), Is.EqualTo((PeerReason.Agreed, PeerReason.NoWay)));
        using BufferMapping direct = BufferAttachmentTests.Map(near, DmaDirection.Bidirectional);
        Assert.That((direct.Segments[0].IsBusAddress, exporter.IsInDevice), Is.EqualTo((true, true)));
        using BufferMapping inRam = BufferAttachmentTests.Map(far, DmaDirection.Bidirectional);
        Assert.That((exporter.IsInDevice, direct.IsValid, inRam.IsValid, near.Notifications), Is.EqualTo((false, false, true, 1L)));
        using BufferMapping again = BufferAttachmentTests.Map(near, DmaDirection.Bidirectional);
        Assert.That((again.IsValid, near.Rebuilds, far.Rebuilds), Is.EqualTo((true, 2L, 1L)));
    }

    [Test]
    public void Attach_ByAStaticImporter_PinsItInRam()
    {
        using BufferHandle handle = rig.Moving(out MovingBuffer exporter);
        using (BufferAttachment fixedOne = Attach(handle, rig.Near, importer: null))
        {
            Assert.That((exporter.IsInDevice, exporter.PinCount, fixedOne.Terms.Reason), Is.EqualTo((false, 1, PeerReason.ImporterDeclines)));
            Assert.That(exporter.TryMoveToDevice([rig.Vram(8, 4)]), Is.EqualTo(Errno.EBUSY));
        }

        Assert.That((exporter.PinCount, exporter.TryMoveToDevice([rig.Vram(8, 4)])), Is.EqualTo((0, Errno.Ok)));
    }

    [Test]
    public void Pin_InTheDevice_KeepsOthersFromRam()
    {
        using BufferHandle handle = rig.Moving(out MovingBuffer exporter);
        using BufferAttachment near = Attach(handle, rig.Near, new FakeImporter());
        using BufferAttachment far = Attach(handle, rig.Far, new FakeImporter());
        using (ReservationLock held = handle.Buffer.Reservation.Lock())
        {
            near.TryPin(held, out AttachmentPin? pin).ThrowIfError();
            Assert.That(far.TryMap(held, DmaDirection.ToDevice, out _), Is.EqualTo(Errno.EBUSY));
            Assert.That(far.TryPin(held, out _), Is.EqualTo(Errno.EBUSY));
            pin!.Dispose();
            Assert.That(far.TryMap(held, DmaDirection.ToDevice, out BufferMapping? mapping), Is.EqualTo(Errno.Ok));
            mapping!.Dispose();
        }

        Assert.That(exporter.IsInDevice, Is.False);
    }

    [Test]
    public void Move_WithAFenceThatDoesNotSignal_IsRefusedAndChangesNothing()
    {
        using BufferHandle handle = rig.Moving(out MovingBuffer exporter);
        var importer = new FakeImporter();
        using BufferAttachment near = Attach(handle, rig.Near, importer);
        using BufferMapping mapping = BufferAttachmentTests.Map(near, DmaDirection.Bidirectional);
        DmaFence work = rig.Ram.Fence();
        BufferRig.Add(handle.Buffer, work, FenceUsage.Bookkeep);
        PageCount before = rig.Ram.InUse;
        Assert.That(exporter.TryMoveToRam(timeoutNs: 0), Is.EqualTo(Errno.ETIME));
        Assert.That((exporter.IsInDevice, mapping.IsValid, rig.Ram.InUse, importer.Notices.Count), Is.EqualTo((true, true, before, 1)));
        BufferAttachmentTests.Map(near, DmaDirection.Bidirectional).Dispose();
        Assert.That(near.Rebuilds, Is.EqualTo(1), "told, not moved: nothing is mapped anew");
        work.Signal().ThrowIfError();
        Assert.That(exporter.TryMoveToRam(timeoutNs: 0), Is.EqualTo(Errno.Ok));
    }

    [Test]
    public void Move_ToIllegalPlaces_IsRefused()
    {
        using BufferHandle handle = rig.Moving(out MovingBuffer exporter);
        Assert.That(exporter.TryMoveToDevice([]), Is.EqualTo(Errno.EINVAL));
        Assert.That(exporter.TryMoveToDevice([rig.Vram(8, 3)]), Is.EqualTo(Errno.EINVAL));
        Assert.That(exporter.TryMoveToDevice([new PhysRange(new PhysAddr(0x1_0000_0000), exporter.Size)]), Is.EqualTo(Errno.EINVAL));
    }

    [Test]
    public void Move_FailedAtEachAllocation_ChangesNothing()
    {
        using BufferHandle handle = rig.Moving(out MovingBuffer exporter, pages: 3);
        PageCount before = rig.Ram.InUse;
        for (ulong nth = 1; nth <= 3; nth++)
        {
            rig.Machine.Faults.FailNth(FaultPoint.PageAlloc, nth, 9);
            Assert.That(exporter.TryMoveToRam(), Is.EqualTo(Errno.ENOMEM), $"{nth}");
            rig.Machine.Faults.Clear();
            Assert.That((exporter.IsInDevice, rig.Ram.InUse), Is.EqualTo((true, before)));
        }
    }

    [Test]
    public void Export_Refused_LeavesNothing([Values(1UL, 2UL, 3UL)] ulong nth)
    {
        rig.Machine.Faults.FailNth(FaultPoint.Slab, nth);
        Errno errno = MovingBuffer.TryExport(
            rig.System.Buffers, rig.Pci.Owners, rig.Provider, [rig.Vram(0, 1)], out MovingBuffer? exporter, out BufferHandle? handle);
        Assert.That((errno, exporter, handle, rig.System.Buffers.Count), Is.EqualTo((Errno.ENOMEM, (MovingBuffer?)null, (BufferHandle?)null, 0)));
    }

    private static byte[] ReadAll(DmaBuffer buffer)
    {
        using KernelView view = BufferRig.View(buffer);
        byte[] bytes = new byte[buffer.Size.Value];
        view.TryRead(ByteCount.Zero, bytes).ThrowIfError();
        return bytes;
    }

    private static BufferAttachment Attach(BufferHandle handle, DmaDevice device, IBufferImporter? importer)
    {
        BufferAttachment.TryAttach(handle, device, importer, out BufferAttachment? attachment).ThrowIfError();
        return attachment!;
    }
}
