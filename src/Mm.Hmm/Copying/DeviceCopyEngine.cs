using System.Diagnostics.CodeAnalysis;
using System.Runtime.ExceptionServices;
using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.Locking;

namespace Mm.Hmm.Copying;

/// <summary>A device's own engine: takes jobs into a queue, copies them in order on its own thread, and signals.</summary>
/// <remarks>
/// Owns the queue and the thread. Sees pages as its device does, its private memory among them. Not responsible for what
/// its jobs are for, nor for the memory, which its maker ends after the engine.
/// <para><b>Linux:</b> none; a GPU's copy engine behind its ring, as nouveau's and amdgpu's migrations use them (v6.12).</para>
/// <para><b>States:</b> working → ended by <see cref="Dispose"/>, or by an exception from the view of its pages or from a
/// callback. Ending fails the jobs that are left, and every later one is refused.</para>
/// <para><b>Invariants:</b> those of <see cref="ICopyEngine"/>, and (4) jobs are worked on in the order in which they were
/// taken; (5) after <see cref="Dispose"/> it touches no page.</para>
/// <para><b>Locking:</b> safe from any thread; a leaf lock of its own, and nobody is called with it held.</para>
/// </remarks>
public sealed class DeviceCopyEngine : ICopyEngine, IDisposable
{
    private const int Stride = 64; // pages between two looks at whether to stop

    private readonly RankedLock gate = new(LockRank.Leaf);
    private readonly CopyTally tally = new();
    private readonly PageCopier copier;
    private readonly FaultInjector faults;
    private readonly IYieldPoints? points;
    private readonly Thread? thread;
    private readonly WaitQueue work = new(); // of the thread alone: the explorer never sees it
    private readonly WaitQueue drivers;
    private readonly Func<bool> hasNews; // these three are made once: a job allocates nothing
    private readonly Func<bool> isUndriven;
    private readonly Func<bool> step;
    private readonly CopyJob?[] queue; // a ring, protected by gate
    private int head; // protected by gate
    private int queued; // written under gate; read without, as a hint
    private CopyJob? current; // the driver's
    private int position; // the driver's
    private int driven; // atomic: 1 while somebody drives
    private bool isEnding; // written under gate; read without
    private ExceptionDispatchInfo? broken; // written once before isEnding by the thread that broke

    /// <summary>Starts an engine.</summary>
    /// <param name="name">What messages and the thread are called, as <c>gpu0-copy</c>.</param>
    /// <param name="bytes">How the device sees pages: as a rule a <see cref="DeviceMemory"/>.</param>
    /// <param name="faults">The machine's fault injection.</param>
    /// <param name="drive">Who makes it work.</param>
    /// <param name="depth">How many jobs it queues.</param>
    /// <param name="points">The explorer's points, for a stepped engine; <see langword="null"/> in production.</param>
    /// <exception cref="ArgumentException">The name is empty, or there are points and a thread, which the explorer could not see.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The depth is not positive.</exception>
    public DeviceCopyEngine(
        string name,
        IPageBytes bytes,
        FaultInjector faults,
        CopyEngineDrive drive = CopyEngineDrive.OwnThread,
        int depth = 64,
        IYieldPoints? points = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentNullException.ThrowIfNull(bytes);
        ArgumentNullException.ThrowIfNull(faults);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(depth);
        if (points is not null && drive == CopyEngineDrive.OwnThread)
        {
            throw new ArgumentException("with yield points the engine must be stepped: its own thread would be no actor", nameof(drive));
        }

        Name = name;
        this.faults = faults;
        this.points = points;
        copier = new PageCopier(bytes, faults, Errno.EIO, tally, points);
        drivers = new WaitQueue(points);
        hasNews = () => QueuedJobs != 0 || Volatile.Read(ref isEnding);
        isUndriven = () => Volatile.Read(ref driven) == 0;
        step = Step;
        queue = new CopyJob?[depth];
        if (drive == CopyEngineDrive.OwnThread)
        {
            thread = new Thread(Work) { IsBackground = true, Name = name };
            thread.Start();
        }
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public CopyCounters Counters => tally.Read();

    /// <summary>How many jobs wait in the queue, without the one that is being copied.</summary>
    public int QueuedJobs => Volatile.Read(ref queued);

    /// <summary>Whether a step would find something to do.</summary>
    public bool HasWork => QueuedJobs != 0 || Volatile.Read(ref current) is not null;

    /// <inheritdoc/>
    /// <exception cref="Exception">What ended the engine, if an exception did.</exception>
    public Errno TrySubmit(CopyJob job)
    {
        ArgumentNullException.ThrowIfNull(job);
        CopyEngineContract.CheckList(job);
        points?.Reach("copy-submit");
        if (faults.ShouldFail(CopyFaults.Queue))
        {
            return Errno.EAGAIN;
        }

        using (gate.Enter())
        {
            if (isEnding)
            {
                broken?.Throw();
                return Errno.ENODEV;
            }

            if (queued == queue.Length)
            {
                return Errno.EAGAIN;
            }

            job.Begin(thread is null ? step : null);
            queue[(head + queued) % queue.Length] = job;
            Volatile.Write(ref queued, queued + 1);
        }

        work.WakeAll();
        return Errno.Ok;
    }

    /// <summary>Copies one page of the oldest job, or ends an empty one. A page that ends its job signals on this thread.</summary>
    /// <returns>Whether there was anything to do.</returns>
    /// <exception cref="InvalidOperationException">The engine has a thread of its own.</exception>
    public bool Step()
    {
        if (thread is not null)
        {
            throw new InvalidOperationException($"{Name} works by its own thread; only a stepped engine is stepped");
        }

        return !Volatile.Read(ref isEnding) && Advance(1);
    }

    /// <summary>Ends the engine: the job that is being copied and those that wait fail with ENODEV. Twice does nothing.</summary>
    /// <remarks>Returns when the engine touches no page any more; from a callback on its own thread, just before.</remarks>
    public void Dispose()
    {
        using (gate.Enter())
        {
            Volatile.Write(ref isEnding, value: true);
        }

        work.WakeAll();
        if (thread is null)
        {
            FailAll(Errno.ENODEV);
        }
        else if (thread != Thread.CurrentThread)
        {
            thread.Join();
        }
    }

    private void Work()
    {
        try
        {
            while (!Volatile.Read(ref isEnding))
            {
                work.WaitUntil("copy-work", hasNews);
                while (!Volatile.Read(ref isEnding) && Advance(Stride))
                {
                }
            }

            FailAll(Errno.ENODEV);
        }
#pragma warning disable CA1031 // An exception on a thread of Mm's would end the process: who submits next gets it.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            Break(exception);
        }
    }

