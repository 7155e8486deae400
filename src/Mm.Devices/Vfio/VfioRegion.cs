namespace Mm.Devices.Vfio;

/// <summary>A part of a device as user space names it.</summary>
/// <remarks><b>Linux:</b> VFIO_PCI_BAR0_REGION_INDEX and its sisters (include/uapi/linux/vfio.h, v6.12), same numbers.</remarks>
public enum VfioRegion
{
    /// <summary>BAR 0.</summary>
    Bar0 = 0,

    /// <summary>BAR 1.</summary>
    Bar1 = 1,

    /// <summary>BAR 2.</summary>
    Bar2 = 2,

    /// <summary>BAR 3.</summary>
    Bar3 = 3,

    /// <summary>BAR 4.</summary>
    Bar4 = 4,

    /// <summary>BAR 5.</summary>
    Bar5 = 5,

    /// <summary>The expansion ROM.</summary>
    Rom = 6,

    /// <summary>The configuration space.</summary>
    Config = 7,

    /// <summary>The VGA addresses.</summary>
    Vga = 8,
}
