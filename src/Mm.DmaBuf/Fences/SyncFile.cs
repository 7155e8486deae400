using Mm.Core;

namespace Mm.DmaBuf.Fences;

/// <summary>A fence as a handle that processes pass to each other.</summary>
/// <remarks>
/// Holds one fence, and the callback that makes it ready for those who poll.
/// <para><b>Linux:</b> struct sync_file and its ioctls MERGE, FILE_INFO, SET_DEADLINE (v6.12); the numbers of the file
/// table are a process's.</para>
/// <para><b>States:</b> open, closed.</para>
/// <para><b>Invariants:</b> (1) at most one callback is armed, and none once it is closed.</para>
/// <para><b>Locking:</b> safe from any thread.</para>
/// </remarks>
public sealed class SyncFile : IDisposable
{
    /// <summary>How many characters of a name are kept.</summary>
    public const int MaxNameLength = 31;

    private readonly string? userName;
    private FenceCallback? poll;
    private int isPolled;
    private int isClosed;

    /// <summary>Opens a sync file over a fence.</summary>
    /// <param name="fence">The fence.</param>
    public SyncFile(DmaFence fence)
        : this(fence, userName: null)
    {
    }

    private SyncFile(DmaFence fence, string? userName)
    {
        ArgumentNullException.ThrowIfNull(fence);
        Fence = fence;
        this.userName = userName;
    }

    /// <summary>The fence.</summary>
    public DmaFence Fence { get; }

    /// <summary>Whether it was closed.</summary>
    public bool IsClosed => Volatile.Read(ref isClosed) != 0;

    /// <summary>The name that it got, or one made of its fence.</summary>
    public string Name => string.IsNullOrEmpty(userName)
        ? $"{Fence.DriverName}-{Fence.TimelineName}{Fence.Context}-{Fence.Seqno}"
        : userName;

    /// <summary>Whether its fence has signaled; the first such question makes the signal come by itself.</summary>
    /// <exception cref="ObjectDisposedException">It is closed.</exception>
    public bool IsReady
    {
        get
        {
            ThrowIfClosed();
            if (Interlocked.Exchange(ref isPolled, 1) == 0 && Fence.TryAddCallback(_ => { }, out poll).IsOk && IsClosed)
            {
                // Closed meanwhile, and its closer may have looked for the callback too early.
                Disarm();
            }

            return Fence.IsSignaled;
        }
    }

    /// <summary>Makes a sync file that is ready when both are.</summary>
    /// <param name="other">The other file; null or closed is no file.</param>
    /// <param name="name">The new file's name; cut after <see cref="MaxNameLength"/> characters, may be empty.</param>
    /// <param name="flags">Must be 0.</param>
    /// <param name="merged">The new file; null when refused.</param>
    /// <returns>EINVAL: flags are set. ENOENT: the other is no open sync file.</returns>
    /// <exception cref="ObjectDisposedException">This one is closed.</exception>
    public Errno TryMerge(SyncFile? other, string name, uint flags, out SyncFile? merged)
    {
        ArgumentNullException.ThrowIfNull(name);
        ThrowIfClosed();
        merged = null;
        if (flags != 0)
        {
            return Errno.EINVAL;
        }

        if (other is null || other.IsClosed)
        {
            return Errno.ENOENT;
        }

        string kept = name.Length > MaxNameLength ? name[..MaxNameLength] : name;
        merged = new SyncFile(FenceUnwrap.Merge(Fence.Contexts, Fence, other.Fence), kept);
        return Errno.Ok;
    }

    /// <summary>Tells of the file and of each of its fences.</summary>
    /// <param name="slots">Room for the fences; empty asks for the count only.</param>
    /// <param name="flags">Must be 0.</param>
    /// <param name="info">What it says of the whole; default when refused.</param>
    /// <returns>EINVAL: flags are set, or there is room for some fences but not for all.</returns>
    /// <exception cref="ObjectDisposedException">It is closed.</exception>
    public Errno TryGetInfo(Span<SyncFenceInfo> slots, uint flags, out SyncFileInfo info)
    {
        ThrowIfClosed();
        info = default;
        if (flags != 0)
        {
            return Errno.EINVAL;
        }

        DmaFence[] fences = [.. FenceUnwrap.Enumerate(Fence)];
        if (slots.IsEmpty)
        {
            info = new SyncFileInfo(Name, Fence.GetStatus(), fences.Length);
            return Errno.Ok;
        }

        if (slots.Length < fences.Length)
        {
            return Errno.EINVAL;
        }

        FenceStatus whole = FenceStatus.Signaled;
        for (int index = 0; index < fences.Length; index++)
        {
            DmaFence fence = fences[index];
            FenceStatus status = fence.GetStatus();
            slots[index] = new SyncFenceInfo(fence.TimelineName, fence.DriverName, status, fence.TimestampNs ?? 0);
            whole = whole == FenceStatus.Signaled ? status : whole;
        }

        info = new SyncFileInfo(Name, whole, fences.Length);
        return Errno.Ok;
    }

    /// <summary>Waits until it is ready.</summary>
    /// <param name="timeoutNs">How long at most, in nanoseconds of the machine's clock; 0 asks only.</param>
    /// <param name="cancellation">Interrupts the wait.</param>
    /// <returns>ETIME: time is over. EINTR: interrupted.</returns>
    /// <exception cref="ObjectDisposedException">It is closed.</exception>
    public Errno Wait(ulong timeoutNs, CancellationToken cancellation = default)
    {
        ThrowIfClosed();
        return Fence.Wait(timeoutNs, out _, cancellation);
    }

    /// <summary>Says by when somebody wants it ready.</summary>
    /// <param name="timeNs">The time on the machine's clock.</param>
    /// <exception cref="ObjectDisposedException">It is closed.</exception>
    public void SetDeadline(ulong timeNs)
    {
        ThrowIfClosed();
        Fence.SetDeadline(timeNs);
    }

    /// <summary>Another hold on the same fence under the same name, as when a process is sent the file.</summary>
    /// <returns>The other file.</returns>
    /// <exception cref="ObjectDisposedException">It is closed.</exception>
    public SyncFile Duplicate()
    {
        ThrowIfClosed();
        return new SyncFile(Fence, userName);
    }

    /// <summary>Closes it: lets go of its fence, which others may wait for still.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref isClosed, 1) == 0)
        {
            Disarm();
        }
    }

    private void Disarm()
    {
        if (Volatile.Read(ref poll) is FenceCallback armed)
        {
            // False: it ran.
            _ = Fence.RemoveCallback(armed);
        }
    }

    private void ThrowIfClosed() => ObjectDisposedException.ThrowIf(IsClosed, this);
}
