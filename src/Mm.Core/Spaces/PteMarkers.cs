namespace Mm.Core.Spaces;

/// <summary>What a marker entry remembers.</summary>
/// <remarks><b>Linux:</b> pte_marker, PTE_MARKER_UFFD_WP and PTE_MARKER_POISONED (v6.12).</remarks>
[Flags]
internal enum PteMarkers
{
    /// <summary>Nothing; no entry carries this.</summary>
    None = 0,

    /// <summary>A write is to be told to the process's own fault handler.</summary>
    WriteProtected = 1,

    /// <summary>An access finds poison: SIGBUS.</summary>
    Poisoned = 2,
}
