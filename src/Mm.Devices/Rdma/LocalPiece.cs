using Mm.Core;

namespace Mm.Devices.Rdma;

/// <summary>A piece of memory of the own device, as work names it.</summary>
/// <remarks><b>Linux:</b> struct ib_sge (v6.12). Immutable.</remarks>
/// <param name="Address">The first address, in the region's own terms.</param>
/// <param name="Length">How many bytes.</param>
/// <param name="Key">The region.</param>
public readonly record struct LocalPiece(VirtAddr Address, ByteCount Length, RegionKey Key);
