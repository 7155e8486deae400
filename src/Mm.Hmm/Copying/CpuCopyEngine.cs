using Mm.Core;
using Mm.Core.Checks;

namespace Mm.Hmm.Copying;

/// <summary>Copies by the thread that submits, past the caches, fetching the next page of the list while it copies one.</summary>
/// <remarks>
/// Sees what a CPU sees: a job that names device-private memory fails at that page with ENXIO.
/// <para><b>Linux:</b> folio_mc_copy (v6.12), called for each page of a migration without a device's engine.</para>
/// <para>Invariants: <see cref="ICopyEngine"/>. A fence has signaled when <see cref="TrySubmit"/> returns.</para>
/// <para><b>Locking:</b> no lock; safe from any thread, and jobs of several threads run side by side.</para>
/// </remarks>
public sealed class CpuCopyEngine : ICopyEngine
{
    private readonly CopyTally tally = new();
    private readonly PageCopier copier;

    /// <summary>Makes an engine.</summary>
    /// <param name="bytes">How CPUs see pages: as a rule a <see cref="CpuPageBytes"/>.</param>
    /// <param name="faults">The machine's fault injection.</param>
    /// <param name="points">The explorer's points; <see langword="null"/> in production.</param>
    public CpuCopyEngine(IPageBytes bytes, FaultInjector faults, IYieldPoints? points = null)
    {
        ArgumentNullException.ThrowIfNull(bytes);
        ArgumentNullException.ThrowIfNull(faults);
        copier = new PageCopier(bytes, faults, Errno.EHWPOISON, tally, points);
    }

    /// <inheritdoc/>
    public string Name => "cpu";

    /// <inheritdoc/>
    public CopyCounters Counters => tally.Read();

    /// <inheritdoc/>
    public Errno TrySubmit(CopyJob job)
    {
        ArgumentNullException.ThrowIfNull(job);
        CopyEngineContract.CheckList(job);
        job.Begin();
        Errno failure = Errno.Ok;
        try
        {
            _ = copier.Copy(job, 0, int.MaxValue, out failure);
        }
        finally
        {
            // Also when the view of the pages throws: whoever waits must not wait for ever.
            tally.CountJob(!failure.IsOk);
            job.Signal(failure);
        }

        return Errno.Ok;
    }
}
