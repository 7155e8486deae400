namespace Mm.Core.Pagemaps;

/// <summary>What a driver does when a page of its page map comes back.</summary>
/// <remarks>
/// <b>Linux:</b> struct dev_pagemap_ops (include/linux/memremap.h, v6.12); memory_failure is out of scope. A method that
/// Linux finds missing is an interface that the object does not implement.
/// <para><b>Locking:</b> called with no lock of Mm held of rank AddressSpace or after, on whichever thread dropped the last reference; may hand pages
/// out, must not throw.</para>
/// </remarks>
public interface IPagemapOps
{
    /// <summary>The last reference of a page is gone, and the page is idle: the driver may hand it out again at once.</summary>
    /// <param name="map">The page map.</param>
    /// <param name="page">The page.</param>
    /// <remarks><b>Linux:</b> page_free (v6.12), which is called just before the page is made idle.</remarks>
    void OnPageFree(Pagemap map, Pfn page);
}
