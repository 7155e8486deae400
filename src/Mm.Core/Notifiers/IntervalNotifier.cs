namespace Mm.Core.Notifiers;

/// <summary>One subscriber's interval of an address space, and the sequence that tells its stale reads.</summary>
/// <remarks>
/// The protocol: take <see cref="ReadBegin"/>, read page tables without locks, enter the lock under which copies are used,
/// ask <see cref="IsRetryNeeded"/>, and use what was read only if it says no. <see cref="Dispose"/> ends the subscription.
/// <para><b>Linux:</b> struct mmu_interval_notifier (include/linux/mmu_notifier.h, v6.12).</para>
/// <para><b>States:</b> inserted → removed. While an invalidation walks, both changes are deferred to its end.</para>
/// <para><b>Invariants:</b> (1) its own sequence is always odd, so it differs from every idle moment; (2) after
/// <see cref="Dispose"/> returned no callback starts.</para>
/// <para><b>Locking:</b> <see cref="SetSequence"/> and <see cref="IsRetryNeeded"/> under the subscriber's lock, the rest
/// under none.</para>
/// </remarks>
public sealed class IntervalNotifier : IDisposable
{
    private readonly NotifierSubscriptions subscriptions;
    private ulong sequence; // written under the subscriber's lock, or while inserting; read by anybody
    private int isRemoved; // atomic

    internal IntervalNotifier(NotifierSubscriptions subscriptions, VirtRange range, IIntervalListener listener)
    {
        this.subscriptions = subscriptions;
        Range = range;
        Listener = listener;
    }

    /// <summary>The addresses that it follows.</summary>
    public VirtRange Range { get; }

    /// <summary>Whether it was removed.</summary>
    public bool IsRemoved => Volatile.Read(ref isRemoved) != 0;

    internal IIntervalListener Listener { get; }

    /// <summary>Whether it is in the walked set: false while its insertion is deferred. Protected by the subscriptions' lock.</summary>
    internal bool IsWalked { get; set; }

    internal ulong Sequence
    {
        get => Volatile.Read(ref sequence);
        set => Volatile.Write(ref sequence, value);
    }

    /// <summary>Takes a moment before reading page tables; waits while an invalidation of this interval runs.</summary>
    /// <returns>The moment. It may be stale already: <see cref="IsRetryNeeded"/> tells.</returns>
    /// <remarks><b>Linux:</b> mmu_interval_read_begin.</remarks>
    public NotifierSequence ReadBegin() => subscriptions.ReadBegin(this);

    /// <summary>Takes a moment if no invalidation of this interval runs.</summary>
    /// <param name="moment">The moment, or <c>default</c>.</param>
    /// <returns>Whether there was no need to wait.</returns>
    public bool TryReadBegin(out NotifierSequence moment) => subscriptions.TryReadBegin(this, out moment);

    /// <summary>Whether something was invalidated since a moment, so that what was read must be read again.</summary>
    /// <param name="since">A moment of this notifier's <see cref="ReadBegin"/>.</param>
    /// <returns>Whether to retry.</returns>
    /// <remarks><b>Linux:</b> mmu_interval_read_retry.</remarks>
    public bool IsRetryNeeded(NotifierSequence since) => Sequence != since.Value;

    /// <summary>Notes an invalidation, from <see cref="IIntervalListener.Invalidate"/> under the subscriber's lock.</summary>
    /// <param name="moment">The moment that the callback was given.</param>
    /// <exception cref="ArgumentException">The moment does not lie inside an invalidation.</exception>
    /// <remarks><b>Linux:</b> mmu_interval_set_seq.</remarks>
    public void SetSequence(NotifierSequence moment)
    {
        if (!moment.IsInvalidating)
        {
            throw new ArgumentException($"moment must be odd; got {moment.Value}", nameof(moment));
        }

        Sequence = moment.Value;
    }

    /// <summary>Ends the subscription; waits for invalidations that may still call it. Twice does nothing.</summary>
    /// <remarks>Not from a callback: it would wait for itself. <b>Linux:</b> mmu_interval_notifier_remove.</remarks>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref isRemoved, 1) == 0)
        {
            subscriptions.Remove(this);
        }
    }
}
