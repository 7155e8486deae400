namespace Mm.P2pDma.Importers.PciConfig;

/// <summary>Where things are in PCI configuration space.</summary>
/// <remarks><b>Linux:</b> include/uapi/linux/pci_regs.h (v6.12), by the names given at each group.</remarks>
internal static class PciRegisters
{
    /// <summary>The common header, PCI_STD_HEADER_SIZEOF: all that an unprivileged reader gets.</summary>
    internal const int HeaderSize = 0x40;

    /// <summary>Conventional configuration space, PCI_CFG_SPACE_SIZE.</summary>
    internal const int ConventionalSize = 0x100;

    /// <summary>Extended configuration space, PCI_CFG_SPACE_EXP_SIZE.</summary>
    internal const int ExtendedSize = 0x1000;

    // PCI_VENDOR_ID ... PCI_ROM_ADDRESS1, PCI_CB_CAPABILITY_LIST
    internal const int Vendor = 0x00;
    internal const int Device = 0x02;
    internal const int Command = 0x04;
    internal const int Status = 0x06;
    internal const int ClassRevision = 0x08;
    internal const int HeaderType = 0x0e;
    internal const int Bar0 = 0x10;
    internal const int PrimaryBus = 0x18;
    internal const int SecondaryBus = 0x19;
    internal const int SubordinateBus = 0x1a;
    internal const int IoBase = 0x1c;
    internal const int MemoryBase = 0x20;
    internal const int PrefetchableBase = 0x24;
    internal const int PrefetchableBaseUpper = 0x28;
    internal const int PrefetchableLimitUpper = 0x2c;
    internal const int IoBaseUpper = 0x30;
    internal const int SubsystemVendor = 0x2c;
    internal const int SubsystemDevice = 0x2e;
    internal const int Rom = 0x30;
    internal const int CapabilityPointer = 0x34;
    internal const int BridgeRom = 0x38;
    internal const int CardbusCapabilityPointer = 0x14;

    // PCI_COMMAND_IO ... PCI_STATUS_CAP_LIST
    internal const int CommandIo = 0x1;
    internal const int CommandMemory = 0x2;
    internal const int CommandMaster = 0x4;
    internal const int StatusCapabilities = 0x10;
    internal const int MultiFunction = 0x80;

    // PCI_CAP_ID_EXP; PCI_EXT_CAP_ID_*
    internal const int ExpressId = 0x10;
    internal const int AcsId = 0x000d;
    internal const int SriovId = 0x0010;
    internal const int ResizableBarId = 0x0015;
    internal const int DvsecId = 0x0023;
    internal const int CxlVendor = 0x1e98;

    // PCI_EXP_FLAGS ... PCI_EXP_SLTCAP, from the start of the capability
    internal const int ExpressFlags = 0x02;
    internal const int ExpressLinkCapabilities = 0x0c;
    internal const int ExpressLinkStatus = 0x12;
    internal const int ExpressSlotCapabilities = 0x14;

    // PCI_ACS_CAP, PCI_ACS_CTRL, from the start of the capability
    internal const int AcsCapabilities = 0x04;
    internal const int AcsControl = 0x06;
}
