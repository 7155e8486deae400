namespace Mm.Core.Notifiers;

/// <summary>An invalidation that runs: the CPU's mapping may be changed until it is disposed.</summary>
/// <remarks>
/// <b>Linux:</b> the stretch from mmu_notifier_invalidate_range_start to mmu_notifier_invalidate_range_end (v6.12).
/// <para><c>default</c> is none; disposing it does nothing. Disposed exactly once, by the thread that took it.</para>
/// </remarks>
public readonly ref struct NotifierInvalidation : IDisposable
{
    private readonly NotifierSubscriptions? subscriptions;
    private readonly NotifierRange range;

    internal NotifierInvalidation(NotifierSubscriptions subscriptions, scoped in NotifierRange range)
    {
        this.subscriptions = subscriptions;
        this.range = range;
    }

    /// <summary>Ends the invalidation: readers go on, deferred insertions and removals happen.</summary>
    public void Dispose() => subscriptions?.End(range);
}
