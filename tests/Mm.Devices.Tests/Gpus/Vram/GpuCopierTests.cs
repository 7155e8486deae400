using Mm.Core;
using Mm.Devices.Gpus.Vram;
using Mm.Hmm.Copying;

namespace Mm.Devices.Tests.Gpus.Vram;

internal sealed class GpuCopierTests
{
    [Test]
    public void Engine_OfTheGpu_KeepsItsContract()
    {
        using var rig = new GpuRig();
        VramBytes bytes = rig.Gpu.Bytes;
        ulong visible = rig.Gpu.Memory.VisiblePages.Value;
        Pfn[] pages =
        [
            bytes.FrameAt(PageCount.Zero), bytes.FrameAt(new PageCount(visible)), bytes.FrameAt(new PageCount(visible - 1)),
            bytes.FrameAt(new PageCount(visible + 9)), new Pfn(0x10_0000), new Pfn(0x10_0001),
        ];
        CopyEngineContract.ThrowIfBroken(rig.Gpu.Copier.Engine, bytes, rig.Gpu.Copier.Jobs, pages);
    }

    [Test]
    public void Restart_FailsWhatIsQueuedAndCountsOn()
    {
        using var rig = new GpuRig();
        GpuCopier copier = rig.Gpu.Copier;
        using CopyJob done = copier.Jobs.Rent();
        done.Add(PageCopy.Clear(rig.Gpu.Bytes.FrameAt(PageCount.Zero)));
        Assert.That(copier.TryRun(done), Is.EqualTo(Errno.Ok));

        using CopyJob queued = copier.Jobs.Rent();
        queued.Add(PageCopy.Clear(rig.Gpu.Bytes.FrameAt(PageCount.One)));
        copier.Engine.TrySubmit(queued).ThrowIfError();
        copier.Restart();
        Assert.That((queued.Fence.IsSignaled, queued.Fence.Error), Is.EqualTo((true, Errno.ENODEV)));

        using CopyJob next = copier.Jobs.Rent();
        next.Add(PageCopy.Clear(rig.Gpu.Bytes.FrameAt(PageCount.One)));
        Assert.That((copier.TryRun(next), copier.Counters.Cleared.Value, copier.Counters.FailedJobs), Is.EqualTo((Errno.Ok, 2UL, 1UL)));
        using CopyJob empty = copier.Jobs.Rent();
        Assert.That(copier.TryRun(empty), Is.EqualTo(Errno.Ok));
        copier.Dispose();
        using CopyJob late = copier.Jobs.Rent();
        late.Add(PageCopy.Clear(rig.Gpu.Bytes.FrameAt(PageCount.One)));
        Assert.That(copier.TryRun(late), Is.EqualTo(Errno.ENODEV));
        copier.Restart();
        Assert.That(copier.TryRun(late), Is.EqualTo(Errno.ENODEV), "a reset that comes after the end starts nothing");
    }
}
