using System.Collections.Frozen;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Importers.Lspci;

/// <summary>The class names that <c>lspci</c> prints where it is not asked for numbers, with their codes.</summary>
/// <remarks>The common ones; a name that is not here leaves the class unknown. Vendor and device names are not turned into numbers.</remarks>
internal static class LspciClassNames
{
    private static readonly FrozenDictionary<string, uint> Codes = new Dictionary<string, uint>
    {
        ["Non-VGA unclassified device"] = 0x0000,
        ["VGA compatible unclassified device"] = 0x0001,
        ["SCSI storage controller"] = 0x0100,
        ["IDE interface"] = 0x0101,
        ["RAID bus controller"] = 0x0104,
        ["SATA controller"] = 0x0106,
        ["Serial Attached SCSI controller"] = 0x0107,
        ["Non-Volatile memory controller"] = 0x0108,
        ["Universal Flash Storage controller"] = 0x0109,
        ["Mass storage controller"] = 0x0180,
        ["Ethernet controller"] = 0x0200,
        ["Fabric controller"] = 0x0208,
        ["Infiniband controller"] = 0x0207,
        ["InfiniBand controller"] = 0x0207,
        ["Network controller"] = 0x0280,
        ["VGA compatible controller"] = 0x0300,
        ["XGA compatible controller"] = 0x0301,
        ["3D controller"] = 0x0302,
        ["Display controller"] = 0x0380,
        ["Multimedia video controller"] = 0x0400,
        ["Multimedia audio controller"] = 0x0401,
        ["Audio device"] = 0x0403,
        ["Multimedia controller"] = 0x0480,
        ["RAM memory"] = 0x0500,
        ["FLASH memory"] = 0x0501,
        ["CXL"] = 0x0502,
        ["Memory controller"] = 0x0580,
        ["Host bridge"] = 0x0600,
        ["ISA bridge"] = 0x0601,
        ["EISA bridge"] = 0x0602,
        ["PCI bridge"] = 0x0604,
        ["CardBus bridge"] = 0x0607,
        ["Semi-transparent PCI-to-PCI bridge"] = 0x0609,
        ["InfiniBand to PCI host bridge"] = 0x060a,
        ["Bridge"] = 0x0680,
        ["Serial controller"] = 0x0700,
        ["Parallel controller"] = 0x0701,
        ["Communication controller"] = 0x0780,
        ["PIC"] = 0x0800,
        ["DMA controller"] = 0x0801,
        ["Timer"] = 0x0802,
        ["RTC"] = 0x0803,
        ["PCI Hot-plug controller"] = 0x0804,
        ["SD Host controller"] = 0x0805,
        ["IOMMU"] = 0x0806,
        ["System peripheral"] = 0x0880,
        ["Co-processor"] = 0x0b40,
        ["FireWire (IEEE 1394)"] = 0x0c00,
        ["USB controller"] = 0x0c03,
        ["Fibre Channel"] = 0x0c04,
        ["SMBus"] = 0x0c05,
        ["InfiniBand"] = 0x0c06,
        ["IPMI Interface"] = 0x0c07,
        ["Encryption controller"] = 0x1080,
        ["Network and computing encryption device"] = 0x1000,
        ["Performance counters"] = 0x1101,
        ["Signal processing controller"] = 0x1180,
        ["Processing accelerators"] = 0x1200,
        ["Non-Essential Instrumentation"] = 0x1300,
        ["Unassigned class"] = 0xff00,
    }.ToFrozenDictionary();

    /// <summary>Finds the code of a name.</summary>
    /// <param name="name">The name, as printed before the colon.</param>
    /// <param name="value">The class, its programming interface 0, or <c>default</c>.</param>
    /// <returns>Whether the name is known.</returns>
    internal static bool TryGet(string name, out PciClass value)
    {
        bool isKnown = Codes.TryGetValue(name, out uint code);
        value = new PciClass(code << 8);
        return isKnown;
    }
}
