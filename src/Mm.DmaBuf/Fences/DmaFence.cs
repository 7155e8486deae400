using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using Mm.Core;
using Mm.Core.Locking;

namespace Mm.DmaBuf.Fences;

/// <summary>A promise that some work of a device will end: it signals once, and whoever waits is told.</summary>
/// <remarks>
/// Owns its state, its error, its timestamp and its callbacks. Not responsible for the work: whoever made the fence signals
/// it, or says with <see cref="Abandon"/> that it never will.
/// <para><b>Linux:</b> struct dma_fence (v6.12). Differences: callbacks run without the fence's lock, and removing one
/// that runs waits for its end instead; there are no reference counts, so that the last put of a pending fence is
/// <see cref="Abandon"/>, which fails the fence with EDEADLK whether or not a callback waits.</para>
/// <para><b>States:</b> pending, signaled (with an error or without); never back.</para>
/// <para><b>Invariants:</b> (1) signals once; (2) error and timestamp do not change afterwards; (3) each callback that was
/// added runs exactly once or was removed, never both; (4) after <see cref="RemoveCallback"/> returned, the callback does
/// not run.</para>
/// <para><b>Locking:</b> safe from any thread. Callbacks run on the thread that signals, maybe with the lock of a
/// reservation held: they take only locks of higher rank than <see cref="LockRank.Reservation"/> and do not wait.</para>
/// </remarks>
public class DmaFence
{
    private readonly RankedLock gate = new(LockRank.Leaf);
    private FenceCallbackList callbacks;
    private Errno error;
    private ulong timestampNs;
    private ulong? deadlineNs;
    private int signalerThread;
    private bool isSignaled;
    private int isSignalingEnabled;

    /// <summary>Makes a pending fence.</summary>
    /// <param name="contexts">The contexts of the machine.</param>
    /// <param name="context">The fence's timeline.</param>
    /// <param name="seqno">Its place on it.</param>
    public DmaFence(FenceContexts contexts, FenceContext context, ulong seqno)
    {
        ArgumentNullException.ThrowIfNull(contexts);
        Contexts = contexts;
        Context = context;
        Seqno = seqno;
    }

    /// <summary>The contexts of the machine.</summary>
    public FenceContexts Contexts { get; }

    /// <summary>The timeline.</summary>
    public FenceContext Context { get; }

    /// <summary>The place on the timeline; compared with wrapping at 32 bits unless <see cref="HasLongSeqno"/>.</summary>
    public ulong Seqno { get; }

    /// <summary>Who made it.</summary>
    public virtual string DriverName => "mm";

    /// <summary>The name of its timeline.</summary>
    public virtual string TimelineName => "unbound";

    /// <summary>Whether sequence numbers have 64 bits and do not wrap.</summary>
    public virtual bool HasLongSeqno => false;

    /// <summary>Whether it is made of other fences: an array or a chain.</summary>
    public virtual bool IsContainer => false;

    /// <summary>Whether the fence has signaled; asks the work behind it if need be.</summary>
    public bool IsSignaled
    {
        get
        {
            if (Volatile.Read(ref isSignaled))
            {
                return true;
            }

            if (!HasCompleted())
            {
                return false;
            }

            // Somebody else may have seen it first.
            _ = Signal(CompletionError);
            return true;
        }
    }

    /// <summary>When it signaled, on the machine's clock; <see langword="null"/> while it is pending.</summary>
    public ulong? TimestampNs => IsSignaled ? timestampNs : null;

    /// <summary>The earliest time by which somebody wants it signaled; a hint, <see langword="null"/> without one.</summary>
    public ulong? DeadlineNs
    {
        get
        {
            using RankedLock.Guard held = gate.Enter();
            return deadlineNs;
        }
    }

    /// <summary>Whether somebody waits, so that the signal comes by itself.</summary>
    private protected bool IsSignalingEnabled => Volatile.Read(ref isSignalingEnabled) != 0;

    /// <summary>What a fence whose completion was found by asking signals with.</summary>
    private protected virtual Errno CompletionError => Errno.Ok;

    /// <summary>Whether one fence comes after another of its timeline.</summary>
    /// <param name="later">The fence that may be later.</param>
    /// <param name="earlier">The other.</param>
    /// <returns>Whether it is later; false for equal sequence numbers.</returns>
    /// <exception cref="ArgumentException">They are of different contexts, between which there is no order.</exception>
    public static bool IsLater(DmaFence later, DmaFence earlier)
    {
        ArgumentNullException.ThrowIfNull(later);
        ArgumentNullException.ThrowIfNull(earlier);
        if (later.Context != earlier.Context)
        {
            throw new ArgumentException(
                $"only fences of one context have an order; got contexts {later.Context} and {earlier.Context}", nameof(earlier));
        }

        return IsLater(later.Seqno, earlier.Seqno, later.HasLongSeqno);
    }

