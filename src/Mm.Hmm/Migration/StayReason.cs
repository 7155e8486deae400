namespace Mm.Hmm.Migration;

/// <summary>Why a page did not migrate.</summary>
/// <remarks>Linux skips pages in silence; the places that do are named at each value (mm/migrate_device.c, v6.12).</remarks>
public enum StayReason
{
    /// <summary>It did, or will.</summary>
    None = 0,

    /// <summary>Nothing is there, and the area is a file's: only anonymous memory is allocated on a device.</summary>
    HoleOfFile,

    /// <summary>It is not of the kind selected, or another owner's.</summary>
    NotSelected,

    /// <summary>It has no struct page, or belongs to nobody.</summary>
    NotNormal,

    /// <summary>It is on its way already, or a device's alone.</summary>
    Elsewhere,

    /// <summary>It is part of a larger page that could not be broken up: somebody holds it.</summary>
    PartOfLarge,

    /// <summary>Somebody has its lock.</summary>
    Locked,

    /// <summary>It may be pinned for DMA.</summary>
    Pinned,

    /// <summary>Somebody else has it off the reclaim list.</summary>
    Isolated,

    /// <summary>It is mapped elsewhere in a way that could not be undone, or held by a reference.</summary>
    InUse,

    /// <summary>The caller gave no destination.</summary>
    NoDestination,

    /// <summary>The destination was never wholly written.</summary>
    NotWritten,

    /// <summary>It is a file's page: only anonymous memory goes to a device.</summary>
    OfFile,

    /// <summary>A CPU was faster to fill the hole, or there was no memory for a table.</summary>
    HoleFilled,
}
