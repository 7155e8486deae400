namespace Mm.Core.PhysRanges;

/// <summary>How a client's DMA reaches a provider's memory.</summary>
/// <remarks><b>Linux:</b> enum pci_p2pdma_map_type (v6.12; <see cref="NotPeer"/> is PCI_P2PDMA_MAP_NONE of v6.19).</remarks>
public enum P2pMapKind
{
    /// <summary>Not decided yet. <b>Linux:</b> PCI_P2PDMA_MAP_UNKNOWN.</summary>
    Unknown = 0,

    /// <summary>Not peer memory: map it as RAM. <b>Linux:</b> PCI_P2PDMA_MAP_NONE (v6.19).</summary>
    NotPeer = 1,

    /// <summary>No path, or none that is known to work: mapping answers EREMOTEIO. <b>Linux:</b> PCI_P2PDMA_MAP_NOT_SUPPORTED.</summary>
    NotSupported = 2,

    /// <summary>Direct, by the provider's own bus address, with no IOMMU in between. <b>Linux:</b> PCI_P2PDMA_MAP_BUS_ADDR.</summary>
    BusAddress = 3,

    /// <summary>Up through the host bridge, mapped as RAM is. <b>Linux:</b> PCI_P2PDMA_MAP_THRU_HOST_BRIDGE.</summary>
    ThroughHostBridge = 4,
}