    /// <summary>How the fence stands.</summary>
    /// <returns>Pending, signaled, or the error.</returns>
    public FenceStatus GetStatus() => IsSignaled ? FenceStatus.Failed(error) : FenceStatus.Pending;

    /// <summary>Says that the work has ended, and runs the callbacks in the order in which they were added.</summary>
    /// <returns>EINVAL: it has signaled before.</returns>
    public Errno Signal() => Signal(Errno.Ok);

    /// <summary>Says that the work has failed, unless an error was set before, and signals.</summary>
    /// <param name="failure">Why; <see cref="Errno.Ok"/> for none.</param>
    /// <returns>EINVAL: it has signaled before; its error stays as it was.</returns>
    public Errno Signal(Errno failure) => SignalAt(failure, Contexts.Clock.NowNs);

    /// <summary>Sets the error with which the fence will signal.</summary>
    /// <param name="failure">The error; not <see cref="Errno.Ok"/>.</param>
    /// <exception cref="ArgumentException">It is no error.</exception>
    /// <exception cref="InvalidOperationException">The fence has signaled: waiters have read its status.</exception>
    public void SetError(Errno failure)
    {
        if (failure.IsOk)
        {
            throw new ArgumentException("an error must be set, not ok", nameof(failure));
        }

        using RankedLock.Guard held = gate.Enter();
        if (isSignaled)
        {
            throw new InvalidOperationException($"{this} has signaled; an error is set before");
        }

        error = failure;
    }

    /// <summary>Says that nobody will ever signal the fence: fails it with EDEADLK if it is pending.</summary>
    public void Abandon()
    {
        // A fence that signaled is done with: nothing to tell.
        _ = Signal(Errno.EDEADLK);
    }

    /// <summary>Asks for the signal to come by itself, without anybody asking <see cref="IsSignaled"/>.</summary>
    public void EnableSignaling()
    {
        if (Volatile.Read(ref isSignaled) || Interlocked.Exchange(ref isSignalingEnabled, 1) != 0)
        {
            return;
        }

        Contexts.Points?.Reach("enable-signaling");
        if (!StartSignaling())
        {
            _ = Signal(CompletionError);
        }
    }

    /// <summary>Adds a callback that runs when the fence signals.</summary>
    /// <param name="action">What runs, once, with the fence; it must not wait.</param>
    /// <param name="callback">The handle for <see cref="RemoveCallback"/>; null when refused.</param>
    /// <returns>ENOENT: the fence has signaled; the callback will not run.</returns>
    public Errno TryAddCallback(Action<DmaFence> action, out FenceCallback? callback)
    {
        ArgumentNullException.ThrowIfNull(action);
        callback = null;
        EnableSignaling();
        Contexts.Points?.Reach("add-callback");
        using RankedLock.Guard held = gate.Enter();
        if (isSignaled)
        {
            return Errno.ENOENT;
        }

        callback = new FenceCallback(this, action);
        callbacks.Append(callback);
        return Errno.Ok;
    }

    /// <summary>Takes a callback off. When this returns, the callback does not run and will not run.</summary>
    /// <param name="callback">A callback of this fence.</param>
    /// <returns>Whether it was taken off before it ran; false when it ran, or was removed before.</returns>
    /// <exception cref="ArgumentException">The callback is another fence's.</exception>
    public bool RemoveCallback(FenceCallback callback)
    {
        ArgumentNullException.ThrowIfNull(callback);
        if (callback.Fence != this)
        {
            throw new ArgumentException($"the callback waits on {callback.Fence}, not on {this}", nameof(callback));
        }

        Contexts.Points?.Reach("remove-callback");
        using (gate.Enter())
        {
            if (callback.IsArmed)
            {
                callbacks.Remove(callback);
                return true;
            }

            // Removed before; or a callback removes one of its own fence, for whose end it cannot wait.
            if (!callback.WasTaken || signalerThread == Thread.CurrentThread.ManagedThreadId)
            {
                return false;
            }
        }

        Contexts.WaitUntil("callback-ends", () => callback.HasEnded);
        return false;
    }

    /// <summary>Waits until the fence signals or time is over. Zero asks only, and never blocks.</summary>
    /// <param name="timeoutNs">How long at most, in nanoseconds of the machine's clock.</param>
    /// <param name="remainingNs">What is left of the time-out; 0 when refused.</param>
    /// <param name="cancellation">Interrupts the wait.</param>
    /// <returns>
    /// ETIME: time is over, which somebody else's advance of the clock brings about. EINTR: the wait was interrupted.
    /// Whether the work failed is <see cref="GetStatus"/>.
    /// </returns>
    public Errno Wait(ulong timeoutNs, out ulong remainingNs, CancellationToken cancellation = default)
    {
        ulong startNs = Contexts.Clock.NowNs;
        remainingNs = timeoutNs;
        if (IsSignaled)
        {
            return Errno.Ok;
        }

        if (timeoutNs != 0)
        {
            WaitForEvent(startNs, timeoutNs, cancellation);
        }

        ulong passedNs = Contexts.Clock.NowNs - startNs;
        remainingNs = passedNs >= timeoutNs ? 0 : timeoutNs - passedNs;
        if (IsSignaled)
        {
            return Errno.Ok;
        }

        Errno refused = passedNs >= timeoutNs ? Errno.ETIME : Errno.EINTR;
        remainingNs = 0;
        return refused;
    }

