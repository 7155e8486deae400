namespace Mm.Core;

/// <summary>What lies at a range of physical addresses.</summary>
/// <remarks><b>Linux:</b> the entries of /proc/iomem: "System RAM", "Reserved", and a device's resources (v6.12).</remarks>
public enum AddressRegionKind
{
    /// <summary>RAM on a NUMA node: has frames, bytes and a CPU address. <b>Linux:</b> IORESOURCE_SYSTEM_RAM.</summary>
    Ram = 0,

    /// <summary>A hole that firmware keeps: no frames, no bytes, nobody may use it. <b>Linux:</b> E820_TYPE_RESERVED.</summary>
    Hole = 1,

    /// <summary>A window of a device, as a BAR: bytes behind a CPU address, no frames unless a page map adds them. <b>Linux:</b> IORESOURCE_MEM.</summary>
    DeviceWindow = 2,

    /// <summary>
    /// Addresses that stand for a device's private memory: taken from unused address space so that the memory can have
    /// frames, but no CPU access leads there. <b>Linux:</b> IORES_DESC_DEVICE_PRIVATE_MEMORY, from request_free_mem_region.
    /// </summary>
    DevicePrivate = 3,
}
