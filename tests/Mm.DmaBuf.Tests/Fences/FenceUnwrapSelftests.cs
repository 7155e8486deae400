using Mm.DmaBuf.Fences;

namespace Mm.DmaBuf.Tests.Fences;

/// <summary>The tests of drivers/dma-buf/st-dma-fence-unwrap.c (v6.12), under their names.</summary>
internal sealed class FenceUnwrapSelftests
{
    private readonly FenceRig rig = new();

    [Test]
    public void sanitycheck()
    {
        DmaFence fence = rig.Fence();
        var chain = new FenceChain(previous: null, rig.Array(fence), seqno: 1);
        fence.Signal().ThrowIfError();
        Assert.That(chain.IsSignaled, Is.True);
    }

    [Test]
    public void unwrap_array()
    {
        DmaFence first = rig.Fence();
        DmaFence second = rig.Fence();
        Assert.That(FenceUnwrap.Enumerate(rig.Array(first, second)), Is.EqualTo([first, second]));
    }

    [Test]
    public void unwrap_chain()
    {
        DmaFence first = rig.Fence();
        DmaFence second = rig.Fence();
        Assert.That(FenceUnwrap.Enumerate(new FenceChain(first, second, seqno: 1)), Is.EquivalentTo([first, second]));
    }

    [Test]
    public void unwrap_chain_array()
    {
        DmaFence first = rig.Fence();
        DmaFence second = rig.Fence();
        var chain = new FenceChain(previous: null, rig.Array(first, second), seqno: 1);
        Assert.That(FenceUnwrap.Enumerate(chain), Is.EquivalentTo([first, second]));
    }

    [Test]
    public void unwrap_merge()
    {
        DmaFence first = rig.Fence();
        DmaFence second = rig.Fence();
        DmaFence merged = FenceUnwrap.Merge(rig.Contexts, first, second);
        Assert.That(FenceUnwrap.Enumerate(merged), Is.EquivalentTo([first, second]));
    }

    [Test]
    public void unwrap_merge_complex()
    {
        DmaFence first = rig.Fence();
        DmaFence second = rig.Fence();
        DmaFence forth = FenceUnwrap.Merge(rig.Contexts, first, second);
        DmaFence back = FenceUnwrap.Merge(rig.Contexts, second, first);
        DmaFence merged = FenceUnwrap.Merge(rig.Contexts, forth, back, rig.Contexts.Stub);
        Assert.That(FenceUnwrap.Enumerate(merged), Is.EquivalentTo([first, second]));
    }
}
