using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Importers.Hwloc;

/// <summary>What hwloc's <c>pci_type</c> tells of a function.</summary>
/// <param name="Class">The class; null where the attribute is absent.</param>
/// <param name="Id">Vendor and device; null where not told.</param>
/// <param name="Subsystem">Subsystem vendor and device; null where not told.</param>
internal readonly record struct HwlocIdentity(PciClass? Class, PciId? Id, PciId? Subsystem);
