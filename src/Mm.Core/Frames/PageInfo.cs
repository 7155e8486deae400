namespace Mm.Core.Frames;

/// <summary>What is known of one page at one instant: a copy, for looking and printing.</summary>
/// <remarks>
/// Holds no reference, so it may be out of date when it is read.
/// <para><b>Linux:</b> dump_page and /proc/kpageflags, /proc/kpagecount (v6.12).</para>
/// <para><c>default</c> describes no page. Immutable.</para>
/// </remarks>
/// <param name="Page">The page that was asked about.</param>
/// <param name="Head">The first page of its block: itself, unless it is a tail.</param>
/// <param name="Order">The order of the block.</param>
/// <param name="State">Who answers for it.</param>
/// <param name="IsCompound">Whether the block is a folio of order 1 or more.</param>
/// <param name="References">References of the block; a pin of a page of order 0 is 1024 of them.</param>
/// <param name="Pins">Pins that are counted apart, as folios of order 1 or more do; 0 on others.</param>
/// <param name="MaybePinned">Whether somebody may do DMA to it; on a page of order 0 also when it has 1024 plain references.</param>
/// <param name="MapCount">How many page-table entries map it.</param>
/// <param name="Flags">Its flags.</param>
/// <param name="Node">Its node.</param>
/// <param name="Zone">Its zone.</param>
/// <param name="IsDevice">Whether it belongs to a page map.</param>
public readonly record struct PageInfo(
    Pfn Page,
    Pfn Head,
    int Order,
    PageState State,
    bool IsCompound,
    uint References,
    uint Pins,
    bool MaybePinned,
    uint MapCount,
    PageFlags Flags,
    NodeId Node,
    ZoneKind Zone,
    bool IsDevice)
{
    /// <summary>Whether it is a page of a folio other than the first.</summary>
    public bool IsTail => Page != Head;
}
