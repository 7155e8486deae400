using Mm.Core.Checks;
using Mm.Core.Locking;

namespace Mm.Core.Notifiers;

/// <summary>Everybody who mirrors one address space, and the sequence that keeps their copies honest.</summary>
/// <remarks>
/// Owns the subscriptions, the count of running invalidations and the sequence. Not responsible for page tables: who
/// changes them does so between the start and the end of an invalidation.
/// <para><b>Linux:</b> struct mmu_notifier_subscriptions (mm/mmu_notifier.c, v6.12). Deliberate difference: when a
/// listener refuses a start that may not block after interval notifiers were told already, Linux leaves their
/// invalidation open; Mm ends it.</para>
/// <para><b>States:</b> idle (sequence even) → invalidating (odd, from the first start that hits a subscription) → idle (at
/// the last end, which also does what was deferred). → ended by <see cref="Release"/>.</para>
/// <para><b>Invariants:</b> (1) while the sequence is odd the walked set does not change; (2) it becomes even only when no
/// invalidation runs; (3) an invalidation that hits nobody leaves it alone.</para>
/// <para><b>Locking:</b> safe from any thread. Callbacks run with no lock of this class held.</para>
/// </remarks>
public sealed partial class NotifierSubscriptions
{
    private readonly RankedLock gate = new(LockRank.Notifiers);
    private readonly WaitQueue queue;
    private readonly IYieldPoints? points;
    private readonly IntervalSet walked = new(); // protected by gate; frozen while the sequence is odd
    private readonly List<IntervalNotifier> deferred = []; // protected by gate
    private readonly NotifierListeners listeners = new(); // those to everything, told besides the walk
    private ulong sequence = 2; // written under gate, read by anybody; Linux starts at 2 too
    private ulong running; // protected by gate
    private bool hasEnded; // protected by gate

    /// <summary>Makes the subscriptions of one address space.</summary>
    /// <param name="points">The explorer's points; <see langword="null"/> in production.</param>
    public NotifierSubscriptions(IYieldPoints? points = null)
    {
        this.points = points;
        queue = new WaitQueue(points);
    }

    /// <summary>The moment that it is now, for everybody.</summary>
    public NotifierSequence Now => new(Volatile.Read(ref sequence));

    private bool IsInvalidating => (sequence & 1) != 0;

    /// <summary>Registers a listener to everything.</summary>
    /// <param name="listener">The listener.</param>
    /// <returns>
    /// <see cref="Errno.EINVAL"/>: it wants <see cref="MmuNotifierOps.SecondaryTlb"/> together with start or end, or the
    /// address space has ended.
    /// <see cref="Errno.EEXIST"/>: it is registered already.
    /// </returns>
    /// <remarks><b>Linux:</b> mmu_notifier_register.</remarks>
    public Errno TryRegister(IMmuNotifier listener) => listeners.TryAdd(listener);

    /// <summary>Unregisters a listener: it is told the release, and nothing afterwards.</summary>
    /// <param name="listener">The listener.</param>
    /// <returns><see cref="Errno.ENOENT"/>: it is not registered.</returns>
    /// <remarks><b>Linux:</b> mmu_notifier_unregister.</remarks>
    public Errno TryUnregister(IMmuNotifier listener) => listeners.TryRemove(listener);

    /// <summary>Subscribes to an interval.</summary>
    /// <param name="start">The first address.</param>
    /// <param name="length">How many bytes.</param>
    /// <param name="listener">Who is told.</param>
    /// <param name="notifier">The subscription, or <see langword="null"/> when refused; the caller disposes it.</param>
    /// <returns>
    /// <see cref="Errno.EOVERFLOW"/>: the length is zero, or the interval would pass the top of the address space.
    /// <see cref="Errno.EINVAL"/>: the address space has ended.
    /// </returns>
    /// <remarks><b>Linux:</b> mmu_interval_notifier_insert.</remarks>
    public Errno TryInsert(
        VirtAddr start, ByteCount length, IIntervalListener listener, out IntervalNotifier? notifier)
    {
        ArgumentNullException.ThrowIfNull(listener);
        notifier = null;
        if (length.IsZero || !VirtRange.TryCreate(start, length, out VirtRange range))
        {
            return Errno.EOVERFLOW;
        }

        using RankedLock.Guard guard = gate.Enter();
        if (hasEnded)
        {
            return Errno.EINVAL;
        }

        notifier = new IntervalNotifier(this, range, listener);
        if (running == 0)
        {
            // In the past, so that a reader that begins now does not wait.
            notifier.Sequence = sequence - 1;
            Walk(notifier);
            return Errno.Ok;
        }

        // The invalidations that run may be of this interval: whoever reads it waits for their end.
        if (IsInvalidating)
        {
            deferred.Add(notifier);
        }
        else
        {
            Volatile.Write(ref sequence, sequence | 1);
            Walk(notifier);
        }

        notifier.Sequence = sequence;
        return Errno.Ok;
    }

