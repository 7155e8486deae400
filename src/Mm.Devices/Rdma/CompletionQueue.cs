using Mm.Core.Locking;

namespace Mm.Devices.Rdma;

/// <summary>Where completions of work are taken from, in the order in which the work ended.</summary>
/// <remarks>
/// Owns the completions until they are taken. A queue pair whose completion finds no room is in error, as is the queue.
/// <para><b>Linux:</b> struct ib_cq, ib_poll_cq (v6.12).</para>
/// <para><b>Locking:</b> one lock, rank Leaf; safe from any thread.</para>
/// </remarks>
public sealed class CompletionQueue
{
    private readonly RankedLock gate = new(LockRank.Leaf);
    private readonly Queue<WorkCompletion> waiting; // protected by gate

    /// <summary>Makes an empty queue.</summary>
    /// <param name="capacity">How many completions it holds; positive.</param>
    public CompletionQueue(int capacity)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(capacity);
        Capacity = capacity;
        waiting = new Queue<WorkCompletion>(capacity);
    }

    /// <summary>How many completions it holds.</summary>
    public int Capacity { get; }

    /// <summary>Whether a completion found no room, and was lost.</summary>
    public bool IsOverrun { get; private set; }

    /// <summary>How many wait to be taken.</summary>
    public int Count
    {
        get
        {
            using RankedLock.Guard held = gate.Enter();
            return waiting.Count;
        }
    }

    /// <summary>Takes the oldest completion.</summary>
    /// <param name="completion">The completion, or <c>default</c>.</param>
    /// <returns>Whether there was one.</returns>
    public bool TryPoll(out WorkCompletion completion)
    {
        using RankedLock.Guard held = gate.Enter();
        return waiting.TryDequeue(out completion);
    }

    /// <summary>Adds a completion.</summary>
    /// <returns>Whether there was room.</returns>
    internal bool TryAdd(in WorkCompletion completion)
    {
        using RankedLock.Guard held = gate.Enter();
        IsOverrun |= waiting.Count == Capacity;
        if (waiting.Count < Capacity)
        {
            waiting.Enqueue(completion);
            return true;
        }

        return false;
    }
}
