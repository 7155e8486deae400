namespace Mm.Core.Notifiers;

/// <summary>Why a part of an address space is invalidated.</summary>
/// <remarks><b>Linux:</b> enum mmu_notifier_event (v6.12).</remarks>
public enum NotifierEvent
{
    /// <summary>The mapping goes: munmap, or mremap away. <b>Linux:</b> MMU_NOTIFY_UNMAP.</summary>
    Unmap = 0,

    /// <summary>Entries are cleared, the area stays: a page moves, is discarded or copied. <b>Linux:</b> MMU_NOTIFY_CLEAR.</summary>
    Clear,

    /// <summary>The area's protection changes. <b>Linux:</b> MMU_NOTIFY_PROTECTION_VMA.</summary>
    ProtectionArea,

    /// <summary>The protection of pages changes, the area's does not: write-protection for fork. <b>Linux:</b> MMU_NOTIFY_PROTECTION_PAGE.</summary>
    ProtectionPage,

    /// <summary>Dirty tracking only. <b>Linux:</b> MMU_NOTIFY_SOFT_DIRTY.</summary>
    SoftDirty,

    /// <summary>The address space ends. <b>Linux:</b> MMU_NOTIFY_RELEASE.</summary>
    Release,

    /// <summary>A device driver migrates pages; the event carries its owner. <b>Linux:</b> MMU_NOTIFY_MIGRATE.</summary>
    Migrate,

    /// <summary>A device takes pages for its exclusive use, or loses them; the event carries its owner. <b>Linux:</b> MMU_NOTIFY_EXCLUSIVE.</summary>
    Exclusive,
}
