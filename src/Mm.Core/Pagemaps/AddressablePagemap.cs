using Mm.Core.Native;

namespace Mm.Core.Pagemaps;

/// <summary>A page map of memory that CPUs address: coherent device memory, persistent memory, a BAR.</summary>
/// <remarks>
/// <b>Linux:</b> dev_pagemap of every type but MEMORY_DEVICE_PRIVATE, with its part of the linear map (v6.12).
/// <para>States, invariants and locking: <see cref="Pagemap"/>.</para>
/// </remarks>
public sealed class AddressablePagemap : Pagemap
{
    private readonly PhysicalBytes bytes;

    internal AddressablePagemap(PagemapRequest request, ushort index, PagemapParts parts)
        : base(request, index, parts) => bytes = parts.Bytes;

    /// <summary>Borrows the bytes of a page, as a CPU sees them.</summary>
    /// <param name="page">A page of this map.</param>
    /// <param name="lease">The bytes, or none when refused; the caller disposes it.</param>
    /// <returns><see cref="Errno.ENXIO"/>: the window behind the map is gone, or there never was one.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The page is not in the map.</exception>
    public Errno TryLease(Pfn page, out SpanLease lease)
    {
        ThrowUnlessMine(page);
        return bytes.TryLease(new PhysRange(page.Address, PageSize.Small.Bytes), out lease);
    }
}
