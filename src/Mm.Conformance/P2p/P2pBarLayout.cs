using Mm.Core;
using Mm.P2pDma.Topologies;

namespace Mm.Conformance.P2p;

/// <summary>The BAR that a block of a recording is about.</summary>
/// <remarks>Immutable.</remarks>
/// <param name="Device">The function.</param>
/// <param name="Bar">The BAR's index.</param>
/// <param name="Length">Its length.</param>
/// <param name="IsAligned">Whether it starts on a granule of 2 MiB.</param>
internal sealed record P2pBarLayout(PciFunction Device, int Bar, ByteCount Length, bool IsAligned);
