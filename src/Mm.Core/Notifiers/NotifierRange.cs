namespace Mm.Core.Notifiers;

/// <summary>What is invalidated, why, by whom, and whether the callbacks may block.</summary>
/// <remarks>
/// <b>Linux:</b> struct mmu_notifier_range (v6.12).
/// <para>Immutable. <c>default</c> is an empty unmap that may not block.</para>
/// </remarks>
/// <param name="Range">The addresses.</param>
/// <param name="Event">Why.</param>
public readonly record struct NotifierRange(VirtRange Range, NotifierEvent Event)
{
    /// <summary>
    /// Who started it, for <see cref="NotifierEvent.Migrate"/> and <see cref="NotifierEvent.Exclusive"/>: the subscriber,
    /// not the core, compares it and ignores its own. <see langword="null"/> for everybody.
    /// </summary>
    public object? Owner { get; init; }

    /// <summary>Whether callbacks may wait; if not, they may refuse instead.</summary>
    public bool CanBlock { get; init; }
}
