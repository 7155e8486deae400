using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Importers.PciConfig;

/// <summary>What the configuration space of one function says, as far as its bytes were dumped.</summary>
/// <remarks>
/// Pure facts: not responsible for where the bytes came from. A dump of 64 bytes (not read as root) leaves capabilities
/// unknown unless the status register says that there are none; one of 256 bytes leaves extended capabilities unknown.
/// <para><b>Linux:</b> what pci_setup_device, pci_read_bases, set_pcie_port_type and pci_acs_init read (v6.12).</para>
/// <para>Immutable.</para>
/// </remarks>
internal sealed record PciConfigSpace
{
    /// <summary>How many bytes were dumped.</summary>
    internal required int Length { get; init; }

    /// <summary>Every byte is 0xff: the function does not answer (switched off, or gone).</summary>
    internal bool IsGone { get; init; }

    /// <summary>Vendor and device; <see langword="null"/> where they read as 0xffff, as in a virtual function.</summary>
    internal PciId? Id { get; init; }

    /// <summary>Subsystem vendor and device; <see langword="null"/> for bridges and where they are zero.</summary>
    internal PciId? SubsystemId { get; init; }

    /// <summary>The class; <see langword="null"/> where it reads as 0xffffff.</summary>
    internal PciClass? Class { get; init; }

    /// <summary>0 for an endpoint, 1 for a PCI-to-PCI bridge, 2 for a CardBus bridge.</summary>
    internal int HeaderType { get; init; }

    /// <summary>Whether the device has more than one function.</summary>
    internal bool IsMultiFunction { get; init; }

    /// <summary>The BARs that hold anything; sizes only from the resizable-BAR capability.</summary>
    internal IReadOnlyList<PciBar> Bars { get; init; } = [];

    /// <summary>What only a bridge has; <see langword="null"/> for the others.</summary>
    internal PciBridgeHeader? Bridge { get; init; }

    /// <summary>Whether <see cref="Capabilities"/> is the whole list.</summary>
    internal bool AreCapabilitiesKnown { get; init; }

    /// <summary>The conventional list, in its order, as far as known.</summary>
    internal IReadOnlyList<PciCapability> Capabilities { get; init; } = [];

    /// <summary>Whether <see cref="ExtendedCapabilities"/> is the whole list.</summary>
    internal bool AreExtendedCapabilitiesKnown { get; init; }

    /// <summary>The extended list, in its order, as far as known.</summary>
    internal IReadOnlyList<PciCapability> ExtendedCapabilities { get; init; } = [];

    /// <summary>The PCI Express capability; <see langword="null"/> where there is none or nobody knows.</summary>
    internal PciExpressCapability? Express { get; init; }

    /// <summary>Access control services.</summary>
    internal AcsControl Acs { get; init; }

    /// <summary>The entries of the resizable-BAR capability.</summary>
    internal IReadOnlyList<PciResizableBar> ResizableBars { get; init; } = [];

    /// <summary>How many virtual functions it can have; <see langword="null"/> without SR-IOV.</summary>
    internal int? TotalVirtualFunctions { get; init; }

    /// <summary>The CXL capability register; <see langword="null"/> for a function without CXL's DVSEC. Bit 2 says CXL.mem.</summary>
    internal int? CxlCapabilities { get; init; }

    /// <summary>What cannot be; an importer refuses the file for any of it.</summary>
    internal IReadOnlyList<PciConfigDefect> Defects { get; init; } = [];

    /// <summary>What part of the tree the function is; unknown when its capabilities are.</summary>
    internal PciPortType PortType =>
        Express is { } express ? express.PortType
        : !AreCapabilitiesKnown ? PciPortType.Unknown
        : HeaderType == 1 ? PciPortType.ConventionalBridge
        : PciPortType.ConventionalPci;
}
