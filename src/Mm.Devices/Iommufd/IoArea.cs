using Mm.Core;
using Mm.Core.Dma;

namespace Mm.Devices.Iommufd;

/// <summary>One mapping of a space: a range of I/O addresses, and the slice of user pages behind it.</summary>
/// <remarks>
/// <para><b>Linux:</b> struct iopt_area (drivers/iommu/iommufd/io_pagetable.h, v6.12).</para>
/// <para><b>Invariants:</b> (1) without pages it is being made or taken away, and nobody but who does so touches it;
/// (2) it is filled exactly if it has pages and its space has a domain.</para>
/// <para><b>Locking:</b> the list of areas and <see cref="Pages"/>: rank IoSpaceAreas; <see cref="IsFilled"/> and
/// <see cref="AccessCount"/>: rank IoSpacePages of its pages, the latter changed with both held.</para>
/// </remarks>
internal sealed class IoArea
{
    private const ulong PageBytes = 4096;

    /// <summary>Makes an area without pages.</summary>
    /// <param name="range">Its I/O addresses.</param>
    /// <param name="startByte">Where in the pages it begins.</param>
    /// <param name="access">What devices may do.</param>
    public IoArea(IoRange range, ByteCount startByte, IoAccess access)
    {
        Range = range;
        Access = access;
        PageOffset = startByte.Value % PageBytes;
        FirstIndex = startByte.Value / PageBytes;
        LastIndex = (startByte.Value + (range.Last.Value - range.First.Value)) / PageBytes;
    }

    public IoRange Range { get; }

    public IoAccess Access { get; }

    /// <summary>How many bytes into its first page it begins.</summary>
    public ulong PageOffset { get; }

    public ulong FirstIndex { get; }

    public ulong LastIndex { get; }

    public IoPages? Pages { get; set; }

    /// <summary>Whether domains hold its pages.</summary>
    public bool IsFilled { get; set; }

    /// <summary>Whether it is about to be unmapped, so that no access may begin.</summary>
    public bool RefusesAccess { get; set; }

    public int AccessCount { get; set; }

    /// <summary>Where in the pages an I/O address lies.</summary>
    public ByteCount StartByte(DmaAddr address) =>
        new((address.Value - Range.First.Value) + PageOffset + (FirstIndex * PageBytes));

    public ulong IndexOf(DmaAddr address) => StartByte(address).Value / PageBytes;

    /// <summary>The first I/O address of a page that is the area's.</summary>
    public DmaAddr AddressOf(ulong index) => index == FirstIndex
        ? Range.First
        : new DmaAddr(Range.First.Value + (((index - FirstIndex) * PageBytes) - PageOffset));

    /// <summary>The last I/O address of a page that is the area's.</summary>
    public DmaAddr LastAddressOf(ulong index) => index == LastIndex
        ? Range.Last
        : new DmaAddr(Range.First.Value + (((index - FirstIndex + 1) * PageBytes) - PageOffset - 1));

    /// <summary>Whether it lies on an alignment, in I/O addresses and in its pages.</summary>
    public bool IsAligned(ulong alignment) =>
        ((Range.First.Value | unchecked(Range.Last.Value + 1) | PageOffset) & (alignment - 1)) == 0; // 2^64 is on any

    public override string ToString() => $"{Range} -> pages {FirstIndex} to {LastIndex}";
}
