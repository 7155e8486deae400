using Mm.Core;
using Mm.Hmm.Copying;

namespace Mm.Hmm.Tests.Copying;

public sealed class CopyJobTests
{
    private readonly CopyJobPool pool = new();

    [Test]
    public void Add_ManyPages_KeepsThemInOrder()
    {
        using CopyJob job = pool.Rent();
        for (ulong page = 0; page < 100; page++)
        {
            job.Add(PageCopy.Clear(new Pfn(page)));
        }

        Assert.That(job.Count, Is.EqualTo(100));
        Assert.That(Enumerable.Range(0, 100).Select(index => job[index].Destination.Value), Is.EqualTo(Enumerable.Range(0, 100)));
        Assert.That(() => job[100], Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => job[-1], Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void Members_InTheWrongState_Throw()
    {
        using CopyJob job = pool.Rent();
        job.Add(PageCopy.Clear(new Pfn(1)));
        Assert.Multiple(() =>
        {
            Assert.That(() => job.IsWritten(0), Throws.InvalidOperationException, "not signaled");
            Assert.That(() => job.WrittenPages, Throws.InvalidOperationException, "not signaled");
            Assert.That(() => job.Report(0, Errno.Ok), Throws.InvalidOperationException, "in no engine");
            Assert.That(() => job.Signal(Errno.Ok), Throws.InvalidOperationException, "in no engine");
            Assert.That(() => job.Fence.Wait(), Throws.InvalidOperationException, "never submitted");
        });
        job.Begin();
        Assert.That(() => job.Begin(), Throws.InvalidOperationException, "begun twice");
        Assert.That(() => job.Add(PageCopy.Clear(new Pfn(2))), Throws.InvalidOperationException, "the engine's");
        Assert.That(() => job.OutcomeOf(0), Throws.InvalidOperationException, "not signaled");
        job.Signal(Errno.Ok);
        Assert.That(() => job.Signal(Errno.Ok), Throws.InvalidOperationException, "signaled twice");
    }

    [Test]
    public void OutcomeOf_APageThatNobodyReported_IsECANCELED()
    {
        using CopyJob job = pool.Rent();
        job.Add(PageCopy.Clear(new Pfn(1)));
        job.Add(PageCopy.Clear(new Pfn(512), PageSize.Large));
        job.Begin();
        job.Report(1, Errno.Ok);
        job.Signal(Errno.EIO);
        Assert.That((job.OutcomeOf(0), job.OutcomeOf(1), job.WrittenPages), Is.EqualTo((Errno.ECANCELED, Errno.Ok, new PageCount(512))));
    }

    [Test]
    public void Dispose_Twice_Throws()
    {
        CopyJob job = pool.Rent();
        job.Dispose();
        Assert.That(job.Dispose, Throws.InstanceOf<ObjectDisposedException>());
        CopyJob flying = pool.Rent();
        flying.Begin();
        flying.Dispose();
        Assert.That(flying.Dispose, Throws.InstanceOf<ObjectDisposedException>());
        flying.Signal(Errno.Ok);
        Assert.That(pool.RentedJobs, Is.Zero);
    }

    [Test]
    public void Rent_AfterAUse_IsEmptyAgain()
    {
        CopyJob job = pool.Rent();
        job.Add(PageCopy.Clear(new Pfn(1)));
        job.Begin();
        job.Report(0, Errno.Ok);
        job.Signal(Errno.EIO);
        job.Dispose();
        using CopyJob next = pool.Rent();
        Assert.That(next, Is.SameAs(job), "jobs are used again");
        Assert.That((next.Count, next.State, next.Fence.Error), Is.EqualTo((0, CopyJobState.Filling, Errno.Ok)));
    }
}
