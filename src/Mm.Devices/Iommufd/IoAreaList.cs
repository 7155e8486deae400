namespace Mm.Devices.Iommufd;

/// <summary>The areas of a space in order of their addresses, found by overlap.</summary>
/// <remarks>
/// An array sorted by address: areas do not overlap, so a search is a bisection. A change moves the array, which is
/// cheaper than a tree for the thousands of areas that a space has.
/// <para><b>Linux:</b> io_pagetable::area_itree (v6.12).</para>
/// <para><b>Locking:</b> the caller's: rank IoSpaceAreas.</para>
/// </remarks>
internal sealed class IoAreaList
{
    private readonly List<IoArea> sorted = [];

    public int Count => sorted.Count;

    public IoArea this[int place] => sorted[place];

    public void Add(IoArea area) => sorted.Insert(PlaceOf(area.Range), area);

    public void Remove(IoArea area) => sorted.RemoveAt(PlaceOf(area.Range));

    /// <summary>The first area that shares a byte with a range.</summary>
    public IoArea? Find(IoRange range)
    {
        int at = PlaceOf(range);
        return at < sorted.Count && sorted[at].Range.Overlaps(range) ? sorted[at] : null;
    }

    // The first place whose area ends at or after the range's first address.
    private int PlaceOf(IoRange range)
    {
        int low = 0;
        int high = sorted.Count;
        while (low < high)
        {
            int middle = low + ((high - low) / 2);
            if (sorted[middle].Range.Last < range.First)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return low;
    }
}
