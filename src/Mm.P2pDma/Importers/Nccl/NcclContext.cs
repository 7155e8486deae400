using Mm.Core;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Importers.Nccl;

/// <summary>Where a <c>pci</c> element of an NCCL file hangs. Immutable.</summary>
/// <param name="Host">The host.</param>
/// <param name="Node">The NUMA node of the <c>cpu</c> around; none where it does not say.</param>
/// <param name="Above">The <c>pci</c> element around; null right below the <c>cpu</c>.</param>
internal sealed record NcclContext(HostId Host, NodeId Node, PciFunction? Above);
