using System.Diagnostics.CodeAnalysis;

namespace Mm.Core.Frames;

/// <summary>What is said of a page besides its counts: the low half of its flags word.</summary>
/// <remarks>
/// <b>Linux:</b> enum pageflags (include/linux/page-flags.h, v6.12). Bit numbers are Mm's own; those that Linux packs
/// upon others to save bits (swap cache, anon-exclusive) have a bit each. PG_head is not here: it is in the count word.
/// <para><c>default</c> is none.</para>
/// </remarks>
[Flags]
public enum PageFlags : uint
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>Somebody holds the page lock.</summary>
    Locked = 1u << 0,

    /// <summary>Its content is being written out.</summary>
    Writeback = 1u << 1,

    /// <summary>Touched since somebody last looked.</summary>
    Referenced = 1u << 2,

    /// <summary>Its content is valid.</summary>
    Uptodate = 1u << 3,

    /// <summary>Its content is newer than what backs it.</summary>
    Dirty = 1u << 4,

    /// <summary>On a reclaim list.</summary>
    Lru = 1u << 5,

    /// <summary>On the active reclaim list.</summary>
    Active = 1u << 6,

    /// <summary>Somebody waits for the lock or for writeback.</summary>
    Waiters = 1u << 7,

    /// <summary>Kept out of the allocator and of everybody's hands.</summary>
    [SuppressMessage("Naming", "CA1700", Justification = "PG_reserved: Linux's noun, not a place kept for later.")]
    Reserved = 1u << 8,

    /// <summary>The private word means something.</summary>
    Private = 1u << 9,

    /// <summary>Backed by swap, not by a file.</summary>
    SwapBacked = 1u << 10,

    /// <summary>Has a swap entry.</summary>
    SwapCache = 1u << 11,

    /// <summary>Cannot be reclaimed.</summary>
    Unevictable = 1u << 12,

    /// <summary>Its memory is known to be broken.</summary>
    HwPoison = 1u << 13,

    /// <summary>This anonymous page belongs to one process alone, so that it may be pinned and written.</summary>
    AnonExclusive = 1u << 14,

    /// <summary>Chosen for reclaim.</summary>
    Reclaim = 1u << 15,

    /// <summary>A folio whose tails have state of their own, which the free path must wipe.</summary>
    HasTailState = 1u << 16,
}
