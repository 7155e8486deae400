using Mm.Core;
using Mm.Core.Dma;
using Mm.Core.Spaces;
using Mm.Devices.Gpus.Objects;
using Mm.Devices.Gpus.Svm;
using Mm.Devices.Gpus.Vram;
using Mm.DmaBuf.Attachments;
using Mm.DmaBuf.Buffers;

namespace Mm.Devices.Tests.Gpus.Svm;

[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class SvmBufferTests : IDisposable
{
    private const ulong Base = 0x4000_0000;

    private readonly SvmRig rig = new();

    public void Dispose() => rig.Dispose();

    [Test]
    public void Share_OfHiddenMemory_BringsItBehindTheBarForAPeer()
    {
        VirtRange array = rig.MapFilled(128 * 1024, out byte[] bytes, Base);
        rig.Svm.TryFault(array.Start, SvmRig.OnDevice).ThrowIfError();
        using BufferHandle handle = Share(array, out SvmBuffer exporter);
        Assert.That((exporter.IsThere, handle.Buffer.Size, exporter.Name), Is.EqualTo((false, array.Length, "gpu0 svm 1")));
        using BufferAttachment near = GpuRig.Attach(handle, rig.Gpu.Near, new TellingImporter());
        using BufferMapping mapping = GpuRig.Map(near);
        Assert.That((exporter.IsThere, mapping.Segments[0].IsBusAddress), Is.EqualTo((true, true)));
        Assert.That(GpuRig.Read(near), Is.EqualTo(bytes));
        Assert.That(rig.Gpu.Gpu.Memory.CountFree(VramPart.Hidden).Value, Is.EqualTo(768), "all of it lies behind the BAR");

        GpuRig.Write(near, 5000, [1, 2, 3]);
        byte[] seen = rig.GpuRead(new VirtRange(new VirtAddr(Base + 5000), new ByteCount(3)));
        Assert.That(seen, Is.EqualTo(new byte[] { 1, 2, 3 }), "the process's GPU sees what the NIC wrote");
    }

    [Test]
    public void Touch_ByTheCpu_EndsThePeersAddressesUntilTheGpuBringsItBack()
    {
        VirtRange array = rig.MapFilled(64 * 1024, out byte[] bytes, Base);
        using BufferHandle handle = Share(array, out SvmBuffer exporter);
        var importer = new TellingImporter();
        using BufferAttachment near = GpuRig.Attach(handle, rig.Gpu.Near, importer);
        using BufferMapping mapping = GpuRig.Map(near);
        DmaAddr address = mapping.Segments[0].Address;
        Assert.That(rig.Space.Write(array.Start, [42]), Is.EqualTo(FaultResult.Done));
        Assert.That(rig.Gpu.Near.Port.TryRead(address, new byte[1], out _), Is.EqualTo(Errno.EFAULT));
        Assert.That((exporter.IsThere, near.TryMap(DmaDirection.ToDevice, out _)), Is.EqualTo((false, Errno.ENODEV)));
        Assert.That((exporter.TryBring(), exporter.TryBring()), Is.EqualTo((Errno.Ok, Errno.Ok)));
        bytes[0] = 42;
        Assert.That((GpuRig.Read(near), importer.Notices), Is.EqualTo((bytes, new List<MoveNotice> { MoveNotice.Restored })));
    }

    [Test]
    public void Attach_ByWhoDoesNotReachOrTakeAPeersMemory_IsRefusedWithAReason()
    {
        VirtRange array = rig.MapFilled(4096, out _, Base);
        using BufferHandle handle = Share(array, out SvmBuffer exporter);
        Errno errno = BufferAttachment.TryAttach(handle, rig.Gpu.Far, new TellingImporter(), out _, out PeerTerms terms);
        Assert.That((errno, terms.Reason), Is.EqualTo((Errno.EOPNOTSUPP, PeerReason.NoWay)));
        errno = BufferAttachment.TryAttach(handle, rig.Gpu.Near, importer: null, out _, out terms);
        Assert.That((errno, terms.Reason), Is.EqualTo((Errno.EOPNOTSUPP, PeerReason.ImporterDeclines)));
        Assert.That((rig.UsedVram, exporter.IsThere), Is.EqualTo((0UL, false)), "nothing moved for them");

        using BufferAttachment near = GpuRig.Attach(handle, rig.Gpu.Near, new TellingImporter());
        using DmaBuf.Reservations.ReservationLock held = handle.Buffer.Reservation.Lock();
        Assert.That(near.TryPin(held, out _), Is.EqualTo(Errno.EOPNOTSUPP), "pinned for nobody");
    }

    [Test]
    public void Bring_WithoutRoomBehindTheBar_IsRefusedWithAReason()
    {
        VirtRange array = rig.MapFilled(64 * 1024, out byte[] bytes, Base);
        using BufferHandle handle = Share(array, out SvmBuffer exporter);
        using GpuObject full = rig.Gpu.Create(256, GpuPlaces.VisibleVram, GpuPlaces.VisibleVram);
        Assert.That(
            BufferAttachment.TryAttach(handle, rig.Gpu.Near, new TellingImporter(), out _), Is.EqualTo(Errno.ENODEV));
        Assert.That((exporter.Refusal, rig.CpuRead(array)), Is.EqualTo((Errno.ENOMEM, bytes)));
        rig.Space.TryUnmap(array.Start, array.Length).ThrowIfError();
        Assert.That((exporter.TryBring(), exporter.Refusal), Is.EqualTo((Errno.ENOENT, Errno.ENOENT)));
    }

    [Test]
    public void Share_OfWhatIsNoMemory_IsRefused()
    {
        Assert.That(rig.Svm.TryShare(new VirtRange(new VirtAddr(1), new ByteCount(4096)), out _, out _), Is.EqualTo(Errno.EINVAL));
        Assert.That(rig.Svm.TryShare(new VirtRange(new VirtAddr(Base), ByteCount.Zero), out _, out _), Is.EqualTo(Errno.EINVAL));
        Assert.That(rig.Svm.TryShare(new VirtRange(new VirtAddr(1UL << 47), new ByteCount(4096)), out _, out _), Is.EqualTo(Errno.EINVAL));
        for (ulong nth = 1; nth <= 3; nth++)
        {
            rig.Machine.Faults.FailNth(FaultPoint.Slab, nth);
            Assert.That(rig.Svm.TryShare(new VirtRange(new VirtAddr(Base), new ByteCount(4096)), out _, out _), Is.EqualTo(Errno.ENOMEM));
            rig.Machine.Faults.Clear();
        }

        Assert.That(rig.Gpu.System.Buffers.Count, Is.Zero);
        rig.Svm.Dispose();
        Assert.That(rig.Svm.TryShare(new VirtRange(new VirtAddr(Base), new ByteCount(4096)), out _, out _), Is.EqualTo(Errno.ENODEV));
    }

    [Test]
    public void Remove_WithAPeerAtIt_LeavesNoAddress()
    {
        VirtRange array = rig.MapFilled(8192, out byte[] bytes, Base);
        using BufferHandle handle = Share(array, out SvmBuffer exporter);
        using BufferAttachment near = GpuRig.Attach(handle, rig.Gpu.Near, new TellingImporter());
        using BufferMapping mapping = GpuRig.Map(near);
        DmaAddr address = mapping.Segments[0].Address;
        rig.Gpu.Gpu.Remove();
        Assert.That(rig.Gpu.Near.Port.TryRead(address, new byte[1], out _), Is.EqualTo(Errno.EFAULT));
        Assert.That((exporter.TryBring(), rig.CpuRead(array)), Is.EqualTo((Errno.ENODEV, bytes)));
    }

    private BufferHandle Share(VirtRange range, out SvmBuffer exporter)
    {
        rig.Svm.TryShare(range, out SvmBuffer? made, out BufferHandle? handle).ThrowIfError();
        exporter = made!;
        return handle!;
    }
}
