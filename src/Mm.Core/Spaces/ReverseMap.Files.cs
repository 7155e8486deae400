namespace Mm.Core.Spaces;

/// <content>Pages of files: mapped by many, and several times by one.</content>
internal sealed partial class ReverseMap
{
    private bool TryUnmapFilePage(Pfn page, ulong mapping, ulong index)
    {
        foreach ((AddressSpace space, VirtAddr at) in SitesOf(mapping, index))
        {
            TryUnmapOne(space, at, page);
        }

        return Frames.MapCountOf(page) == 0;
    }

    private void RestoreFilePage(Pfn source, Pfn target, ulong mapping, ulong index)
    {
        foreach ((AddressSpace space, VirtAddr at) in SitesOf(mapping, index))
        {
            space.RestoreEntryAt(at, source, target, isZero: false);
        }
    }

    private List<(AddressSpace Space, VirtAddr At)> SitesOf(ulong mapping, ulong index)
    {
        var sites = new List<(AddressSpace, VirtAddr)>();
        if (owner.FindFile(mapping) is not { } file)
        {
            return sites;
        }

        foreach (AddressSpace space in file.CollectMappings().Select(static mapping => mapping.Watcher).OfType<FileHolds>()
            .Select(static holds => holds.Space).Distinct())
        {
            space.ForEachArea(
                area => area.Traits.Backing == file && area.HoldsIndex(index, 1),
                area => sites.Add((space, area.AddressOf(index))));
        }

        return sites;
    }
}
