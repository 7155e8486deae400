using Mm.Core;
using Mm.DmaBuf.Fences;

namespace Mm.DmaBuf.Tests.Fences;

internal sealed class SyncFileTests
{
    private readonly FenceRig rig = new();

    [Test]
    public void Merge_Refusals_MakeNoFile()
    {
        using var file = new SyncFile(rig.Fence());
        var closed = new SyncFile(rig.Fence());
        closed.Dispose();
        Assert.That(file.TryMerge(file, "n", flags: 1, out SyncFile? merged), Is.EqualTo(Errno.EINVAL));
        Assert.That(merged, Is.Null);
        Assert.That(file.TryMerge(other: null, "n", flags: 0, out merged), Is.EqualTo(Errno.ENOENT));
        Assert.That(file.TryMerge(closed, "n", flags: 0, out merged), Is.EqualTo(Errno.ENOENT));
        Assert.That(merged, Is.Null);
    }

    [Test]
    public void Name_Given_IsCutAndElseMadeOfTheFence()
    {
        using var file = new SyncFile(rig.Contexts.Stub);
        Assert.That(file.Name, Is.EqualTo("stub-stub0-0"));
        file.TryMerge(file, new string('x', 40), flags: 0, out SyncFile? merged).ThrowIfError();
        Assert.That(merged!.Name, Has.Length.EqualTo(SyncFile.MaxNameLength));
    }

    [Test]
    public void Info_WithoutSlots_TellsTheCount()
    {
        DmaFence failed = rig.Fence();
        using var file = new SyncFile(rig.Array(rig.Fence(), failed));
        Assert.That(file.TryGetInfo([], flags: 0, out SyncFileInfo info), Is.EqualTo(Errno.Ok));
        Assert.That((info.FenceCount, info.Status), Is.EqualTo((2, FenceStatus.Pending)));
    }

    [Test]
    public void Info_Refusals_SayNothing()
    {
        using var file = new SyncFile(rig.Array(rig.Fence(), rig.Fence()));
        Assert.That(file.TryGetInfo(new SyncFenceInfo[1], flags: 0, out SyncFileInfo info), Is.EqualTo(Errno.EINVAL));
        Assert.That(info, Is.EqualTo(default(SyncFileInfo)));
        Assert.That(file.TryGetInfo([], flags: 1, out _), Is.EqualTo(Errno.EINVAL));
    }

    [Test]
    public void Info_OfEachFence_TellsStatusAndTimestamp()
    {
        rig.Clock.AdvanceNs(6);
        DmaFence failed = rig.Fence();
        failed.Signal(Errno.EIO).ThrowIfError();
        using var file = new SyncFile(rig.Array(rig.Contexts.Stub, failed, rig.Fence()));
        var slots = new SyncFenceInfo[3];
        file.TryGetInfo(slots, flags: 0, out SyncFileInfo info).ThrowIfError();
        Assert.That(slots.Select(slot => slot.Status.Number), Is.EqualTo([1, -5, 0]));
        Assert.That(slots.Select(slot => slot.TimestampNs), Is.EqualTo([0, 6, 0]));
        Assert.That(info.Status.Number, Is.EqualTo(-5), "the first that is not simply signaled");
    }

    [Test]
    public void Ready_AskedOnce_ArmsOneCallbackThatTheClosingRemoves()
    {
        DmaFence fence = rig.Fence();
        var file = new SyncFile(fence);
        Assert.That((file.IsReady, file.IsReady), Is.EqualTo((false, false)));
        file.Dispose();
        file.Dispose();
        fence.Signal().ThrowIfError();
        Assert.That(() => file.IsReady, Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(() => file.Wait(0), Throws.InstanceOf<ObjectDisposedException>());
    }

    [Test]
    public void Ready_AfterTheSignal_IsTrue()
    {
        DmaFence fence = rig.Fence();
        using var file = new SyncFile(fence);
        file.SetDeadline(3);
        Assert.That(fence.DeadlineNs, Is.EqualTo(3));
        fence.Signal().ThrowIfError();
        Assert.That(file.IsReady, Is.True);
    }
}
