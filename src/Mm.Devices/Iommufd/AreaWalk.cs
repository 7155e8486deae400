using Mm.Core;

namespace Mm.Devices.Iommufd;

/// <summary>Goes through the areas that cover a range without a gap.</summary>
/// <remarks>
/// <para><b>Linux:</b> struct iopt_area_contig_iter (v6.12).</para>
/// <para><b>Locking:</b> the caller holds rank IoSpaceAreas all the way.</para>
/// </remarks>
/// <param name="areas">The areas of the space.</param>
/// <param name="range">The range.</param>
internal struct AreaWalk(IoAreaList areas, IoRange range)
{
    private IoArea? area;
    private bool isStarted;

    /// <summary>The area here; after <see cref="MoveNext"/> said yes.</summary>
    public readonly IoArea Area => area!;

    /// <summary>The first address that is walked here; after a gap, its first address.</summary>
    public DmaAddr At { get; private set; } = range.First;

    /// <summary>The last address that is walked here.</summary>
    public readonly DmaAddr Last => area!.Range.Last < range.Last ? area.Range.Last : range.Last;

    /// <summary>Whether the walk went through all of the range.</summary>
    public readonly bool IsComplete => area is not null && range.Last <= area.Range.Last;

    /// <summary>Goes on.</summary>
    /// <returns>Whether an area is there.</returns>
    public bool MoveNext()
    {
        if (isStarted)
        {
            if (area is null || range.Last <= area.Range.Last)
            {
                return false;
            }

            At = new DmaAddr(area.Range.Last.Value + 1);
        }

        isStarted = true;
        area = areas.Find(new IoRange(At, At));
        area = area?.Pages is null ? null : area; // one that is being made or taken away is a gap
        return area is not null;
    }
}
