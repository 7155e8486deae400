using Mm.Core;
using Mm.DmaBuf.Fences;

namespace Mm.DmaBuf.Tests.Fences;

internal sealed class FenceTimelineTests
{
    private readonly FenceRig rig = new();

    [Test]
    public void Advance_Signals_WhatIsReachedEarliestFirst()
    {
        using var timeline = new FenceTimeline(rig.Contexts, "t");
        var ran = new List<ulong>();
        foreach (uint at in (uint[])[3, 1, 5, 2])
        {
            At(timeline, at).TryAddCallback(fence => ran.Add(fence.Seqno), out _).ThrowIfError();
        }

        timeline.TryAdvance(3).ThrowIfError();
        Assert.That(ran, Is.EqualTo([1, 2, 3]));
        timeline.TryAdvance(2).ThrowIfError();
        Assert.That(ran, Is.EqualTo([1, 2, 3, 5]));
    }

    [Test]
    public void Fences_OfOneValue_AreOne()
    {
        using var timeline = new FenceTimeline(rig.Contexts, "t");
        DmaFence first = At(timeline, 4);
        Assert.That(At(timeline, 4), Is.SameAs(first));
        Assert.That(first.DriverName, Is.EqualTo("sw_sync"));
    }

    [TestCase(0U, true)]
    [TestCase(uint.MaxValue, true)]
    [TestCase(0x8000_0000U, true)]
    [TestCase(0x7fff_ffffU, false)]
    [TestCase(1U, false)]
    public void Fence_AtItsMaking_IsReachedUpToHalfTheRoundBehind(uint at, bool isReached)
    {
        using var timeline = new FenceTimeline(rig.Contexts, "t");
        Assert.That(At(timeline, at).IsSignaled, Is.EqualTo(isReached));
    }

    [Test]
    public void Advance_OverTheEndOfTheNumbers_Wraps()
    {
        using var timeline = new FenceTimeline(rig.Contexts, "t");
        timeline.TryAdvance(uint.MaxValue).ThrowIfError();
        DmaFence fence = At(timeline, 2);
        Assert.That(fence.IsSignaled, Is.False);
        timeline.TryAdvance(3).ThrowIfError();
        Assert.That(timeline.ToString(), Is.EqualTo("t: 2"));
        Assert.That(fence.IsSignaled, Is.True);
    }

    [Test]
    public void Advance_ByMoreThanHalfARound_PassesEveryFence()
    {
        using var timeline = new FenceTimeline(rig.Contexts, "t");
        DmaFence near = At(timeline, 1);
        DmaFence far = At(timeline, int.MaxValue);
        timeline.TryAdvance(uint.MaxValue).ThrowIfError();
        Assert.That((near.IsSignaled, far.IsSignaled), Is.EqualTo((true, true)));
    }

    [Test]
    public void Close_WithPendingFences_FailsThemWithEnoent()
    {
        var timeline = new FenceTimeline(rig.Contexts, "t");
        DmaFence pending = At(timeline, 1);
        DmaFence reached = At(timeline, 0);
        timeline.Dispose();
        timeline.Dispose();
        Assert.That((pending.GetStatus().Number, reached.GetStatus().Number), Is.EqualTo((-2, 1)));
        Assert.That(timeline.TryAdvance(1), Is.EqualTo(Errno.EBADF));
        Assert.That(timeline.TryAdvance(uint.MaxValue), Is.EqualTo(Errno.EBADF));
    }

    private static DmaFence At(FenceTimeline timeline, uint value)
    {
        timeline.TryCreateFence(value, out DmaFence? fence).ThrowIfError();
        return fence!;
    }
}
