using Mm.Core;
using Mm.Hmm.Copying;

namespace Mm.Devices.Gpus.Vram;

/// <summary>A GPU's copy engine across resets, and the jobs that it is given.</summary>
/// <remarks>
/// Owns the engine and the jobs. A reset fails what is queued and starts another engine; what was counted goes on.
/// <para><b>Linux:</b> the copy ring of a GPU with its scheduler, which a reset restarts (amdgpu_gart, xe_migrate; v6.12).</para>
/// <para><b>States:</b> working → ended by <see cref="Dispose"/>: every job is refused with ENODEV.</para>
/// <para><b>Locking:</b> safe from any thread; runs jobs with no lock held.</para>
/// </remarks>
public sealed class GpuCopier : IDisposable
{
    private readonly Lock restarting = new();
    private readonly Func<DeviceCopyEngine> make;
    private DeviceCopyEngine engine; // replaced under restarting
    private CopyCounters before; // of engines that ended; changed under restarting
    private bool isEnded; // protected by restarting

    /// <summary>Starts an engine.</summary>
    /// <param name="name">What messages call it.</param>
    /// <param name="bytes">How the GPU sees pages.</param>
    /// <param name="faults">The machine's fault injection.</param>
    /// <param name="drive">Who makes it work.</param>
    internal GpuCopier(string name, IPageBytes bytes, FaultInjector faults, CopyEngineDrive drive)
    {
        make = () => new DeviceCopyEngine(name, bytes, faults, drive);
        engine = make();
    }

    /// <summary>The engine that works now.</summary>
    public DeviceCopyEngine Engine => Volatile.Read(ref engine);

    /// <summary>What all engines have done so far.</summary>
    public CopyCounters Counters
    {
        get
        {
            lock (restarting)
            {
                CopyCounters now = engine.Counters;
                return new CopyCounters(
                    before.Copied.AddChecked(now.Copied),
                    before.Cleared.AddChecked(now.Cleared),
                    before.Jobs + now.Jobs,
                    before.FailedJobs + now.FailedJobs);
            }
        }
    }

    /// <summary>Jobs that are out: none on a machine at rest.</summary>
    public long RentedJobs => Jobs.RentedJobs;

    /// <summary>Where jobs come from.</summary>
    internal CopyJobPool Jobs { get; } = new();

    /// <summary>Has the engine do a list, and waits.</summary>
    /// <param name="job">The list; an empty one is done.</param>
    /// <returns>Ok: every page was wholly written; EAGAIN: the queue takes no more; EIO: a copy broke off; ECANCELED: a reset came
    /// in between; ENODEV: the engine has ended.</returns>
    internal Errno TryRun(CopyJob job)
    {
        if (job.Count == 0)
        {
            return Errno.Ok;
        }

        DeviceCopyEngine worker = Engine;
        Errno errno = CopyEngineContract.TrySubmit(worker, job);
        errno = errno.IsOk ? CopyEngineContract.Wait(worker, job) : errno;
        return errno == Errno.ENODEV && worker != Engine ? Errno.ECANCELED : errno;
    }

    /// <summary>Fails what is queued, and starts anew; ended, it stays ended.</summary>
    internal void Restart()
    {
        lock (restarting)
        {
            if (isEnded)
            {
                return;
            }

            DeviceCopyEngine old = engine;
            Volatile.Write(ref engine, make());
            old.Dispose();
            CopyCounters done = old.Counters;
            before = new CopyCounters(
                before.Copied.AddChecked(done.Copied),
                before.Cleared.AddChecked(done.Cleared),
                before.Jobs + done.Jobs,
                before.FailedJobs + done.FailedJobs);
        }
    }

    /// <summary>Ends the engine: what is queued fails, and nothing is taken any more.</summary>
    public void Dispose()
    {
        lock (restarting)
        {
            isEnded = true;
            engine.Dispose();
        }
    }
}