    /// <summary>Says by when somebody wants the fence signaled; the earliest such time counts.</summary>
    /// <param name="timeNs">The time on the machine's clock.</param>
    public void SetDeadline(ulong timeNs)
    {
        if (IsSignaled)
        {
            return;
        }

        using (gate.Enter())
        {
            deadlineNs = deadlineNs is null ? timeNs : Math.Min(deadlineNs.Value, timeNs);
        }

        OnDeadline(timeNs);
    }

    /// <summary>The fence as a task that ends with its status; it never fails.</summary>
    /// <returns>The task.</returns>
    public Task<FenceStatus> AsTask()
    {
        var source = new TaskCompletionSource<FenceStatus>(TaskCreationOptions.RunContinuationsAsynchronously);
        if (!TryAddCallback(fence => source.SetResult(fence.GetStatus()), out _).IsOk)
        {
            source.SetResult(GetStatus());
        }

        return source.Task;
    }

    /// <summary>Lets <c>await fence</c> give its status.</summary>
    /// <returns>The awaiter.</returns>
    public TaskAwaiter<FenceStatus> GetAwaiter() => AsTask().GetAwaiter();

    /// <summary>Driver, timeline, context, sequence number and status.</summary>
    /// <returns>The text.</returns>
    public override string ToString() =>
        $"{DriverName}-{TimelineName}{Context}-{Seqno} {(Volatile.Read(ref isSignaled) ? FenceStatus.Failed(error) : FenceStatus.Pending)}";

    internal static bool IsLater(ulong later, ulong earlier, bool isLong) =>
        // Wrapping is the point: a number is later than the 2^31 numbers before it.
        isLong ? later > earlier : unchecked((int)((uint)later - (uint)earlier)) > 0;

    internal Errno SignalAt(Errno failure, ulong atNs)
    {
        Contexts.Points?.Reach("signal");
        FenceCallback? taken;
        using (gate.Enter())
        {
            if (isSignaled)
            {
                return Errno.EINVAL;
            }

            error = error.IsOk ? failure : error;
            timestampNs = atNs;
            signalerThread = Thread.CurrentThread.ManagedThreadId;
            taken = callbacks.TakeAll();
            Volatile.Write(ref isSignaled, true);
        }

        Contexts.Points?.Reach("run-callbacks");
        RunAll(taken);
        return Errno.Ok;
    }

    /// <summary>Arranges that the work signals the fence when it ends. Called once at most, without a lock of the fence.</summary>
    /// <returns>False: the work has ended already, and the caller signals.</returns>
    protected virtual bool StartSignaling() => true;

    /// <summary>Asks whether the work has ended without a signal. Called at any time; must not wait.</summary>
    /// <returns>Whether it has; true makes the fence signal.</returns>
    protected virtual bool HasCompleted() => false;

    /// <summary>Is told that somebody wants the fence by a time.</summary>
    /// <param name="timeNs">The time on the machine's clock.</param>
    protected virtual void OnDeadline(ulong timeNs)
    {
    }

    private void WaitForEvent(ulong startNs, ulong timeoutNs, CancellationToken cancellation)
    {
        if (!TryAddCallback(_ => Contexts.Wake(), out FenceCallback? waker).IsOk)
        {
            return;
        }

        using (cancellation.Register(Contexts.Wake))
        {
            Contexts.WaitUntil(
                "wait",
                () => Volatile.Read(ref isSignaled) || Contexts.Clock.NowNs - startNs >= timeoutNs || cancellation.IsCancellationRequested);
        }

        _ = RemoveCallback(waker!);
    }

    private void RunAll(FenceCallback? callback)
    {
        ExceptionDispatchInfo? thrown = null;
        bool hadAny = callback is not null;
        while (callback is not null)
        {
            FenceCallback? next = callback.Next;
            try
            {
                callback.Run();
            }
#pragma warning disable CA1031 // One listener's mistake must not keep the others waiting: it is thrown on when all have run.
            catch (Exception exception)
#pragma warning restore CA1031
            {
                thrown ??= ExceptionDispatchInfo.Capture(exception);
            }

            callback = next;
        }

        if (hadAny)
        {
            Contexts.Wake();
        }

        thrown?.Throw();
    }
}