    private void Break(Exception exception)
    {
        using (gate.Enter())
        {
            broken ??= ExceptionDispatchInfo.Capture(exception);
            Volatile.Write(ref isEnding, value: true);
        }

        try
        {
            FailAll(Errno.EIO);
        }
#pragma warning disable CA1031 // The first one is kept; each failed job is signaled before its callbacks' exception comes here.
        catch (Exception)
#pragma warning restore CA1031
        {
            Break(exception);
        }
    }

    private bool Advance(int pages)
    {
        CopyJob? ended = null;
        Errno failure = Errno.Ok;
        EnterDriver();
        try
        {
            if (!TryTakeCurrent())
            {
                return false;
            }

            ended = current;
            position = copier.Copy(current!, position, pages, out failure);
            if (failure.IsOk && position < current!.Count)
            {
                ended = null;
            }
        }
        finally
        {
            if (ended is not null)
            {
                Volatile.Write(ref current, null);
            }

            LeaveDriver();
            if (ended is not null)
            {
                End(ended, failure); // with nothing held: callbacks may submit and wait
            }
        }

        return true;
    }

    private void FailAll(Errno failure)
    {
        EnterDriver();
        CopyJob? half = current;
        Volatile.Write(ref current, null);
        LeaveDriver();
        if (half is not null)
        {
            End(half, failure);
        }

        while (TryDequeue(out CopyJob? job))
        {
            End(job, failure);
        }
    }

    private void End(CopyJob job, Errno failure)
    {
        tally.CountJob(!failure.IsOk);
        job.Signal(failure);
    }

    private bool TryTakeCurrent()
    {
        if (current is null && TryDequeue(out CopyJob? job))
        {
            position = 0;
            Volatile.Write(ref current, job);
        }

        return current is not null;
    }

    private bool TryDequeue([NotNullWhen(true)] out CopyJob? job)
    {
        using RankedLock.Guard held = gate.Enter();
        job = queue[head];
        if (job is null)
        {
            return false;
        }

        queue[head] = null;
        head = (head + 1) % queue.Length;
        Volatile.Write(ref queued, queued - 1);
        return true;
    }

    private void EnterDriver()
    {
        while (Interlocked.CompareExchange(ref driven, 1, 0) != 0)
        {
            drivers.WaitUntil("copy-drive", isUndriven);
        }
    }

    private void LeaveDriver()
    {
        Volatile.Write(ref driven, 0);
        drivers.WakeAll();
    }
}
