using Mm.Core;

namespace Mm.Devices.Iommufd;

/// <summary>What an I/O page table can do.</summary>
/// <remarks>
/// <para><b>Linux:</b> iommu_domain::geometry and pgsize_bitmap, IOMMU_HWPT_ALLOC_DIRTY_TRACKING (v6.12).</para>
/// <para>Immutable. The defaults are the kernel's mock domain: <c>[0x1000000, 0x80000000)</c>, pages of 2 KiB.</para>
/// </remarks>
public sealed record IoDomainOptions
{
    /// <summary>The addresses it can translate.</summary>
    public IoRange Aperture { get; init; } = new(new DmaAddr(0x100_0000), new DmaAddr(0x7fff_ffff));

    /// <summary>Its I/O pages: a power of two from 512 bytes to 4 KiB.</summary>
    public ByteCount PageBytes { get; init; } = ByteCount.FromKiB(2);

    /// <summary>Its large I/O pages: a power of two above <see cref="PageBytes"/>; none where zero.</summary>
    public ByteCount LargePageBytes { get; init; }

    /// <summary>Whether it can tell which pages a device wrote to.</summary>
    public bool CanTrackDirty { get; init; }
}
