using Microsoft.Extensions.ObjectPool;
using Mm.Core.Checks;

namespace Mm.Hmm.Copying;

/// <summary>Where jobs come from and go back to, so that a migration allocates none.</summary>
/// <remarks>
/// Owns the jobs that wait for use, and counts those that are out. One serves all engines of a machine.
/// <para><b>Linux:</b> none; a driver's slab cache of jobs.</para>
/// <para><b>Locking:</b> safe from any thread.</para>
/// </remarks>
public sealed class CopyJobPool
{
    private const int Kept = 128; // as many as two engines queue

    private readonly ObjectPool<CopyJob> jobs;
    private long rented; // atomic

    /// <summary>Starts a pool.</summary>
    /// <param name="points">The explorer's points; <see langword="null"/> in production.</param>
    public CopyJobPool(IYieldPoints? points = null)
    {
        Points = points;
        jobs = new DefaultObjectPool<CopyJob>(new Policy(this), Kept);
    }

    /// <summary>How many jobs are out, those in flight whose renter is gone included: 0 on a machine at rest.</summary>
    public long RentedJobs => Volatile.Read(ref rented);

    internal IYieldPoints? Points { get; }

    /// <summary>Hands out an empty job.</summary>
    /// <returns>The job; the caller disposes it.</returns>
    public CopyJob Rent()
    {
        Interlocked.Increment(ref rented);
        CopyJob job = jobs.Get();
        job.Open();
        return job;
    }

    internal void Return(CopyJob job)
    {
        Interlocked.Decrement(ref rented);
        jobs.Return(job);
    }

    private sealed class Policy(CopyJobPool pool) : PooledObjectPolicy<CopyJob>
    {
        public override CopyJob Create() => new(pool);

        public override bool Return(CopyJob obj) => true; // a job closes itself before it comes here
    }
}
