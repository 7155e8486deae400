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

    /// <summary>
    /// Whether a fault that finds a device's page locked looks again at once, as Linux did before "mm: Fix a hmm_range_fault()
    /// livelock / starvation problem" (2026): it keeps whoever has the lock from going on (museum 9).
    /// </summary>
    internal bool FaultsSpinOnLocks { get; set; }

    /// <summary>
    /// Whether a page that a migration is about to free is put on the reclaim list first, as Linux did before "mm/migrate_device:
    /// don't add folio to be freed to LRU in migrate_device_finalize()" (2025): it is on a list, and nobody's (museum 14).
    /// </summary>
    internal bool ListsPagesThatGo { get; set; }

    /// <summary>
    /// Whether a long-term pin of a page that may not stay, and that somebody else has off the reclaim list, is tried again and again,
    /// as Linux did before "mm: gup: fix infinite loop within __get_longterm_locked" (2025), and does since that was reverted (museum 15).
    /// </summary>
    internal bool LongTermPinsSpin { get; set; }

    /// <summary>
    /// Whether such a page is pinned where it lies, as Linux did between that change and its revert: memory that must be able to go
    /// is held for long (museum 15).
    /// </summary>
    internal bool LongTermPinsTrustUnlisted { get; set; }
}
