using Mm.Core;
using Mm.Core.Native;
using Mm.Devices.Gpus.Vram;

namespace Mm.Devices.Tests.Gpus.Vram;

internal sealed class VramBytesTests
{
    [Test]
    public void Bytes_OfVisiblePages_AreThoseInTheBar()
    {
        using var rig = new GpuRig();
        VramBytes bytes = rig.Gpu.Bytes;
        bytes.TryLease(bytes.FrameAt(new PageCount(2)), PageSize.Small, out SpanLease lease).ThrowIfError();
        using (lease)
        {
            lease.Bytes.Fill(0x5a);
        }

        PhysRange address = bytes.AddressOf(new VramRun(new PageCount(2), PageCount.One));
        using SpanLease window = rig.Machine.Lease(address);
        Assert.That(window.Bytes.ToArray(), Is.All.EqualTo(0x5a));
        Assert.That(rig.Gpu.Provider.Aperture.Contains(address), Is.True);
    }

    [Test]
    public void Bytes_OfHiddenPages_AreTheGpusAlone()
    {
        using var rig = new GpuRig();
        VramBytes bytes = rig.Gpu.Bytes;
        Pfn hidden = bytes.FrameAt(rig.Gpu.Memory.VisiblePages);
        bytes.TryLease(hidden, PageSize.Small, out SpanLease lease).ThrowIfError();
        lease.Dispose();
        Assert.That(rig.Machine.TryLease(new PhysRange(hidden.Address, PageSize.Small.Bytes), out _), Is.EqualTo(Errno.ENXIO));
        Assert.That(
            () => bytes.AddressOf(new VramRun(rig.Gpu.Memory.VisiblePages, PageCount.One)), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void Bytes_HalfInTheWindow_AreRefused()
    {
        using var rig = new GpuRig(visibleKiB: 1024);
        VramBytes bytes = rig.Gpu.Bytes;
        Assert.That(bytes.TryLease(bytes.FrameAt(PageCount.Zero), PageSize.Large, out _), Is.EqualTo(Errno.ENXIO));
        bytes.TryLease(bytes.FrameAt(new PageCount(512)), PageSize.Large, out SpanLease lease).ThrowIfError();
        lease.Dispose();
    }

    [Test]
    public void Window_OverAll_HidesNothing()
    {
        using var rig = new GpuRig(memoryKiB: 2048, visibleKiB: 0);
        Assert.That(rig.Gpu.Memory.VisiblePages, Is.EqualTo(rig.Gpu.Memory.Pages));
        rig.Gpu.Bytes.TryLease(new Pfn(0x10_0000), PageSize.Small, out SpanLease ram).ThrowIfError();
        ram.Dispose();
    }
}
