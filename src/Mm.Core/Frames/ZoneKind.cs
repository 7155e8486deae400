namespace Mm.Core.Frames;

/// <summary>The part of a node's memory that a frame is in.</summary>
/// <remarks>
/// <b>Linux:</b> enum zone_type (include/linux/mmzone.h, v6.12), without ZONE_DMA and ZONE_HIGHMEM.
/// <para><c>default</c> is <see cref="Dma32"/>.</para>
/// </remarks>
public enum ZoneKind
{
    /// <summary>RAM below 4 GiB.</summary>
    Dma32 = 0,

    /// <summary>RAM above 4 GiB.</summary>
    Normal = 1,

    /// <summary>RAM for pages that can be moved, so that it can be emptied. Never pinned for long.</summary>
    Movable = 2,

    /// <summary>Device memory with page descriptors. Nothing is ever allocated from it by the page allocator.</summary>
    Device = 3,
}
