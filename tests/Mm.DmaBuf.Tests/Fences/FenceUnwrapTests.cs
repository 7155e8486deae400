using Mm.Core;
using Mm.DmaBuf.Fences;

namespace Mm.DmaBuf.Tests.Fences;

internal sealed class FenceUnwrapTests
{
    private readonly FenceRig rig = new();

    [Test]
    public void Merge_OfSignaledFences_IsAStubOfTheLastTimestamp()
    {
        DmaFence first = rig.Fence();
        DmaFence second = rig.Fence();
        rig.Clock.AdvanceNs(5);
        first.Signal().ThrowIfError();
        rig.Clock.AdvanceNs(5);
        second.Signal(Errno.EIO).ThrowIfError();
        DmaFence merged = FenceUnwrap.Merge(rig.Contexts, second, first, null);
        Assert.That(merged, Is.InstanceOf<StubFence>().And.Not.SameAs(rig.Contexts.Stub));
        Assert.That(merged.TimestampNs, Is.EqualTo(10));
        Assert.That(merged.GetStatus(), Is.EqualTo(FenceStatus.Signaled));
    }

    [Test]
    public void Merge_OfOnePendingFence_IsThatFence()
    {
        DmaFence fence = rig.Fence();
        Assert.That(FenceUnwrap.Merge(rig.Contexts, rig.Contexts.Stub, fence), Is.SameAs(fence));
    }

    [Test]
    public void Merge_OverTheWrap_KeepsTheLater()
    {
        FenceContext context = rig.Contexts.Next();
        DmaFence before = rig.Fence(context, uint.MaxValue);
        DmaFence after = rig.Fence(context, 1);
        Assert.That(FenceUnwrap.Merge(rig.Contexts, after, before), Is.SameAs(after));
        Assert.That(FenceUnwrap.Merge(rig.Contexts, before, after), Is.SameAs(after));
    }

    [Test]
    public void Enumerate_OfNothing_IsEmpty()
    {
        Assert.That(FenceUnwrap.Enumerate(head: null), Is.Empty);
    }
}
