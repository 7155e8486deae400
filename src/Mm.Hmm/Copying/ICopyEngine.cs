using Mm.Core;

namespace Mm.Hmm.Copying;

/// <summary>Something that copies lists of pages, now or later, and says of each page whether it was wholly written.</summary>
/// <remarks>
/// Owns the order of its work and its counters; not the pages, which stay the submitter's, and which nobody else may write
/// from submission to signal. <see cref="CopyEngineContract"/> says the promises as code.
/// <para><b>Linux:</b> none; what a driver does between migrate_vma_setup and migrate_vma_pages (v6.12).</para>
/// <para><b>Invariants:</b> (1) a job that was taken is signaled once, whatever happens; (2) a page that is reported
/// written was wholly written; (3) a refused job is as it was.</para>
/// <para><b>Locking:</b> an implementation is safe from any thread; callers hold no lock that a callback of a fence takes.</para>
/// </remarks>
public interface ICopyEngine
{
    /// <summary>What messages call it.</summary>
    string Name { get; }

    /// <summary>What it has done so far.</summary>
    CopyCounters Counters { get; }

    /// <summary>Takes a job. Its fence signals when the work has ended, maybe before this returns.</summary>
    /// <param name="job">A job that is being filled; the engine's until its fence signals.</param>
    /// <returns>
    /// <see cref="Errno.EAGAIN"/>: the engine can queue no more now. <see cref="Errno.ENODEV"/>: the engine has ended.
    /// A copy that fails is not told here but by the fence.
    /// </returns>
    /// <exception cref="ArgumentException">A page is written twice, or read and written; found where checks are on.</exception>
    /// <exception cref="InvalidOperationException">The job is not being filled.</exception>
    Errno TrySubmit(CopyJob job);
}
