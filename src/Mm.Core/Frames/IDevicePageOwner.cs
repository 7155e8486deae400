namespace Mm.Core.Frames;

/// <summary>Who gets a device's pages back: the page map that they belong to.</summary>
/// <remarks>
/// <b>Linux:</b> dev_pagemap_ops.page_free and the end of free_zone_device_folio (mm/memremap.c, v6.12).
/// <para><b>Locking:</b> called with no lock held, by whichever thread dropped the last reference.</para>
/// </remarks>
internal interface IDevicePageOwner
{
    /// <summary>The last reference of a page is gone.</summary>
    /// <param name="page">The page, or the head of a folio; frozen, and nobody's but the callee's.</param>
    /// <remarks><b>Ensures:</b> the callee ends with <see cref="FrameTable.ReturnDevicePage"/>, once.</remarks>
    void OnLastReference(Pfn page);
}