    /// <summary>Starts an invalidation: tells everybody who follows the range before the CPU's mapping changes.</summary>
    /// <param name="range">What, why, by whom.</param>
    /// <param name="invalidation">What to dispose when the mapping has changed; none when refused.</param>
    /// <returns><see cref="Errno.EAGAIN"/>: it may not block and somebody would have to; nothing is left open.</returns>
    /// <exception cref="MmBugException">A listener refused though it may block, or answered anything but EAGAIN.</exception>
    /// <remarks><b>Linux:</b> mmu_notifier_invalidate_range_start, and its _nonblock form.</remarks>
    public Errno TryInvalidate(scoped in NotifierRange range, out NotifierInvalidation invalidation)
    {
        invalidation = default;
        if (!TryInvalidateIntervals(range))
        {
            EndIntervals();
            return Errno.EAGAIN;
        }

        if (!listeners.TryStart(range))
        {
            EndIntervals();
            return Errno.EAGAIN;
        }

        invalidation = new NotifierInvalidation(this, range);
        return Errno.Ok;
    }

    /// <summary>Ends the address space: everything is invalidated for good, and nobody subscribes any more.</summary>
    /// <remarks>Subscriptions stay to be disposed by their owners. <b>Linux:</b> __mmu_notifier_release.</remarks>
    public void Release()
    {
        using (gate.Enter())
        {
            if (hasEnded)
            {
                return;
            }

            hasEnded = true;
        }

        var range = new NotifierRange(VirtRange.All, NotifierEvent.Release) { CanBlock = true };
        Check.That(TryInvalidateIntervals(range), "a listener refused the release");
        EndIntervals();
        listeners.Release();
    }

    /// <summary>Tells listeners of secondary TLBs that translations are flushed.</summary>
    /// <param name="range">The addresses.</param>
    /// <remarks><b>Linux:</b> mmu_notifier_arch_invalidate_secondary_tlbs.</remarks>
    public void FlushSecondaryTlbs(VirtRange range) => listeners.FlushSecondaryTlbs(range);

    internal void End(in NotifierRange range)
    {
        // Listeners first, intervals last, as Linux does: a reader wakes only when everybody is done.
        listeners.End(range);
        points?.Reach("end");
        EndIntervals();
    }

    internal NotifierSequence ReadBegin(IntervalNotifier notifier)
    {
        bool isFree = IsFree(notifier, out ulong own);
        points?.Reach("read-begin");
        if (!isFree)
        {
            WaitWhile(own);
        }

        return new NotifierSequence(own);
    }

    // By itself, so that who need not wait makes no closure.
    private void WaitWhile(ulong own) => queue.WaitUntil("read-begin-wait", () => Volatile.Read(ref sequence) != own);

    internal bool TryReadBegin(IntervalNotifier notifier, out NotifierSequence moment)
    {
        bool isFree = IsFree(notifier, out ulong own);
        moment = isFree ? new NotifierSequence(own) : default;
        return isFree;
    }

    // Without the lock, and in this order: a notifier's sequence is the current one only while the invalidation that gave it
    // goes on. One that begins after the first read shows in the notifier's sequence when it is asked whether to retry.
    private bool IsFree(IntervalNotifier notifier, out ulong own)
    {
        own = notifier.Sequence;
        return own != Volatile.Read(ref sequence);
    }

    internal void Remove(IntervalNotifier notifier)
    {
        ulong? until = null;
        using (gate.Enter())
        {
            if (!IsInvalidating)
            {
                walked.Remove(notifier);
                notifier.IsWalked = false;
            }
            else if (notifier.IsWalked)
            {
                // Read under the lock: read outside, it could be an idle moment, which no end will change (museum 10).
                deferred.Add(notifier);
                until = sequence;
            }
            else
            {
                deferred.Remove(notifier); // it was never walked, so no callback can be under way
            }
        }

        points?.Reach("remove");
        if (until is { } moment)
        {
            ulong awaited = ReadsSequenceLate ? Volatile.Read(ref sequence) : moment;
            queue.WaitUntil("remove-wait", () => Volatile.Read(ref sequence) != awaited);
        }
    }

    private bool TryInvalidateIntervals(in NotifierRange range)
    {
        int place;
        NotifierSequence moment;
        using (gate.Enter())
        {
            running++;
            place = walked.Find(range.Range, 0);
            if (place >= 0)
            {
                Volatile.Write(ref sequence, sequence | 1);
            }

            moment = new NotifierSequence(sequence);
        }

        // Without the lock: the set is frozen while the sequence is odd (invariant 1).
        while (place >= 0)
        {
            points?.Reach("invalidate");
            IntervalNotifier hit = walked[place];
            if (!hit.Listener.Invalidate(hit, range, moment))
            {
                Check.That(!range.CanBlock, $"a listener of {hit.Range} refused {range.Event} though it may block");
                return false;
            }

            place = walked.Find(range.Range, place + 1);
        }

        return true;
    }

    private void EndIntervals()
    {
        using (gate.Enter())
        {
            running--;
            if (running != 0 || !IsInvalidating)
            {
                return;
            }

            Volatile.Write(ref sequence, sequence + 1);
            foreach (IntervalNotifier notifier in deferred)
            {
                if (notifier.IsWalked)
                {
                    walked.Remove(notifier);
                    notifier.IsWalked = false;
                }
                else
                {
                    Walk(notifier);
                }
            }

            deferred.Clear();
        }

        queue.WakeAll();
    }

    private void Walk(IntervalNotifier notifier)
    {
        walked.Add(notifier);
        notifier.IsWalked = true;
    }
}
