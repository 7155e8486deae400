namespace Mm.Core.Notifiers;

/// <content>Faults of the past that tests put back in, to show that they would be caught.</content>
public sealed partial class NotifierSubscriptions
{
    /// <summary>
    /// Whether a removal reads the sequence that it waits for outside the lock, as Linux did before "mm/mmu_notifier.c: fix
    /// race in mmu_interval_notifier_remove()" (2022): it may then wait for an invalidation that never comes.
    /// </summary>
    internal bool ReadsSequenceLate { get; init; }
}
