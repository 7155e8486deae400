using Mm.Core;
using Mm.Core.Frames;
using Mm.Core.Spaces;
using Mm.Devices.Tests.Gpus;

namespace Mm.Devices.Tests.Seeds;

/// <summary>S3: a device that touches memory first gets it in its own memory; no page of RAM is ever taken; files refuse.</summary>
[Category("Seeds")]
internal sealed class DeviceFaultOnEmptyPteTests
{
    private const ulong Base = 0x4000_0000;
    private const int Pages = 16;

    [Test]
    public void Touch_OfWhatNobodyTouched_TakesMemoryOfTheGpuAlone()
    {
        using var rig = new SvmRig();
        VirtRange array = rig.Map(Pages * GpuRig.Page, at: Base);
        rig.Svm.Policy = SvmRig.OnDevice;
        AllocatorStatistics before = rig.Machine.Allocator.Statistics;
        byte[] bytes = GpuRig.Bytes(Pages * GpuRig.Page, 5);
        rig.Svm.TryWrite(array.Start, bytes).ThrowIfError();
        Assert.That(rig.Machine.Allocator.Statistics.Taken, Is.EqualTo(before.Taken), "no page of RAM was ever taken");
        Assert.That((rig.UsedVram, rig.Space.CountResident(RssKind.Anonymous).Value), Is.EqualTo(((ulong)Pages, (ulong)Pages)));
        Assert.That(
            (rig.Gpu.Gpu.Copier.Counters.Copied.Value, rig.Gpu.Gpu.Copier.Counters.Cleared.Value), Is.EqualTo((0UL, (ulong)Pages)),
            "what was never written is cleared, not copied");
        Assert.That(rig.GpuRead(array), Is.EqualTo(bytes));
        Assert.That(rig.Machine.Allocator.Statistics.Taken, Is.EqualTo(before.Taken));
        Assert.That(rig.CpuRead(array), Is.EqualTo(bytes));
    }

    [Test]
    public void Touch_OfAFile_TakesNoMemoryOfTheGpu([Values] bool isShared)
    {
        using var rig = new SvmRig();
        using MemoryFile file = rig.Machine.Spaces.CreateFile();
        file.TryResize(new ByteCount(Pages * GpuRig.Page)).ThrowIfError();
        var traits = new AreaTraits(isShared ? AreaKind.FileShared : AreaKind.FilePrivate, AreaAccess.ReadWrite) { Backing = file };
        rig.Space.TryMap(new AreaRequest(new ByteCount(Pages * GpuRig.Page), traits), out VirtRange area).ThrowIfError();
        Assert.That(rig.Svm.TryFault(area.Start, SvmRig.OnDevice), Is.EqualTo(Errno.EBUSY));
        Assert.That(rig.Svm.TryFault(area.Start, SvmRig.ToDevice), Is.EqualTo(Errno.Ok), "where it is only wished, in RAM");
        Assert.That(rig.UsedVram, Is.Zero);
    }
}
