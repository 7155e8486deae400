using Mm.Core;
using Mm.Core.Spaces;
using Mm.Devices.Tests.Gpus;
using Mm.Hmm.Copying;

namespace Mm.Devices.Tests.Seeds;

/// <summary>S3: the device copies, not the CPU; a copy that fails leaks nothing and shows nothing.</summary>
[Category("Seeds")]
internal sealed class DeviceCopiesTests
{
    private const ulong Base = 0x4000_0000;
    private const int Pages = 16;

    [Test]
    public void Migration_ThereAndBack_IsCopiedByTheDeviceAlone()
    {
        using var rig = new SvmRig();
        var cpu = new CpuCopyEngine(new CpuPageBytes(rig.Machine), rig.Machine.Faults);
        VirtRange array = rig.MapFilled(Pages * GpuRig.Page, out byte[] bytes, Base);
        rig.Svm.TryFault(array.Start, SvmRig.OnDevice).ThrowIfError();
        Assert.That(rig.Gpu.Gpu.Copier.Counters.Copied.Value, Is.EqualTo(Pages));
        Assert.That(IsRefused(cpu, rig.Svm.Ranges[0].Memory!.Frames[0]), Is.True, "a CPU could not have copied: it does not reach the page");
        Assert.That(rig.CpuRead(array), Is.EqualTo(bytes));
        Assert.That(
            (rig.Gpu.Gpu.Copier.Counters.Copied.Value, cpu.Counters.Copied.Value), Is.EqualTo((2UL * Pages, 0UL)), "each page once each way");
    }

    [Test]
    public void Copy_ThatFails_LeaksNothingAndShowsNothing()
    {
        for (ulong nth = 1; nth <= Pages; nth++)
        {
            using var rig = new SvmRig();
            VirtRange array = rig.MapFilled(Pages * GpuRig.Page, out byte[] bytes, Base);
            PageCount before = rig.Gpu.InUse;
            rig.Machine.Faults.FailNth(CopyFaults.Page, nth);
            Assert.That(rig.Svm.TryFault(array.Start, SvmRig.OnDevice), Is.EqualTo(Errno.EIO));
            Assert.That((rig.UsedVram, rig.Gpu.InUse), Is.EqualTo((0UL, before)), "no page is left, here or there");
            Assert.That(rig.CpuRead(array), Is.EqualTo(bytes));

            rig.Svm.TryFault(array.Start, SvmRig.OnDevice).ThrowIfError();
            rig.Machine.Faults.FailNth(CopyFaults.Page, nth);
            var seen = new byte[1];
            FaultResult touched = rig.Space.Read(array.Start, seen);
            rig.Machine.Faults.Clear();
            Assert.That(touched == FaultResult.Done ? seen[0] == bytes[0] : touched == FaultResult.BusError, Is.True, "the byte, or a signal");
            Assert.That(rig.CpuRead(array), Is.EqualTo(bytes), "and then all of them");
        }
    }

    private static bool IsRefused(CpuCopyEngine cpu, Pfn page)
    {
        var jobs = new CopyJobPool();
        using CopyJob job = jobs.Rent();
        job.Add(PageCopy.Of(page, new Pfn(0x10_0000)));
        cpu.TrySubmit(job).ThrowIfError();
        return job.Fence.Wait() == Errno.ENXIO;
    }
}
