namespace Mm.DmaBuf.Fences;

/// <summary>A callback that waits on a fence, as the handle that takes it off again.</summary>
/// <remarks>
/// Owned by the fence until it ran or was removed. See <see cref="DmaFence.TryAddCallback"/>.
/// <para><b>Linux:</b> struct dma_fence_cb (v6.12).</para>
/// <para><b>States:</b> armed, then either removed or running, ended.</para>
/// <para><b>Locking:</b> the links are the fence's, under its lock; the state is read from anywhere.</para>
/// </remarks>
public sealed class FenceCallback
{
    private readonly Action<DmaFence> action;
    private bool hasEnded;

    internal FenceCallback(DmaFence fence, Action<DmaFence> action)
    {
        Fence = fence;
        this.action = action;
    }

    /// <summary>The fence on which it waits, or waited.</summary>
    public DmaFence Fence { get; }

    internal FenceCallback? Next { get; set; }

    internal FenceCallback? Previous { get; set; }

    /// <summary>Whether it is on the fence's list. Under the fence's lock.</summary>
    internal bool IsArmed { get; set; }

    /// <summary>Whether the signal took it, to run it. Under the fence's lock.</summary>
    internal bool WasTaken { get; set; }

    /// <summary>Whether it ran to its end.</summary>
    internal bool HasEnded => Volatile.Read(ref hasEnded);

    internal void Run()
    {
        try
        {
            action(Fence);
        }
        finally
        {
            Volatile.Write(ref hasEnded, true);
        }
    }
}
