namespace Mm.Core.Dma;

/// <summary>Why a device's access did not go through.</summary>
public enum DmaFaultKind
{
    /// <summary>It did.</summary>
    None = 0,

    /// <summary>Nothing is mapped at the address. <b>Linux:</b> an IO_PAGE_FAULT report of the IOMMU.</summary>
    NotMapped = 1,

    /// <summary>The mapping lets the device write only.</summary>
    ReadDenied = 2,

    /// <summary>The mapping lets the device read only.</summary>
    WriteDenied = 3,

    /// <summary>What the mapping rests on is gone: the provider, the path or the device changed since.</summary>
    Stale = 4,

    /// <summary>The address leads to no memory: an unsupported request on the bus.</summary>
    NoTarget = 5,
}
