using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using Mm.Core.Checks;

namespace Mm.Core.Locking;

/// <summary>A lock that knows its place in the order, and says so when somebody takes it out of turn.</summary>
/// <remarks>
/// Owns a lock and a rank. With <see cref="Check.Enabled"/> off it is the lock alone.
/// <para><b>Linux:</b> lockdep (v6.12); here the order is declared, so that a violation shows the first time it could
/// deadlock, not the first time two threads meet.</para>
/// <para><b>Invariants:</b> (1) a thread enters a rank only while every rank it holds is lower; (2) trying, which cannot
/// deadlock, may go against the order, but not enter a rank twice.</para>
/// <para><b>Locking:</b> this is it. Not to be entered twice by one thread.</para>
/// </remarks>
/// <param name="rank">Its place in the order.</param>
public sealed class RankedLock(LockRank rank)
{
    // A mutable static, of which Mm has one more (a cache in Frames): which ranks the running thread holds, over all
    // machines, as bits. It belongs to the thread, as lockdep's held_locks does, and is touched only when checks are on.
    [ThreadStatic]
    private static ulong heldRanks;

    private readonly Lock gate = new();

    /// <summary>Its place in the order.</summary>
    public LockRank Rank { get; } = rank;

    /// <summary>Enters the lock, waiting for it if need be.</summary>
    /// <returns>The guard; disposing it leaves the lock.</returns>
    /// <exception cref="MmBugException">Checks are on, and the thread holds this rank or a higher one.</exception>
    public Guard Enter()
    {
        if (Check.Enabled)
        {
            CheckOrder();
        }

        gate.Enter();
        Remember();
        return new Guard(this);
    }

    /// <summary>Enters the lock if nobody has it.</summary>
    /// <param name="guard">The guard; disposing it leaves the lock, or does nothing when refused.</param>
    /// <returns>Whether the lock was entered.</returns>
    /// <exception cref="MmBugException">Checks are on, and the thread holds this very rank.</exception>
    public bool TryEnter(out Guard guard)
    {
        if (Check.Enabled && (heldRanks & Bit) != 0)
        {
            ThrowOrder();
        }

        bool entered = gate.TryEnter();
        if (entered)
        {
            Remember();
        }

        guard = entered ? new Guard(this) : default;
        return entered;
    }

    /// <summary>Asserts, when checks are on, that the running thread holds no lock: what a callback into a user's code may rely on.</summary>
    /// <param name="what">What is about to run.</param>
    /// <exception cref="MmBugException">It holds one.</exception>
    internal static void CheckNoneHeld(string what)
    {
        if (Check.Enabled && heldRanks != 0)
        {
            Check.That(false, $"{what} must run without locks; held: {Describe(heldRanks)}");
        }
    }

    /// <summary>Checks that the running thread holds nothing from a rank on.</summary>
    /// <param name="rank">The rank.</param>
    /// <param name="what">What it is about to do.</param>
    internal static void CheckNoneHeldFrom(LockRank rank, string what)
    {
        if (Check.Enabled && heldRanks >> (int)rank != 0)
        {
            Check.That(false, $"{what} must come before: {Describe(heldRanks)}");
        }
    }

    /// <summary>Asserts, when checks are on, that the running thread holds a lock of this rank.</summary>
    /// <exception cref="MmBugException">It does not.</exception>
    internal void CheckHeld()
    {
        if (Check.Enabled)
        {
            Check.That(gate.IsHeldByCurrentThread, $"{Rank} must be held; held: {Describe(heldRanks)}");
        }
    }

    private ulong Bit => 1UL << (int)Rank;

    private static string Describe(ulong ranks)
    {
        var names = new List<string>();
        for (; ranks != 0; ranks &= ranks - 1)
        {
            names.Add(((LockRank)BitOperations.TrailingZeroCount(ranks)).ToString());
        }

        return names.Count == 0 ? "none" : string.Join(", ", names);
    }

    private void CheckOrder()
    {
        if (heldRanks >> (int)Rank != 0)
        {
            ThrowOrder();
        }
    }

    [DoesNotReturn]
    private void ThrowOrder()
    {
        Check.That(false, $"lock order: {Rank} ({(int)Rank}) must be entered before {Describe(heldRanks)}");
    }

    private void Remember()
    {
        if (Check.Enabled)
        {
            heldRanks |= Bit;
        }
    }

    private void Leave()
    {
        gate.Exit();
        if (Check.Enabled)
        {
            heldRanks &= ~Bit;
        }
    }

    /// <summary>A lock that is held; leaving the block leaves the lock.</summary>
    /// <remarks><c>default</c> holds nothing. Belongs to the thread that entered.</remarks>
    public readonly ref struct Guard : IDisposable
    {
        private readonly RankedLock? owner;

        internal Guard(RankedLock owner) => this.owner = owner;

        /// <summary>Leaves the lock.</summary>
        /// <exception cref="SynchronizationLockException">A copy of the guard has left it before.</exception>
        public void Dispose() => owner?.Leave();
    }
}
