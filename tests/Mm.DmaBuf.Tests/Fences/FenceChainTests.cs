using Mm.Core;
using Mm.DmaBuf.Fences;

namespace Mm.DmaBuf.Tests.Fences;

internal sealed class FenceChainTests
{
    private readonly FenceRig rig = new();

    [Test]
    public void Find_InNoChain_IsRefused()
    {
        Assert.That(FenceChain.TryFindSeqno(rig.Fence(), 1, out DmaFence? found), Is.EqualTo(Errno.EINVAL));
        Assert.That(found, Is.Null);
    }

    [Test]
    public void Link_ThatGoesBack_StartsAContextAndKeepsThePlace()
    {
        var first = new FenceChain(previous: null, rig.Fence(), seqno: 10);
        var second = new FenceChain(first, rig.Fence(), seqno: 5);
        Assert.That(second.Context, Is.Not.EqualTo(first.Context));
        Assert.That(second.Seqno, Is.EqualTo(10));
        FenceChain.TryFindSeqno(second, 3, out DmaFence? found).ThrowIfError();
        Assert.That(found, Is.SameAs(second), "what was before is another timeline");
    }

    [Test]
    public void Link_AfterALink_KeepsTheContext()
    {
        var first = new FenceChain(previous: null, rig.Fence(), seqno: 10);
        Assert.That(new FenceChain(first, rig.Fence(), seqno: 11).Context, Is.EqualTo(first.Context));
    }

    [Test]
    public void Walk_OverSignaledLinks_DropsThem()
    {
        DmaFence[] fences = [rig.Fence(), rig.Fence(), rig.Fence()];
        var first = new FenceChain(previous: null, fences[0], seqno: 1);
        var second = new FenceChain(first, fences[1], seqno: 2);
        var third = new FenceChain(second, fences[2], seqno: 3);
        fences[1].Signal().ThrowIfError();
        Assert.That(third.Previous, Is.SameAs(second));
        Assert.That(FenceChain.Walk(third), Is.SameAs(first));
        Assert.That(third.Previous, Is.SameAs(first), "let go");
        fences[0].Signal().ThrowIfError();
        Assert.That(FenceChain.Walk(third), Is.Null);
        Assert.That(third.Previous, Is.Null);
    }

    [Test]
    public void Callback_OnAChain_RunsWhenAllBeforeItHaveSignaled()
    {
        DmaFence[] fences = [rig.Fence(), rig.Fence()];
        var chain = new FenceChain(new FenceChain(previous: null, fences[0], seqno: 1), fences[1], seqno: 2);
        bool seen = false;
        chain.TryAddCallback(_ => seen = true, out _).ThrowIfError();
        fences[1].Signal().ThrowIfError();
        Assert.That(seen, Is.False);
        fences[0].Signal().ThrowIfError();
        Assert.That(seen, Is.True);
    }

    [Test]
    public void Deadline_OfAChain_ReachesEachPendingFence()
    {
        DmaFence[] fences = [rig.Fence(), rig.Fence()];
        new FenceChain(fences[0], fences[1], seqno: 2).SetDeadline(4);
        Assert.That(fences, Has.All.Property(nameof(DmaFence.DeadlineNs)).EqualTo(4));
    }

    [Test]
    public void Chain_InsideALink_IsTheCallersMistake()
    {
        var inner = new FenceChain(previous: null, rig.Fence(), seqno: 1);
        Assert.That(() => new FenceChain(previous: null, inner, seqno: 2), Throws.ArgumentException);
    }
}
