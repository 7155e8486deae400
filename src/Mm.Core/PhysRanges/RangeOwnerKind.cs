namespace Mm.Core.PhysRanges;

/// <summary>What kind of memory an owner's bytes are; ranges of different kinds never merge.</summary>
/// <remarks><b>Linux:</b> what is_zone_device_page(), is_pci_p2pdma_page() and the absence of a struct page say (v6.12).</remarks>
public enum RangeOwnerKind
{
    /// <summary>RAM: has page descriptors and a CPU address.</summary>
    Ram = 0,

    /// <summary>A ZONE_DEVICE page map that is no peer memory: PRIVATE, COHERENT, FS_DAX, GENERIC.</summary>
    Pagemap = 1,

    /// <summary>A ZONE_DEVICE page map of peer memory: PCI_P2PDMA. Has a provider.</summary>
    PeerPagemap = 2,

    /// <summary>Peer memory without page descriptors: an aperture known by its provider alone.</summary>
    Provider = 3,

    /// <summary>A device's registers or memory that has neither page descriptors nor a provider.</summary>
    DeviceWindow = 4,
}
