using Mm.Core;
using Mm.DmaBuf.Fences;

namespace Mm.DmaBuf.Tests.Fences;

internal sealed class FenceArrayTests
{
    private readonly FenceRig rig = new();

    [TestCase(false)]
    [TestCase(true)]
    public void All_Members_MustSignal(bool enables)
    {
        DmaFence first = rig.Fence();
        DmaFence second = rig.Fence();
        FenceArray array = rig.Array(first, second);
        if (enables)
        {
            array.EnableSignaling();
        }

        first.Signal().ThrowIfError();
        Assert.That(array.IsSignaled, Is.False);
        second.Signal().ThrowIfError();
        Assert.That(array.GetStatus(), Is.EqualTo(FenceStatus.Signaled));
    }

    [TestCase(false)]
    [TestCase(true)]
    public void Any_Member_Suffices(bool enables)
    {
        DmaFence second = rig.Fence();
        FenceArray array = rig.Any(rig.Fence(), second);
        Assert.That(array.SignalsOnAny, Is.True);
        if (enables)
        {
            array.EnableSignaling();
        }

        Assert.That(array.IsSignaled, Is.False);
        second.Signal(Errno.EIO).ThrowIfError();
        Assert.That(array.GetStatus().Error, Is.EqualTo(enables ? Errno.EIO : Errno.Ok), "a failure is seen by who waits");
    }

    [TestCase(false)]
    [TestCase(true)]
    public void Signal_OfTheLast_RunsCallbacks(bool isSignaledBefore)
    {
        DmaFence first = rig.Fence();
        DmaFence second = rig.Fence();
        FenceArray array = rig.Array(first, second);
        bool seen = false;
        if (isSignaledBefore)
        {
            first.Signal().ThrowIfError();
        }

        array.TryAddCallback(_ => seen = true, out _).ThrowIfError();
        _ = first.Signal();
        Assert.That(seen, Is.False);
        second.Signal().ThrowIfError();
        Assert.That(seen, Is.True);
    }

    [Test]
    public void Error_OfAMember_IsTheArrays()
    {
        DmaFence first = rig.Fence();
        DmaFence second = rig.Fence();
        FenceArray array = rig.Array(first, second);
        array.EnableSignaling();
        second.Signal(Errno.ECANCELED).ThrowIfError();
        first.Signal().ThrowIfError();
        Assert.That(array.GetStatus().Error, Is.EqualTo(Errno.ECANCELED));
    }

    [Test]
    public void Error_OfAMemberThatFailedBeforeAnybodyWaited_IsFoundByWaiting()
    {
        DmaFence failed = rig.Fence();
        DmaFence pending = rig.Fence();
        FenceArray array = rig.Array(failed, pending);
        failed.Signal(Errno.ENOENT).ThrowIfError();
        array.EnableSignaling();
        pending.Signal(Errno.EIO).ThrowIfError();
        Assert.That(array.GetStatus().Error, Is.EqualTo(Errno.ENOENT), "the first that was seen");
    }

    [Test]
    public void Error_OfMembers_IsNotTheArraysWhereNobodyWaited()
    {
        DmaFence failed = rig.Fence();
        FenceArray array = rig.Array(failed, rig.Contexts.Stub);
        failed.Signal(Errno.ENOENT).ThrowIfError();
        Assert.That(array.GetStatus(), Is.EqualTo(FenceStatus.Signaled));
    }

    [Test]
    public void Callback_OnSignaledMembers_IsLate()
    {
        Assert.That(rig.Array(rig.Contexts.Stub).TryAddCallback(_ => { }, out _), Is.EqualTo(Errno.ENOENT));
    }

    [Test]
    public void Deadline_OfAnArray_ReachesItsMembers()
    {
        DmaFence member = rig.Fence();
        rig.Array(member).SetDeadline(9);
        Assert.That(member.DeadlineNs, Is.EqualTo(9));
    }

    [Test]
    public void Members_NoneOrContainers_AreTheCallersMistake()
    {
        Assert.That(() => rig.Array(), Throws.ArgumentException);
        Assert.That(() => rig.Array(rig.Array(rig.Fence())), Throws.ArgumentException);
        Assert.That(() => rig.Array(new FenceChain(previous: null, rig.Fence(), seqno: 1)), Throws.ArgumentException);
    }
}
