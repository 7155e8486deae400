using Mm.Core;
using Mm.Hmm.Copying;

namespace Mm.Hmm.Tests.Copying;

public sealed class CopyFenceTests
{
    private readonly CopyJobPool pool = new();

    [Test]
    public void Fence_OfAJobThatWasGivenBack_IsRefusedThoughTheJobIsUsedAgain()
    {
        CopyJob job = pool.Rent();
        CopyFence stale = job.Fence;
        job.Dispose();
        using CopyJob next = pool.Rent();
        Assert.That(next, Is.SameAs(job));
        Assert.Multiple(() =>
        {
            Assert.That(() => stale.IsSignaled, Throws.InstanceOf<ObjectDisposedException>());
            Assert.That(() => stale.Error, Throws.InstanceOf<ObjectDisposedException>());
            Assert.That(() => stale.Wait(), Throws.InstanceOf<ObjectDisposedException>());
            Assert.That(() => stale.TryAddCallback(_ => { }), Throws.InstanceOf<ObjectDisposedException>());
            Assert.That(stale == next.Fence, Is.False);
            Assert.That(stale != next.Fence, Is.True);
            Assert.That(next.Fence.Equals((object)new CopyFence(next, next.Generation)), Is.True);
        });
    }

    [Test]
    public void Default_IsNoFence() => Assert.That(() => default(CopyFence).IsSignaled, Throws.InstanceOf<ObjectDisposedException>());

    [Test]
    public void TryAddCallback_AfterTheSignal_IsENOENT()
    {
        using CopyJob job = pool.Rent();
        int runs = 0;
        job.Fence.TryAddCallback(_ => runs++).ThrowIfError();
        job.Begin();
        job.Signal(Errno.Ok);
        Assert.That(job.Fence.TryAddCallback(_ => runs++), Is.EqualTo(Errno.ENOENT));
        Assert.That(runs, Is.EqualTo(1));
    }

    [Test]
    public void Signal_WithACallbackThatThrows_RunsTheOthersAndThrows()
    {
        using CopyJob job = pool.Rent();
        int runs = 0;
        job.Fence.TryAddCallback(_ => throw new NotSupportedException("mine")).ThrowIfError();
        job.Fence.TryAddCallback(fence => runs += fence.Error == Errno.EIO ? 1 : 0).ThrowIfError();
        job.Begin();
        Assert.That(() => job.Signal(Errno.EIO), Throws.InstanceOf<NotSupportedException>());
        Assert.That((runs, job.Fence.Wait()), Is.EqualTo((1, Errno.EIO)));
    }
}
