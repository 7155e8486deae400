using System.Runtime.ExceptionServices;
using Mm.Core;

namespace Mm.Hmm.Copying;

/// <content>What engines do with a job, and what fences ask of it.</content>
public sealed partial class CopyJob
{
    /// <summary>For engines: takes the job from its renter.</summary>
    /// <param name="driver">What a waiter calls until the fence has signaled, false when nothing is left to do; null when the engine works by itself.</param>
    /// <exception cref="InvalidOperationException">The job is not being filled.</exception>
    public void Begin(Func<bool>? driver = null)
    {
        int before = Interlocked.CompareExchange(ref word, (int)CopyJobState.InFlight, (int)CopyJobState.Filling);
        if (before != (int)CopyJobState.Filling)
        {
            ThrowState(CopyJobState.Filling, (CopyJobState)(before & ~GivenBack));
        }

        step = driver; // before anybody can wait: the submitter is still in its engine
    }

    /// <summary>For engines: says what became of a page. What nobody reports counts as not written.</summary>
    /// <param name="index">Which, in the order of adding.</param>
    /// <param name="outcome"><see cref="Errno.Ok"/> when it was wholly written and nothing else.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is none of that index.</exception>
    /// <exception cref="InvalidOperationException">The job is in no engine.</exception>
    public void Report(int index, Errno outcome)
    {
        RequireIndex(index);
        RequireState(CopyJobState.InFlight);
        outcomes[index] = outcome;
    }

    /// <summary>For engines: the work has ended. Runs the callbacks, then lets the waiters go on. The job is the engine's no more.</summary>
    /// <param name="failure">Why not every page was written; <see cref="Errno.Ok"/> when all were.</param>
    /// <exception cref="InvalidOperationException">The job is in no engine.</exception>
    public void Signal(Errno failure)
    {
        pool.Points?.Reach("copy-signal");
        using (gate.Enter())
        {
            RequireState(CopyJobState.InFlight);
            error = failure;
            // Release: outcomes and bytes before the state that lets others read them. A renter may set GivenBack at once.
            Interlocked.Add(ref word, CopyJobState.Signaling - CopyJobState.InFlight);
        }

        pool.Points?.Reach("copy-run-callbacks");
        ExceptionDispatchInfo? thrown = RunCallbacks();
        pool.Points?.Reach("copy-end");
        bool isReturned = Interlocked.CompareExchange(ref word, (int)CopyJobState.Signaled, (int)CopyJobState.Signaling)
            != (int)CopyJobState.Signaling;
        if (isReturned)
        {
            Volatile.Write(ref word, (int)CopyJobState.Free);
            Recycle();
        }

        waiters.WakeAll(); // of the next renting, if it came to that: they look again and go on sleeping
        thrown?.Throw();
    }

    internal Errno Wait()
    {
        if (State == CopyJobState.Filling)
        {
            throw new InvalidOperationException("the job was not submitted; nothing would signal its fence");
        }

        if (pool.Points is null && step is { } drive)
        {
            while (State != CopyJobState.Signaled && drive())
            {
            }
        }

        // Also after driving: another thread may be signaling the job that it took from the queue.
        waiters.WaitUntil("copy-wait", isSignaled);
        return error;
    }

    internal Errno TryAddCallback(Action<CopyFence> action)
    {
        pool.Points?.Reach("copy-add-callback");
        using (gate.Enter())
        {
            if (State >= CopyJobState.Signaling)
            {
                return Errno.ENOENT;
            }

            callbacks.Add(action);
            return Errno.Ok;
        }
    }

    // No lock is needed: nobody adds any more once the state says signaling.
    private ExceptionDispatchInfo? RunCallbacks()
    {
        ExceptionDispatchInfo? thrown = null;
        foreach (Action<CopyFence> callback in callbacks)
        {
            try
            {
                callback(Fence);
            }
#pragma warning disable CA1031 // One listener's mistake must not keep the others waiting: it is thrown on when all have run.
            catch (Exception exception)
#pragma warning restore CA1031
            {
                thrown ??= ExceptionDispatchInfo.Capture(exception);
            }
        }

        callbacks.Clear();
        return thrown;
    }
}
