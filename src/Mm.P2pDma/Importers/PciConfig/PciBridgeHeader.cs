using Mm.Core;

namespace Mm.P2pDma.Importers.PciConfig;

/// <summary>What the header of a PCI-to-PCI bridge says: its buses, and the windows that it forwards downwards.</summary>
/// <remarks><b>Linux:</b> pci_read_bridge_bases (drivers/pci/probe.c, v6.12). A window that is switched off (base above limit) is <see langword="null"/>.</remarks>
/// <param name="Primary">The bus above.</param>
/// <param name="Secondary">The bus right below; 0 where firmware set none.</param>
/// <param name="Subordinate">The highest bus below.</param>
internal sealed record PciBridgeHeader(byte Primary, byte Secondary, byte Subordinate)
{
    /// <summary>The I/O ports that it forwards.</summary>
    internal PhysRange? Io { get; init; }

    /// <summary>The memory that it forwards, below 4 GiB.</summary>
    internal PhysRange? Memory { get; init; }

    /// <summary>The prefetchable memory that it forwards.</summary>
    internal PhysRange? Prefetchable { get; init; }
}
