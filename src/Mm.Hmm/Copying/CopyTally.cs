using Mm.Core;

namespace Mm.Hmm.Copying;

/// <summary>The running counts of one engine.</summary>
/// <remarks><b>Locking:</b> atomic, each count for itself; safe from any thread.</remarks>
internal sealed class CopyTally
{
    private ulong copied;
    private ulong cleared;
    private ulong jobs;
    private ulong failedJobs;

    internal CopyCounters Read() => new(
        new PageCount(Volatile.Read(ref copied)),
        new PageCount(Volatile.Read(ref cleared)),
        Volatile.Read(ref jobs),
        Volatile.Read(ref failedJobs));

    internal void CountPages(ulong copiedPages, ulong clearedPages)
    {
        Interlocked.Add(ref copied, copiedPages);
        Interlocked.Add(ref cleared, clearedPages);
    }

    internal void CountJob(bool hasFailed)
    {
        Interlocked.Increment(ref jobs);
        if (hasFailed)
        {
            Interlocked.Increment(ref failedJobs);
        }
    }
}
