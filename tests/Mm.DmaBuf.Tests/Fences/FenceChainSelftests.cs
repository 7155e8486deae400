using Mm.Core;
using Mm.DmaBuf.Fences;

namespace Mm.DmaBuf.Tests.Fences;

/// <summary>The tests of drivers/dma-buf/st-dma-fence-chain.c (v6.12), under their names.</summary>
internal sealed class FenceChainSelftests
{
    [Test]
    public void sanitycheck()
    {
        var rig = new FenceRig();
        DmaFence fence = rig.Fence();
        var chain = new FenceChain(previous: null, fence, seqno: 1);
        fence.Signal().ThrowIfError();
        Assert.That(chain.IsSignaled, Is.True);
    }

    [Test]
    public void find_seqno()
    {
        var chains = new Chains(64, index => index + 1);
        Assert.That(FenceChain.TryFindSeqno(chains.Tail, 0, out _), Is.EqualTo(Errno.Ok));
        for (int index = 0; index < 64; index++)
        {
            ulong seqno = (ulong)index + 1;
            DmaFence link = chains.Links[index];
            Assert.That(Find(chains.Tail, seqno), Is.SameAs(link));
            Assert.That(Find(link, seqno), Is.SameAs(link), "finds itself");
            Assert.That(FenceChain.TryFindSeqno(link, seqno + 1, out _), Is.EqualTo(Errno.EINVAL), "the future");
            Assert.That(Find(link, seqno - 1), Is.SameAs(index == 0 ? link : chains.Links[index - 1]));
        }
    }

    [Test]
    public void find_signaled()
    {
        var chains = new Chains(2, index => index + 1);
        chains.Fences[0].Signal().ThrowIfError();
        Assert.That(Find(chains.Tail, 1), Is.Null.Or.SameAs(chains.Links[0]));
    }

    [Test]
    public void find_out_of_order()
    {
        var chains = new Chains(3, index => index + 1);
        chains.Fences[1].Signal().ThrowIfError();
        Assert.That(Find(chains.Tail, 2), Is.SameAs(chains.Links[0]), "2 is reached when 1 is");
    }

    [Test]
    public void find_gap()
    {
        var chains = new Chains(64, index => (2 * index) + 2);
        for (int index = 0; index < 64; index++)
        {
            ulong gap = (2 * (ulong)index) + 1;
            Assert.That(Find(chains.Tail, gap), Is.SameAs(chains.Links[index]));
            Assert.That(Find(chains.Links[index], gap + 1), Is.SameAs(chains.Links[index]));
        }
    }

    [Test]
    public void find_race()
    {
        const int Length = 256;
        var chains = new Chains(Length, index => index + 1);
        int bad = 0;

        void Search(int seed)
        {
            var random = new Random(seed);
            for (int round = 0; round < 2_000; round++)
            {
                ulong seqno = (ulong)random.Next(1, Length + 1);
                Errno refused = FenceChain.TryFindSeqno(chains.Tail, seqno, out DmaFence? found);
                Interlocked.Add(ref bad, !refused.IsOk || found?.Seqno > seqno ? 1 : 0);
                _ = chains.Fences[random.Next(Length)].Signal();
            }
        }

        Parallel.Invoke(() => Search(1), () => Search(2), () => Search(3));
        Assert.That(bad, Is.Zero, "links beyond the place, or refusals");
    }

    [Test]
    public void signal_forward()
    {
        var chains = new Chains(64, index => index + 1);
        for (int index = 0; index < 64; index++)
        {
            chains.Fences[index].Signal().ThrowIfError();
            Assert.That(chains.Links[index].IsSignaled, Is.True);
            Assert.That(index == 63 || !chains.Links[Math.Min(index + 1, 63)].IsSignaled, Is.True);
        }
    }

    [Test]
    public void signal_backward()
    {
        var chains = new Chains(64, index => index + 1);
        for (int index = 63; index > 0; index--)
        {
            chains.Fences[index].Signal().ThrowIfError();
            Assert.That(chains.Links[index].IsSignaled, Is.False);
        }

        chains.Fences[0].Signal().ThrowIfError();
        Assert.That(chains.Links, Has.All.Property(nameof(DmaFence.IsSignaled)).True);
    }

    [Test]
    public void wait_forward() => WaitWhile(chains => Array.ForEach(chains.Fences, fence => fence.Signal().ThrowIfError()));

    [Test]
    public void wait_backward() =>
        WaitWhile(chains => Array.ForEach([.. chains.Fences.Reverse()], fence => fence.Signal().ThrowIfError()));

    [Test]
    public void wait_random() => WaitWhile(chains =>
    {
        DmaFence[] shuffled = [.. chains.Fences];
        new Random(7).Shuffle(shuffled);
        Array.ForEach(shuffled, fence => fence.Signal().ThrowIfError());
    });

    private static DmaFence? Find(DmaFence fence, ulong seqno)
    {
        FenceChain.TryFindSeqno(fence, seqno, out DmaFence? found).ThrowIfError();
        return found;
    }

    private static void WaitWhile(Action<Chains> signals)
    {
        var chains = new Chains(512, index => index + 1);
        using var begun = new ManualResetEventSlim();
        Errno waited = Errno.EINTR;
        var waiter = new Thread(() =>
        {
            begun.Set();
            waited = chains.Tail.Wait(ulong.MaxValue, out _);
        });
        waiter.Start();
        begun.Wait();
        signals(chains);
        Assert.That(waiter.Join(TimeSpan.FromSeconds(30)), Is.True, "the waiter must end");
        Assert.That(waited, Is.EqualTo(Errno.Ok));
    }

    private sealed class Chains
    {
        public Chains(int count, Func<int, int> seqno)
        {
            var rig = new FenceRig();
            Fences = [.. Enumerable.Range(0, count).Select(_ => rig.Fence())];
            Links = new FenceChain[count];
            for (int index = 0; index < count; index++)
            {
                Links[index] = new FenceChain(index == 0 ? null : Links[index - 1], Fences[index], (ulong)seqno(index));
                Links[index].EnableSignaling();
            }
        }

        public DmaFence[] Fences { get; }

        public FenceChain[] Links { get; }

        public FenceChain Tail => Links[^1];
    }
}
