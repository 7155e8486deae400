namespace Mm.Core.Notifiers;

/// <summary>A moment in the life of an interval notifier: taken before reading page tables, compared before using what was read.</summary>
/// <remarks>
/// Even values are idle moments, odd ones lie inside an invalidation that somebody subscribed to.
/// <para><b>Linux:</b> the unsigned long of mmu_interval_read_begin (v6.12). <c>default</c> is before all time. Immutable.</para>
/// </remarks>
/// <param name="Value">The counter.</param>
public readonly record struct NotifierSequence(ulong Value)
{
    /// <summary>Whether the moment lies inside an invalidation.</summary>
    public bool IsInvalidating => (Value & 1) != 0;
}
