namespace Mm.Core.Pagemaps;

/// <summary>What sort of device memory a page map describes, and with it the rules that its pages follow.</summary>
/// <remarks><b>Linux:</b> enum memory_type (include/linux/memremap.h, v6.12), with its numbers.</remarks>
public enum PagemapKind
{
    /// <summary>Forgotten: no legal kind. <b>Linux:</b> 0 is kept free for the same reason.</summary>
    Unset = 0,

    /// <summary>The device's own memory, which no CPU can address. <b>Linux:</b> MEMORY_DEVICE_PRIVATE.</summary>
    DevicePrivate = 1,

    /// <summary>The device's memory, which CPUs address coherently. <b>Linux:</b> MEMORY_DEVICE_COHERENT.</summary>
    DeviceCoherent = 2,

    /// <summary>Persistent memory below a file system that maps it directly. <b>Linux:</b> MEMORY_DEVICE_FS_DAX.</summary>
    FsDax = 3,

    /// <summary>Memory that a character device maps directly. <b>Linux:</b> MEMORY_DEVICE_GENERIC.</summary>
    Generic = 4,

    /// <summary>A BAR, or a piece of one, for peer-to-peer DMA. <b>Linux:</b> MEMORY_DEVICE_PCI_P2PDMA.</summary>
    PciP2pDma = 5,
}
