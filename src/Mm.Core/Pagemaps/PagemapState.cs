namespace Mm.Core.Pagemaps;

/// <summary>How far the life of a page map has gone; it never goes back.</summary>
/// <remarks><b>Linux:</b> percpu_ref live, killed, and the completion of dev_pagemap::done (v6.12).</remarks>
public enum PagemapState
{
    /// <summary>Found by lookup, hands pages out.</summary>
    Live = 0,

    /// <summary>Unmapped by its owner: found by nobody, hands nothing out, waits for the last reference.</summary>
    Dying = 1,

    /// <summary>The last reference is gone, and the pages have no metadata any more.</summary>
    Dead = 2,
}
