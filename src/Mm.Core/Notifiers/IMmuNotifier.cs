namespace Mm.Core.Notifiers;

/// <summary>A listener to every invalidation of an address space, wherever it is.</summary>
/// <remarks>
/// Who follows only a part takes an <see cref="IntervalNotifier"/>, which also tells stale reads.
/// <para><b>Linux:</b> struct mmu_notifier with its ops (v6.12).</para>
/// <para><b>Locking:</b> called with no lock of the notifiers held, perhaps with the address space's lock held, from any
/// thread.</para>
/// </remarks>
public interface IMmuNotifier
{
    /// <summary>Which calls it wants. Constant.</summary>
    MmuNotifierOps Ops { get; }

    /// <summary>An invalidation starts: no copy of the range may be made until its end.</summary>
    /// <param name="range">What is invalidated, and why.</param>
    /// <returns>
    /// <see cref="Errno.EAGAIN"/>: it would have to wait and may not. Who answers so wants no
    /// <see cref="MmuNotifierOps.End"/>, since nobody tells it whose start failed. Nothing else is legal.
    /// </returns>
    Errno OnStart(in NotifierRange range);

    /// <summary>The invalidation is over.</summary>
    /// <param name="range">What was invalidated.</param>
    void OnEnd(in NotifierRange range);

    /// <summary>Translations of the range are flushed.</summary>
    /// <param name="range">The addresses.</param>
    void OnSecondaryTlbFlush(VirtRange range);

    /// <summary>The address space ends, or the notifier is unregistered: no copy may be used any more.</summary>
    void OnRelease();
}
