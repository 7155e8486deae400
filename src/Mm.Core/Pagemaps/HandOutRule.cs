namespace Mm.Core.Pagemaps;

/// <summary>How a page of a page map passes from idle to its taker.</summary>
internal enum HandOutRule
{
    /// <summary>Idle pages have no reference: the taker gets the first, and the page locked. <b>Linux:</b> zone_device_page_init.</summary>
    FromZero = 0,

    /// <summary>Idle pages have one reference, and the taker gets that one. <b>Linux:</b> the allocator of p2pmem, v6.12.</summary>
    PassOneOn = 1,

    /// <summary>Idle pages have one reference, which stays; takers add theirs. <b>Linux:</b> FS DAX before v6.15.</summary>
    AddToOne = 2,
}
