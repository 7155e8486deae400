using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Importers.PciConfig;

/// <summary>The PCI Express capability: what part of the tree a function is, and its link.</summary>
/// <remarks><b>Linux:</b> PCI_EXP_FLAGS, PCI_EXP_LNKCAP, PCI_EXP_LNKSTA, PCI_EXP_SLTCAP (v6.12).</remarks>
/// <param name="PortType">What part of the tree; unknown for a code that the specification does not give.</param>
/// <param name="Link">What the link can do and does.</param>
/// <param name="Slot">The physical slot's number; <see langword="null"/> without a slot.</param>
internal readonly record struct PciExpressCapability(PciPortType PortType, PciLink Link, int? Slot);
