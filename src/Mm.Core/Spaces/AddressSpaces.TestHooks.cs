namespace Mm.Core.Spaces;

/// <content>Faults of the past that tests put back in, to show that they would be caught.</content>
public sealed partial class AddressSpaces
{
    /// <summary>
    /// Whether a fault on a device's page takes its reference without the page's lock, as Linux did before "mm/migrate:
    /// Trylock device page in do_swap_page" (2025): threads that fault together keep the page from moving (museum 8).
    /// </summary>
    internal bool FaultsShareReferences { get; set; }

    /// <summary>
    /// Whether a pin without the lock trusts entries that a fork write-protects meanwhile, as Linux did before "mm/gup:
    /// prevent gup_fast from racing with COW during fork" (2020): parent and pin part (museum 16).
    /// </summary>
    internal bool FastPinsIgnoreFork { get; set; }

    /// <summary>
    /// Whether a migration trusts a destination that nobody has wholly written, as nouveau did before CVE-2024-50096 was
    /// mended: stale bytes become visible when a copy fails (museum 12).
    /// </summary>
    internal bool TrustsUnwrittenPages { get; set; }
}
