using Mm.Core.Checks;

namespace Mm.Core.Locking;

/// <summary>A lock that many readers or one writer hold, for as long as they like and across calls.</summary>
/// <remarks>
/// Owns the order in which they come in: a writer that waits keeps new readers out. What is held is a lease, so that a
/// migration can hold it from its set-up to its end, whichever thread ends it.
/// <para><b>Linux:</b> mmap_lock, a rw_semaphore (v6.12). Deliberate difference: readers do not queue among themselves.</para>
/// <para><b>Invariants:</b> (1) a writer is alone; (2) whoever enters holds no lock of rank
/// <see cref="LockRank.AddressSpace"/> or after; since it may be held long, by whichever thread, none is remembered for it.</para>
/// <para><b>Locking:</b> safe from any thread; not recursive.</para>
/// </remarks>
internal sealed class SpaceLock
{
    private const long Writer = 1L << 31;
    private const long WaitingWriter = 1L << 32;

    private readonly WaitQueue queue;
    private long word; // atomic: readers in the low 31 bits, the writer's bit, and above it how many writers wait

    /// <summary>A lock that nobody holds.</summary>
    /// <param name="points">The explorer's points; null in production.</param>
    internal SpaceLock(IYieldPoints? points = null) => queue = new WaitQueue(points);

    /// <summary>Whether somebody holds it, in either way. For checks.</summary>
    internal bool IsHeld => (Volatile.Read(ref word) & (WaitingWriter - 1)) != 0;

    /// <summary>Enters beside other readers.</summary>
    /// <returns>What to dispose.</returns>
    internal Held EnterRead()
    {
        RankedLock.CheckNoneHeldFrom(LockRank.AddressSpace, "entering the lock of an address space");
        while (!TryEnter(isWriter: false))
        {
            queue.WaitUntil("mmap-read", () => CanEnter(isWriter: false));
        }

        return new Held(this, isWriter: false);
    }

    /// <summary>Enters alone.</summary>
    /// <returns>What to dispose.</returns>
    internal Held EnterWrite()
    {
        RankedLock.CheckNoneHeldFrom(LockRank.AddressSpace, "entering the lock of an address space");
        if (TryEnter(isWriter: true))
        {
            return new Held(this, isWriter: true);
        }

        _ = Interlocked.Add(ref word, WaitingWriter);
        while (!TryEnter(isWriter: true))
        {
            queue.WaitUntil("mmap-write", () => CanEnter(isWriter: true));
        }

        _ = Interlocked.Add(ref word, -WaitingWriter);
        return new Held(this, isWriter: true);
    }

    private bool CanEnter(bool isWriter) => MayEnter(Volatile.Read(ref word), isWriter);

    // A reader comes in while there is no writer and none waits; a writer while nobody is in.
    private static bool MayEnter(long seen, bool isWriter) => isWriter ? (seen & (WaitingWriter - 1)) == 0 : seen < Writer;

    private bool TryEnter(bool isWriter)
    {
        long seen = Volatile.Read(ref word);
        while (MayEnter(seen, isWriter))
        {
            long before = Interlocked.CompareExchange(ref word, seen + (isWriter ? Writer : 1), seen);
            if (before == seen)
            {
                return true;
            }

            seen = before;
        }

        return false;
    }

    private void Leave(bool isWriter)
    {
        long seen = Volatile.Read(ref word);
        long before;
        do
        {
            before = seen;
            bool isHeld = (seen & Writer) != 0 ? isWriter : !isWriter && (seen & (Writer - 1)) != 0;
            Check.That(isHeld, "invariant 1: a lock is left by who holds it");
            seen = Interlocked.CompareExchange(ref word, before - (isWriter ? Writer : 1), before);
        }
        while (seen != before);

        if (queue.HasWaiters)
        {
            queue.WakeAll();
        }
    }

    /// <summary>The lock, held.</summary>
    /// <remarks>Dispose it once. <c>default</c> holds nothing.</remarks>
    internal readonly struct Held : IDisposable
    {
        private readonly SpaceLock? owner;
        private readonly bool isWriter;

        internal Held(SpaceLock owner, bool isWriter)
        {
            this.owner = owner;
            this.isWriter = isWriter;
        }

        /// <inheritdoc/>
        public void Dispose() => owner?.Leave(isWriter);
    }
}
