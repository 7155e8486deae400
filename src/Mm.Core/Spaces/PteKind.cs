namespace Mm.Core.Spaces;

/// <summary>What a <see cref="Pte"/> is: nothing, a mapping, or one of the entries that stand where no mapping is.</summary>
/// <remarks><b>Linux:</b> pte_none, pte_present and the swap types of include/linux/swapops.h (v6.12). Real swap is out of scope.</remarks>
internal enum PteKind
{
    /// <summary>Nothing was ever here, or it was zapped.</summary>
    None = 0,

    /// <summary>A frame is mapped, for the CPU to use or, under PROT_NONE, only kept.</summary>
    Present = 1,

    /// <summary>The page is on its way to another frame; who touches it waits.</summary>
    Migration = 2,

    /// <summary>The page lies in a device's private memory; a CPU that touches it brings it back.</summary>
    DevicePrivate = 3,

    /// <summary>The page lies in system memory, and a device alone may use it.</summary>
    DeviceExclusive = 4,

    /// <summary>The frame's memory is broken.</summary>
    HwPoison = 5,

    /// <summary>No page, but something to remember about the place.</summary>
    Marker = 6,

    /// <summary>A lower table. Only above the lowest level; never handed out.</summary>
    Table = 7,
}
