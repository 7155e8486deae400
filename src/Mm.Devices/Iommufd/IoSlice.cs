using Mm.Core;

namespace Mm.Devices.Iommufd;

/// <summary>A part of some user pages that is to become an area, on its way there.</summary>
/// <remarks>
/// Owns one reference of the pages until an area takes it over.
/// <para><b>Linux:</b> struct iopt_pages_list (drivers/iommu/iommufd/io_pagetable.c, v6.12).</para>
/// <para><b>Locking:</b> one thread's.</para>
/// </remarks>
/// <param name="pages">The pages; the reference comes along.</param>
/// <param name="startByte">Where in them it begins.</param>
/// <param name="length">How many bytes.</param>
internal sealed class IoSlice(IoPages pages, ByteCount startByte, ByteCount length)
{
    public IoPages Pages { get; } = pages;

    public ByteCount StartByte { get; } = startByte;

    public ByteCount Length { get; } = length;

    /// <summary>The area, once its addresses are taken.</summary>
    public IoArea? Area { get; set; }
}
