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
    private readonly Lock gate = new();
    private readonly WaitQueue queue;
    private int readers; // protected by gate; -1: a writer
    private int waitingWriters; // protected by gate

    /// <summary>A lock that nobody holds.</summary>
    /// <param name="points">The explorer's points; null in production.</param>
    internal SpaceLock(IYieldPoints? points = null) => queue = new WaitQueue(points);

    /// <summary>Whether somebody holds it, in either way. For checks.</summary>
    internal bool IsHeld
    {
        get
        {
            lock (gate)
            {
                return readers != 0;
            }
        }
    }

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

        CountWaiter(1);
        while (!TryEnter(isWriter: true))
        {
            queue.WaitUntil("mmap-write", () => CanEnter(isWriter: true));
        }

        CountWaiter(-1);
        return new Held(this, isWriter: true);
    }

    private void CountWaiter(int change)
    {
        lock (gate)
        {
            waitingWriters += change;
        }
    }

    private bool CanEnter(bool isWriter)
    {
        lock (gate)
        {
            return isWriter ? readers == 0 : readers >= 0 && waitingWriters == 0;
        }
    }

    private bool TryEnter(bool isWriter)
    {
        lock (gate)
        {
            if (isWriter ? readers != 0 : readers < 0 || waitingWriters != 0)
            {
                return false;
            }

            readers = isWriter ? -1 : readers + 1;
            return true;
        }
    }

    private void Leave(bool isWriter)
    {
        lock (gate)
        {
            Check.That(isWriter ? readers == -1 : readers > 0, "invariant 1: a lock is left by who holds it");
            readers = isWriter ? 0 : readers - 1;
        }

        queue.WakeAll();
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
