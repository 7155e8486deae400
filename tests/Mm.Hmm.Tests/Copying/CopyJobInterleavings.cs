using Mm.Core;
using Mm.Hmm.Copying;
using Mm.Testing.Interleavings;

namespace Mm.Hmm.Tests.Copying;

/// <summary>A job's signal against its renter, who waits, listens, or gives it back, in every order of their steps.</summary>
internal sealed class CopyJobInterleavings
{
    [Test]
    public void Signal_AgainstAddCallback_RunsOrRefusesIt()
    {
        new Explorer().Explore(points =>
        {
            CopyJob job = Begun(new CopyJobPool(points));
            int runs = 0;
            bool isRefused = false;
            return new Scenario()
                .Actor("engine", () => job.Signal(Errno.Ok))
                .Actor("listener", () => isRefused = job.Fence.TryAddCallback(_ => runs++) == Errno.ENOENT)
                .Finally("it ran or was refused", () => runs == (isRefused ? 0 : 1));
        }).ThrowIfFailed();
    }

    [Test]
    public void Signal_AgainstWaitAndGivingBack_ReturnsTheJobOnce()
    {
        new Explorer().Explore(points =>
        {
            var pool = new CopyJobPool(points);
            CopyJob job = Begun(pool);
            int runs = 0;
            job.Fence.TryAddCallback(_ => runs++).ThrowIfError();
            bool waited = false;
            return new Scenario()
                .Actor("engine", () => job.Signal(Errno.EIO))
                .Actor("renter", () =>
                {
                    waited = job.Fence.Wait() == Errno.EIO && runs == 1; // callbacks run before any waiter goes on
                    job.Dispose();
                })
                .Finally("the wait ended with the error", () => waited)
                .Finally("the job is back", () => pool.RentedJobs == 0 && job.State == CopyJobState.Free);
        }).ThrowIfFailed();
    }

    [Test]
    public void Signal_AgainstGivingBackInFlight_ReturnsTheJobOnce()
    {
        new Explorer().Explore(points =>
        {
            var pool = new CopyJobPool(points);
            CopyJob job = Begun(pool);
            int runs = 0;
            job.Fence.TryAddCallback(fence => runs += fence.IsSignaled ? 1 : 0).ThrowIfError();
            return new Scenario()
                .Actor("engine", () => job.Signal(Errno.Ok))
                .Actor("renter", job.Dispose)
                .Finally("the callback ran with a fence that is good", () => runs == 1)
                .Finally("the job is back", () => pool.RentedJobs == 0 && job.State == CopyJobState.Free);
        }).ThrowIfFailed();
    }

    private static CopyJob Begun(CopyJobPool pool)
    {
        CopyJob job = pool.Rent();
        job.Begin();
        return job;
    }
}
