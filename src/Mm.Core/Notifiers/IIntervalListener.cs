namespace Mm.Core.Notifiers;

/// <summary>What a mirror does when a part of its interval is invalidated: drop its copies before the CPU's mapping changes.</summary>
/// <remarks>
/// <b>Linux:</b> struct mmu_interval_notifier_ops (v6.12).
/// <para><b>Locking:</b> called with no lock of the notifiers held, perhaps with the address space's lock held, from
/// any thread, and by several invalidations at once. It may not remove its own notifier.</para>
/// </remarks>
public interface IIntervalListener
{
    /// <summary>Drops what was copied from the range.</summary>
    /// <remarks>
    /// <b>Requires</b> of the implementation: it takes the lock under which it uses its copies, calls
    /// <see cref="IntervalNotifier.SetSequence"/> with <paramref name="sequence"/> under it, and drops the copies.
    /// </remarks>
    /// <param name="notifier">The subscription that is hit.</param>
    /// <param name="range">What is invalidated, and why.</param>
    /// <param name="sequence">The moment to set.</param>
    /// <returns>False when it would have to wait and <see cref="NotifierRange.CanBlock"/> is not set; otherwise true.</returns>
    bool Invalidate(IntervalNotifier notifier, in NotifierRange range, NotifierSequence sequence);
}
