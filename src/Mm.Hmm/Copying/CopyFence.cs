using System.Runtime.CompilerServices;
using Mm.Core;

namespace Mm.Hmm.Copying;

/// <summary>The promise that a job's work will end: to be asked, waited for, awaited, or followed by callbacks.</summary>
/// <remarks>
/// A handle: good until its job is given back, and refused from then on even when the job is in use again.
/// <para><b>Linux:</b> a struct dma_fence of a driver's copy engine (v6.12), as far as migrations need one; Mm.DmaBuf has the
/// whole.</para>
/// <para><b>Invariants:</b> (1) signals once; (2) each callback runs once, before any waiter goes on.</para>
/// <para><b>Locking:</b> safe from any thread. Callbacks run on the thread that signals, with no lock of the engine held.</para>
/// <para><c>default</c> is no fence: its members throw.</para>
/// </remarks>
public readonly struct CopyFence : IEquatable<CopyFence>
{
    private readonly CopyJob? job;
    private readonly long generation;

    internal CopyFence(CopyJob job, long generation)
    {
        this.job = job;
        this.generation = generation;
    }

    /// <summary>Whether the work has ended.</summary>
    /// <exception cref="ObjectDisposedException">The job was given back.</exception>
    public bool IsSignaled => Job.State >= CopyJobState.Signaling;

    /// <summary>Why the work failed; <see cref="Errno.Ok"/> when it did not, or has not ended.</summary>
    /// <exception cref="ObjectDisposedException">The job was given back.</exception>
    public Errno Error => Job.SignaledError;

    private CopyJob Job
    {
        get
        {
            if (job is null || job.Generation != generation)
            {
                throw new ObjectDisposedException(nameof(CopyFence), "the fence's job was given back");
            }

            return job;
        }
    }

    /// <summary>Whether both are of the same submission.</summary>
    public static bool operator ==(CopyFence left, CopyFence right) => left.Equals(right);

    /// <summary>Whether they are of different submissions.</summary>
    public static bool operator !=(CopyFence left, CopyFence right) => !left.Equals(right);

    /// <summary>Waits until the work has ended and the callbacks have run. Drives a stepped engine itself.</summary>
    /// <returns>The first error of a page, for one <see cref="Errno.EIO"/>; <see cref="Errno.ENODEV"/>: the engine has ended.</returns>
    /// <exception cref="ObjectDisposedException">The job was given back.</exception>
    /// <exception cref="InvalidOperationException">The job was never submitted.</exception>
    public Errno Wait() => Job.Wait();

    /// <summary>Adds something to run when the work has ended.</summary>
    /// <param name="action">What runs, once, with the fence; must not wait for this fence, nor for others of an engine on whose thread it runs.</param>
    /// <returns><see cref="Errno.ENOENT"/>: the fence has signaled, and the action will not run.</returns>
    /// <exception cref="ObjectDisposedException">The job was given back.</exception>
    public Errno TryAddCallback(Action<CopyFence> action)
    {
        ArgumentNullException.ThrowIfNull(action);
        return Job.TryAddCallback(action);
    }

    /// <summary>The fence as a task that ends with the work's error; it never fails.</summary>
    /// <returns>The task.</returns>
    /// <exception cref="ObjectDisposedException">The job was given back.</exception>
    public Task<Errno> AsTask()
    {
        var source = new TaskCompletionSource<Errno>(TaskCreationOptions.RunContinuationsAsynchronously);
        if (!TryAddCallback(fence => source.SetResult(fence.Error)).IsOk)
        {
            source.SetResult(Error);
        }

        return source.Task;
    }

    /// <summary>Lets <c>await fence</c> give the work's error.</summary>
    /// <returns>The awaiter.</returns>
    public TaskAwaiter<Errno> GetAwaiter() => AsTask().GetAwaiter();

    /// <inheritdoc/>
    public bool Equals(CopyFence other) => ReferenceEquals(job, other.job) && generation == other.generation;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is CopyFence other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(job, generation);
}
