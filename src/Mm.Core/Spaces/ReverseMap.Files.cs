namespace Mm.Core.Spaces;

/// <content>Pages of files: mapped by many, and several times by one.</content>
internal sealed partial class ReverseMap
{
    private static readonly Comparison<(AddressSpace Space, Area Area)> FileOrder = static (left, right) =>
        left.Area.Offset != right.Area.Offset
            ? left.Area.Offset.CompareTo(right.Area.Offset)
            : left.Area.FileOrder.AsSpan().SequenceCompareTo(right.Area.FileOrder);

    private bool TryUnmapFilePage(Pfn page, ulong mapping, ulong index)
    {
        foreach ((AddressSpace space, Area area) in SitesOf(mapping, index))
        {
            if (Frames.MapCountOf(page) == 0)
            {
                break; // mirrors of the spaces behind are not told
            }

            TryUnmapOne(space, area.AddressOf(index), page);
        }

        return Frames.MapCountOf(page) == 0;
    }

    private void RestoreFilePage(Pfn source, Pfn target, ulong mapping, ulong index)
    {
        foreach ((AddressSpace space, Area area) in SitesOf(mapping, index))
        {
            space.RestoreEntryAt(area.AddressOf(index), source, target, isZero: false);
        }
    }

    // Every area that could map the page, whether it does or not.
    private List<(AddressSpace Space, Area Area)> SitesOf(ulong mapping, ulong index)
    {
        var sites = new List<(AddressSpace, Area)>();
        if (owner.FindFile(mapping) is not { } file)
        {
            return sites;
        }

        foreach (AddressSpace space in file.CollectMappings().Select(static mapping => mapping.Watcher).OfType<FileHolds>()
            .Select(static holds => holds.Space).Distinct())
        {
            space.ForEachArea(
                area => area.Traits.Backing == file && area.HoldsIndex(index, 1),
                area => sites.Add((space, area)));
        }

        sites.Sort(FileOrder);
        return sites;
    }
}
