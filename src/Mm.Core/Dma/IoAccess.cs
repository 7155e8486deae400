namespace Mm.Core.Dma;

/// <summary>What a device may do through an entry of an I/O page table.</summary>
/// <remarks><b>Linux:</b> IOMMU_READ, IOMMU_WRITE (v6.12), same numbers.</remarks>
[Flags]
public enum IoAccess
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>The device may read.</summary>
    Read = 1,

    /// <summary>The device may write.</summary>
    Write = 2,

    /// <summary>Both.</summary>
    ReadWrite = Read | Write,
}
