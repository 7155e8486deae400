namespace Mm.P2pDma.Topologies;

/// <summary>What part of the tree a function is.</summary>
/// <remarks><b>Linux:</b> pci_pcie_type, PCI_EXP_TYPE_* (include/uapi/linux/pci_regs.h, v6.12), plus what is no PCI Express.</remarks>
public enum PciPortType
{
    /// <summary>The source does not say.</summary>
    Unknown = 0,

    /// <summary>A PCI Express endpoint. <b>Linux:</b> PCI_EXP_TYPE_ENDPOINT.</summary>
    Endpoint,

    /// <summary>A legacy PCI Express endpoint. <b>Linux:</b> PCI_EXP_TYPE_LEG_END.</summary>
    LegacyEndpoint,

    /// <summary>A port of the root complex. <b>Linux:</b> PCI_EXP_TYPE_ROOT_PORT.</summary>
    RootPort,

    /// <summary>The port of a switch towards the root. <b>Linux:</b> PCI_EXP_TYPE_UPSTREAM.</summary>
    SwitchUpstream,

    /// <summary>A port of a switch away from the root. <b>Linux:</b> PCI_EXP_TYPE_DOWNSTREAM.</summary>
    SwitchDownstream,

    /// <summary>A bridge from PCI Express to conventional PCI below. <b>Linux:</b> PCI_EXP_TYPE_PCI_BRIDGE.</summary>
    PcieToPciBridge,

    /// <summary>A bridge from conventional PCI to PCI Express below. <b>Linux:</b> PCI_EXP_TYPE_PCIE_BRIDGE.</summary>
    PciToPcieBridge,

    /// <summary>An endpoint inside the root complex. <b>Linux:</b> PCI_EXP_TYPE_RC_END.</summary>
    RootComplexEndpoint,

    /// <summary>An event collector of the root complex. <b>Linux:</b> PCI_EXP_TYPE_RC_EC.</summary>
    RootComplexEventCollector,

    /// <summary>A conventional PCI function: no PCI Express capability, no bridge.</summary>
    ConventionalPci,

    /// <summary>A conventional PCI-to-PCI bridge: no PCI Express capability.</summary>
    ConventionalBridge,

    /// <summary>A made-up bridge that stands for a whole switch, with an address of no real function (NCCL's <c>ffff:ff:01.0</c>).</summary>
    VirtualSwitch,
}
