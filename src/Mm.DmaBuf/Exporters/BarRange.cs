using Mm.Core;

namespace Mm.DmaBuf.Exporters;

/// <summary>A piece of a BAR to be shared.</summary>
/// <remarks>
/// <b>Linux:</b> struct vfio_region_dma_range (v6.19). <c>default</c> is empty, which is refused. Immutable.
/// </remarks>
/// <param name="Offset">Where in the BAR.</param>
/// <param name="Length">How many bytes.</param>
public readonly record struct BarRange(ByteCount Offset, ByteCount Length);
