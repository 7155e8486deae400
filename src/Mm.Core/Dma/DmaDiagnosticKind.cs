namespace Mm.Core.Dma;

/// <summary>What a driver does wrong with a mapping although nothing refuses it.</summary>
/// <remarks><b>Linux:</b> the err_printk texts of kernel/dma/debug.c (v6.12).</remarks>
public enum DmaDiagnosticKind
{
    /// <summary>A mapping was given back twice.</summary>
    DoubleUnmap = 0,

    /// <summary>A device went away with a mapping still live.</summary>
    OutstandingAtDetach = 1,

    /// <summary>Two live mappings let a device write the same cache line of RAM.</summary>
    OverlappingMappings = 2,

    /// <summary>A sync names bytes that the mapping does not have.</summary>
    SyncOutsideMapping = 3,

    /// <summary>A device touched bytes while the CPU owned them.</summary>
    AccessWhileCpuOwns = 4,

    /// <summary>
    /// A device reached bytes of a mapped page that belong to no live mapping: the IOMMU's granule let it through.
    /// </summary>
    AccessOutsideMapping = 5,
}
