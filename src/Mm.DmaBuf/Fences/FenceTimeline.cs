using Mm.Core;
using Mm.Core.Locking;

namespace Mm.DmaBuf.Fences;

/// <summary>A timeline that a program advances by hand: its fences signal when it reaches their values.</summary>
/// <remarks>
/// Owns its value and the list of its pending fences.
/// <para><b>Linux:</b> struct sync_timeline of drivers/dma-buf/sw_sync.c (v6.12): values have 32 bits and wrap; a value up
/// to 2^31 behind the timeline is reached. Difference: a fence of a closed timeline is asked for in vain by EBADF, as
/// its file would be gone.</para>
/// <para><b>States:</b> open, closed.</para>
/// <para><b>Invariants:</b> (1) pending fences are sorted by how far they lie ahead; (2) none of a closed timeline is
/// pending.</para>
/// <para><b>Locking:</b> safe from any thread; fences signal without its lock.</para>
/// </remarks>
public sealed class FenceTimeline : IDisposable
{
    private readonly RankedLock gate = new(LockRank.Leaf);
    private readonly List<TimelineFence> pending = [];
    private readonly FenceContext context;
    private uint value;
    private bool isClosed;

    /// <summary>Makes a timeline at 0.</summary>
    /// <param name="contexts">The contexts of the machine.</param>
    /// <param name="name">Its name, for information.</param>
    public FenceTimeline(FenceContexts contexts, string name)
    {
        ArgumentNullException.ThrowIfNull(contexts);
        ArgumentNullException.ThrowIfNull(name);
        Contexts = contexts;
        Name = name;
        context = contexts.Next();
    }

    /// <summary>The contexts of the machine.</summary>
    public FenceContexts Contexts { get; }

    /// <summary>Its name.</summary>
    public string Name { get; }

    /// <summary>Where it stands.</summary>
    public uint Value => Volatile.Read(ref value);

    /// <summary>Makes a fence that signals at a value, or finds the pending one of that value.</summary>
    /// <param name="at">The value; up to 2^31 behind the timeline it has been reached.</param>
    /// <param name="fence">The fence; null when refused.</param>
    /// <returns>EBADF: the timeline is closed.</returns>
    public Errno TryCreateFence(uint at, out DmaFence? fence)
    {
        fence = null;
        var made = new TimelineFence(this, context, at);
        using (gate.Enter())
        {
            if (isClosed)
            {
                return Errno.EBADF;
            }

            fence = HasReached(at) ? made : Insert(made);
        }

        // Signals one that was reached from the start, without the lock.
        _ = fence.IsSignaled;
        return Errno.Ok;
    }

    /// <summary>Goes on, and signals the fences that are reached, earliest first.</summary>
    /// <param name="by">By how much; more than 2^31-1 goes in several steps.</param>
    /// <returns>EBADF: the timeline is closed.</returns>
    public Errno TryAdvance(uint by)
    {
        while (by > int.MaxValue)
        {
            Errno refused = TryStep(int.MaxValue);
            if (!refused.IsOk)
            {
                return refused;
            }

            by -= int.MaxValue;
        }

        return TryStep(by);
    }

    /// <summary>Closes the timeline: its pending fences fail with ENOENT.</summary>
    public void Dispose()
    {
        TimelineFence[] left;
        using (gate.Enter())
        {
            isClosed = true;
            left = [.. pending];
            pending.Clear();
        }

        foreach (TimelineFence fence in left)
        {
            // Somebody else may have signaled it.
            _ = fence.Signal(Errno.ENOENT);
        }
    }

    /// <summary>Name and value.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"{Name}: {Value}";

    internal bool HasReached(uint at) => !DmaFence.IsLater(at, Value, isLong: false);

    private Errno TryStep(uint by)
    {
        TimelineFence[] reached;
        using (gate.Enter())
        {
            if (isClosed)
            {
                return Errno.EBADF;
            }

            Volatile.Write(ref value, unchecked(value + by)); // a timeline wraps at 2^32
            int count = pending.FindIndex(fence => !HasReached(fence.Value));
            count = count < 0 ? pending.Count : count;
            reached = [.. pending[..count]];
            pending.RemoveRange(0, count);
        }

        foreach (TimelineFence fence in reached)
        {
            // A reader who asked may have signaled it.
            _ = fence.Signal();
        }

        return Errno.Ok;
    }

    private TimelineFence Insert(TimelineFence made)
    {
        int at = pending.FindLastIndex(fence => !DmaFence.IsLater(fence.Value, made.Value, isLong: false)) + 1;
        if (at > 0 && pending[at - 1].Value == made.Value)
        {
            return pending[at - 1];
        }

        pending.Insert(at, made);
        return made;
    }
}
