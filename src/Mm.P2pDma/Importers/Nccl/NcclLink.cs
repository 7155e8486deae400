using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Importers.Nccl;

/// <summary>A link whose other end may come later in the file.</summary>
/// <param name="Kind">What kind.</param>
/// <param name="From">The GPU that tells it.</param>
/// <param name="Target">The other end; null where the file says only that it is some switch.</param>
/// <param name="Count">How many side by side, where told.</param>
internal readonly record struct NcclLink(InterconnectKind Kind, PciPlace From, PciAddress? Target, int? Count);
