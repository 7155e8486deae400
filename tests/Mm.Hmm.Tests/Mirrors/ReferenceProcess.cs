using Mm.Core.Spaces;

namespace Mm.Hmm.Tests.Mirrors;

/// <summary>The memory of one process as a dictionary of words by page: no tables, no frames, no devices.</summary>
internal sealed class ReferenceProcess
{
    internal const ulong PageBytes = 4096;
    internal const int Regions = 3;
    private const ulong FirstHome = 0x1000_0000_0000;
    private const ulong FirstAway = 0x1300_0000_0000;
    private const ulong Step = 0x0100_0000_0000;

    private readonly Dictionary<ulong, ReferencePage> pages = [];
    private readonly ReferenceRegion[] regions = new ReferenceRegion[Regions];

    internal Dictionary<ulong, ReferenceCell[]> Slots { get; } = [];

    internal ReferenceCell[] PinSet { get; set; } = [];

    internal static ulong HomeOf(int region) => FirstHome + ((ulong)region * Step);

    internal static ulong AwayOf(int region) => FirstAway + ((ulong)region * Step);

    internal ReferenceRegion RegionAt(int region) => regions[region];

    internal ulong AddressOf(int region, int page) => regions[region].Start + ((ulong)page * PageBytes);

    internal ReferencePage? Find(ulong address) => pages.GetValueOrDefault(address);

    /// <summary>The pages of a range; null where there is none.</summary>
    internal ReferencePage?[] Range(int region, int first, int count) =>
        [.. Enumerable.Range(first, count).Select(page => Find(AddressOf(region, page)))];

    internal void Map(int region, int count, AreaKind kind, AreaAccess access)
    {
        regions[region] = new ReferenceRegion(HomeOf(region), count, IsWhole: true);
        for (int page = 0; page < count; page++)
        {
            bool isOfFile = kind is AreaKind.FilePrivate or AreaKind.FileShared;
            ReferenceWords fresh = isOfFile ? ReferenceWords.OfFile(1000 + (ulong)page) : default;
            pages[AddressOf(region, page)] = new ReferencePage(kind, access, new ReferenceCell(fresh), fresh);
        }
    }

    internal void Unmap(int region, int first, int count)
    {
        NotePart(region, first, count, mayStay: false);
        for (int page = first; page < first + count; page++)
        {
            pages.Remove(AddressOf(region, page));
        }
    }

    /// <summary>Changes what may be done, up to the first hole.</summary>
    internal bool Protect(int region, int first, int count, AreaAccess access)
    {
        NotePart(region, first, count, mayStay: true);
        for (int page = first; page < first + count; page++)
        {
            ulong at = AddressOf(region, page);
            if (!pages.TryGetValue(at, out ReferencePage? old))
            {
                return false;
            }

            pages[at] = old with { Access = access };
        }

        return true;
    }

    internal bool Drop(int region, int first, int count)
    {
        bool isWhole = true;
        for (int page = first; page < first + count; page++)
        {
            ulong at = AddressOf(region, page);
            isWhole &= pages.TryGetValue(at, out ReferencePage? old);
            if (old is { IsPrivate: true })
            {
                pages[at] = old with { Cell = new ReferenceCell(old.Fresh) };
            }
        }

        return isWhole;
    }

    internal void Move(int region)
    {
        ReferenceRegion now = regions[region];
        ulong to = now.Start == HomeOf(region) ? AwayOf(region) : HomeOf(region);
        for (ulong offset = 0; offset < (ulong)now.Pages * PageBytes; offset += PageBytes)
        {
            pages.Remove(now.Start + offset, out ReferencePage? page);
            pages[to + offset] = page!;
        }

        regions[region] = now with { Start = to };
    }

    /// <summary>What a child gets: private memory copied, shared memory shared, no pins.</summary>
    internal ReferenceProcess Fork()
    {
        var child = new ReferenceProcess();
        regions.CopyTo(child.regions, 0);
        foreach ((ulong at, ReferencePage page) in pages)
        {
            child.pages[at] = page.IsPrivate ? page with { Cell = new ReferenceCell(page.Cell.Words) } : page;
        }

        return child;
    }

    /// <summary>The same process in a copy of the world.</summary>
    internal ReferenceProcess Clone(Func<ReferenceCell, ReferenceCell> copyOf)
    {
        var copy = new ReferenceProcess { PinSet = [.. PinSet.Select(copyOf)] };
        regions.CopyTo(copy.regions, 0);
        foreach ((ulong at, ReferencePage page) in pages)
        {
            copy.pages[at] = page with { Cell = copyOf(page.Cell) };
        }

        foreach ((ulong slot, ReferenceCell[] cells) in Slots)
        {
            copy.Slots[slot] = [.. cells.Select(copyOf)];
        }

        return copy;
    }

    private void NotePart(int region, int first, int count, bool mayStay)
    {
        bool coversAll = first == 0 && count == regions[region].Pages;
        regions[region] = regions[region] with { IsWhole = regions[region].IsWhole && mayStay && coversAll };
    }
}
