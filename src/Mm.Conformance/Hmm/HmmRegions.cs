using System.Globalization;
using Mm.Conformance.Recordings;
using Mm.Core;

namespace Mm.Conformance.Hmm;

/// <summary>Where the regions of a program stand, as one process knows them.</summary>
internal sealed class HmmRegions(bool wantsHugePages)
{
    private const ulong FirstHome = 0x1000_0000_0000;
    private const ulong FirstAway = 0x1300_0000_0000;
    private const ulong Step = 0x0100_0000_0000;

    private readonly Region[] regions = new Region[3];

    /// <summary>Whether anonymous regions ask for pages of 2 MiB.</summary>
    internal bool WantsHugePages { get; } = wantsHugePages;

    /// <summary>What a child knows: where regions stand now.</summary>
    /// <returns>A copy.</returns>
    internal HmmRegions Clone()
    {
        var copy = new HmmRegions(WantsHugePages);
        regions.CopyTo(copy.regions, 0);
        return copy;
    }

    /// <summary>Reads a region's name.</summary>
    /// <param name="words">The words.</param>
    /// <returns>Its number.</returns>
    internal static int Take(RecordingWords words)
    {
        string name = words.Take("a region");
        return name is ['A' or 'B' or 'C'] ? name[0] - 'A' : throw words.Error("not a region", name, "A, B or C");
    }

    /// <summary>The region is mapped at its home.</summary>
    /// <param name="region">Which.</param>
    /// <param name="pages">How large.</param>
    /// <returns>Where.</returns>
    internal VirtAddr Map(int region, PageCount pages)
    {
        regions[region] = new Region(HomeOf(region), pages);
        return regions[region].Start;
    }

    /// <summary>Where the region would move to.</summary>
    /// <param name="region">Which.</param>
    /// <returns>All of it, and the other place.</returns>
    internal (VirtRange From, VirtAddr To) OtherPlace(int region)
    {
        Region now = regions[region];
        VirtAddr home = HomeOf(region);
        VirtAddr to = now.Start == home ? new VirtAddr(FirstAway + ((ulong)region * Step)) : home;
        return (new VirtRange(now.Start, now.Pages.ToBytes()), to);
    }

    /// <summary>The region has moved.</summary>
    /// <param name="region">Which.</param>
    /// <param name="to">Where to.</param>
    internal void Move(int region, VirtAddr to) => regions[region] = regions[region] with { Start = to };

    /// <summary>Reads a run of pages of a region.</summary>
    /// <param name="words">The words: an offset and a number of pages.</param>
    /// <param name="region">Which region.</param>
    /// <returns>The addresses.</returns>
    internal VirtRange TakeRange(RecordingWords words, int region)
    {
        VirtAddr start = TakePage(words, region);
        ulong pages = words.TakeNumber("a number of pages");
        if (pages is 0 or > MaxPages)
        {
            throw words.Error("not a number of pages", pages.ToString(CultureInfo.InvariantCulture), $"1 to {MaxPages}");
        }

        return new VirtRange(start, new PageCount(pages).ToBytes());
    }

    /// <summary>Reads a page of a region.</summary>
    /// <param name="words">The words: an offset in pages.</param>
    /// <param name="region">Which region.</param>
    /// <returns>Its address.</returns>
    internal VirtAddr TakePage(RecordingWords words, int region)
    {
        ulong offset = words.TakeNumber("a page");
        return offset <= MaxPages
            ? regions[region].Start.AddChecked(new PageCount(offset).ToBytes())
            : throw words.Error("not a page", offset.ToString(CultureInfo.InvariantCulture), $"0 to {MaxPages}");
    }

    /// <summary>The largest region that is replayed.</summary>
    internal const ulong MaxPages = 1 << 16;

    private static VirtAddr HomeOf(int region) => new(FirstHome + ((ulong)region * Step));

    private readonly record struct Region(VirtAddr Start, PageCount Pages);
}
