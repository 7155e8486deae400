using Mm.Core;

namespace Mm.Devices.Iommufd;

/// <summary>What room is looked for: so many bytes, on an alignment, at an offset in a page.</summary>
/// <remarks><b>Linux:</b> __alloc_iova_check_range (drivers/iommu/iommufd/io_pagetable.c, v6.12). Immutable.</remarks>
/// <param name="Length">How many bytes.</param>
/// <param name="Alignment">A power of two.</param>
/// <param name="Offset">The offset, below a page.</param>
internal readonly record struct IoSearch(ulong Length, ulong Alignment, ulong Offset)
{
    /// <summary>The lowest place in a range. The range's last byte alone is no place, as in Linux.</summary>
    public bool TryFit(IoRange range, out DmaAddr first)
    {
        first = default;
        ulong start = range.First.Value;
        if (Alignment - 1 > ulong.MaxValue - start)
        {
            return false;
        }

        start = ((start + (Alignment - 1)) & ~(Alignment - 1)) | Offset;
        ulong last = range.Last.Value;
        if (start >= last || last - start < Length - 1)
        {
            return false;
        }

        first = new DmaAddr(start);
        return true;
    }
}
