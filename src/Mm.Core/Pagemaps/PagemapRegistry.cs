using Mm.Core.Checks;
using Mm.Core.Locking;

namespace Mm.Core.Pagemaps;

/// <summary>A machine's page maps: makes them, and finds the one that a frame belongs to.</summary>
/// <remarks>
/// Owns which frames belong to which map. A map stays listed while it is dying, so that nothing else takes its frames,
/// but is found by nobody.
/// <para><b>Linux:</b> pgmap_array, memremap_pages and get_dev_pagemap (mm/memremap.c, v6.12). Difference on purpose: a
/// request is checked whole before anything changes, where Linux unwinds range by range, and when it refuses a map that
/// lies around another one (EEXIST) also forgets the inner one.</para>
/// <para><b>Invariants:</b> (1) no frame belongs to two maps; (2) indices are unique among listed maps, and not 0;
/// (3) what is listed is live or dying.</para>
/// <para><b>Locking:</b> <see cref="LockRank.Pagemaps"/> for changes; lookups take none.</para>
/// </remarks>
public sealed class PagemapRegistry : IValidator, IDisposable
{
    /// <summary>The granule of page maps: a subsection of 2 MiB. <b>Linux:</b> SUBSECTION_SIZE.</summary>
    public static readonly ByteCount Granule = PageSize.Large.Bytes;

    private readonly RankedLock gate = new(LockRank.Pagemaps);
    private readonly PagemapParts parts;
    private Entry[] entries = []; // sorted by frame; replaced under gate, read with acquire
    private long version; // grows under gate after entries is replaced: an old version beside a new answer only asks again

    internal PagemapRegistry(PagemapParts parts) => this.parts = parts;

    /// <summary>The maps that are live or dying, by their lowest frame.</summary>
    public IReadOnlyList<Pagemap> Maps => [.. Volatile.Read(ref entries).Select(entry => entry.Map).Distinct()];

    /// <summary>Gives device memory page descriptors.</summary>
    /// <param name="request">What and how.</param>
    /// <param name="map">The map, or null when refused: a <see cref="DevicePrivatePagemap"/> for private memory, an
    /// <see cref="AddressablePagemap"/> for every other kind.</param>
    /// <returns>
    /// <see cref="Errno.EINVAL"/>: no range; a range that is empty, not in steps of 2 MiB, or above 2^52; a kind without
    /// what it needs: private memory wants an owner, page_free and migrate_to_ram, coherent memory an owner and page_free.
    /// <see cref="Errno.ENOMEM"/>: the first or the last page of a range belongs to a live map already, or to an earlier
    /// range of this request; or no memory for descriptors.
    /// <see cref="Errno.ENXIO"/>: a range touches RAM.
    /// <see cref="Errno.EEXIST"/>: a range lies around another map, or touches one that is dying.
    /// </returns>
    /// <remarks><b>Linux:</b> memremap_pages (v6.12); its order of checks is kept, range by range.</remarks>
    public Errno TryAdd(PagemapRequest request, out Pagemap? map)
    {
        ArgumentNullException.ThrowIfNull(request);
        map = null;
        Errno errno = PagemapRules.Check(request, out _);
        if (!errno.IsOk)
        {
            return errno;
        }

        using (gate.Enter())
        {
            errno = CheckRanges(request.Ranges);
            return errno.IsOk ? TryAddChecked(request, out map) : errno;
        }
    }

    /// <summary>Finds the map of a frame and uses it.</summary>
    /// <param name="page">The frame.</param>
    /// <param name="found">The use, or an empty one; the caller disposes it.</param>
    /// <returns>Whether the frame belongs to a live map.</returns>
    /// <remarks><b>Linux:</b> get_dev_pagemap(pfn, NULL) (v6.12).</remarks>
    public bool TryFind(Pfn page, out PagemapRef found)
    {
        Pagemap? map = At(page);
        parts.Points?.Reach("looked-up");
        bool isUsed = map is not null && map.TryUse();
        found = isUsed ? new PagemapRef(map!) : default;
        return isUsed;
    }

    /// <summary>Finds the map of the next frame of a walk, keeping the use at hand where it still serves.</summary>
    /// <param name="page">The frame.</param>
    /// <param name="cached">
    /// The use of an earlier frame, or an empty one. Kept if its map has the frame too, even if that map was killed
    /// meanwhile: the use keeps it. Otherwise ended and replaced, by an empty one if nothing is found.
    /// </param>
    /// <returns>Whether <paramref name="cached"/> now uses the frame's map.</returns>
    /// <remarks><b>Linux:</b> get_dev_pagemap(pfn, pgmap) (v6.12).</remarks>
    public bool TryFindNext(Pfn page, ref PagemapRef cached)
    {
        if (!cached.IsEmpty && cached.Map.Contains(page))
        {
            return true;
        }

        cached.Dispose();
        return TryFind(page, out cached);
    }

    /// <summary>Grows when what <see cref="FindListed"/> answered may no longer hold.</summary>
    /// <summary>The map of a page that the caller holds, so that the map cannot be dead. <b>Linux:</b> page-&gt;pgmap.</summary>
    /// <param name="page">The page.</param>
    /// <param name="map">The map, live or dying.</param>
    /// <returns>Whether the page has one.</returns>
    internal bool TryFindHeld(Pfn page, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out Pagemap? map)
    {
        map = At(page);
        return map is not null;
    }

    internal long Version => Volatile.Read(ref version);

    /// <summary>Finds the map of a frame, live or dying, without using it.</summary>
    /// <param name="page">The frame.</param>
    /// <param name="around">The map's range that has the frame; or the frames around it that no map has.</param>
    /// <returns>The map, or null.</returns>
    internal Pagemap? FindListed(Pfn page, out PfnRange around)
    {
        Entry[] list = Volatile.Read(ref entries);
        int above = FirstAbove(list, page);
        if (above > 0 && list[above - 1].Range.Contains(page))
        {
            around = list[above - 1].Range;
            return list[above - 1].Map;
        }

        Pfn start = above > 0 ? list[above - 1].Range.Start.AddChecked(list[above - 1].Range.Count) : Pfn.Zero;
        Pfn end = above < list.Length ? list[above].Range.Start : Pfn.MaxValue;
        around = page < end ? new PfnRange(start, end.OffsetFrom(start)) : new PfnRange(page, PageCount.One);
        return null;
    }

    /// <summary>Ends the registry with its machine: maps that are still there are simply gone, and their drivers hear nothing.</summary>
    public void Dispose()
    {
        foreach (Pagemap map in Maps)
        {
            map.ReleaseMarks();
        }
    }

    void IValidator.Validate()
    {
        Entry[] list = Volatile.Read(ref entries);
        for (int i = 1; i < list.Length; i++)
        {
            Check.That(
                list[i - 1].Range.Start.Value + list[i - 1].Range.Count.Value <= list[i].Range.Start.Value,
                $"invariant 1: {list[i - 1].Range} and {list[i].Range}");
        }

        IReadOnlyList<Pagemap> maps = Maps;
        Check.That(maps.All(map => map.Index != 0), "invariant 2: no map has index 0");
        Check.That(maps.DistinctBy(map => map.Index).Count() == maps.Count, "invariant 2: indices are unique");
        foreach (Pagemap map in maps)
        {
            Check.That(map.State != PagemapState.Dead, $"invariant 3: {map.Kind} map of {map.Ranges[0]} is dead");
            map.Validate();
        }
    }

    private static bool IsRam(AddressRegion region) => region.Kind == AddressRegionKind.Ram;

    private static Pfn LastPage(PhysRange range) =>
        new PhysAddr(range.Start.Value + (range.Length.Value - 1)).Pfn;

    private Errno CheckRanges(IReadOnlyList<PhysRange> ranges)
    {
        for (int i = 0; i < ranges.Count; i++)
        {
            Errno errno = CheckRange(ranges[i], ranges.Take(i));
            if (!errno.IsOk)
            {
                return errno;
            }
        }

        return Errno.Ok;
    }

    private Errno CheckRange(PhysRange range, IEnumerable<PhysRange> earlier)
    {
        if (range.IsEmpty)
        {
            return Errno.EINVAL;
        }

        if (IsTaken(range.Start.Pfn, earlier) || IsTaken(LastPage(range), earlier))
        {
            return Errno.ENOMEM;
        }

        if (parts.AddressMap.Regions.Any(region => IsRam(region) && region.Range.Overlaps(range)))
        {
            return Errno.ENXIO;
        }

        if (!AddressMap.IsLegal(range) || ((range.Start.Value | range.Length.Value) & (Granule.Value - 1)) != 0)
        {
            return Errno.EINVAL;
        }

        var frames = new PfnRange(range.Start.Pfn, range.Length.ToPagesRoundDown());
        return Array.Exists(entries, entry => entry.Range.Overlaps(frames)) || earlier.Any(other => other.Overlaps(range))
            ? Errno.EEXIST
            : Errno.Ok;
    }

    private bool IsTaken(Pfn page, IEnumerable<PhysRange> earlier) =>
        At(page) is { State: PagemapState.Live } || earlier.Any(range => range.Contains(page.Address));

    private Errno TryAddChecked(PagemapRequest request, out Pagemap? map)
    {
        map = null;
        if (parts.Faults.ShouldFail(FaultPoint.Slab) || !TryFindIndex(out ushort index))
        {
            return Errno.ENOMEM;
        }

        Pagemap fresh = request.Kind == PagemapKind.DevicePrivate
            ? new DevicePrivatePagemap(request, index, parts)
            : new AddressablePagemap(request, index, parts);
        Errno errno = fresh.TryDescribe(Remove);
        if (!errno.IsOk)
        {
            return errno;
        }

        IEnumerable<Entry> added = fresh.Ranges.Select(range => new Entry(range, fresh));
        Volatile.Write(ref entries, [.. entries.Concat(added).OrderBy(entry => entry.Range.Start)]);
        Volatile.Write(ref version, version + 1);
        map = fresh;
        return Errno.Ok;
    }

    private bool TryFindIndex(out ushort index)
    {
        var used = entries.Select(entry => entry.Map.Index).ToHashSet();
        for (index = 1; index < ushort.MaxValue; index++)
        {
            if (!used.Contains(index))
            {
                return true;
            }
        }

        return false;
    }

    private void Remove(Pagemap map)
    {
        using (gate.Enter())
        {
            Volatile.Write(ref entries, Array.FindAll(entries, entry => entry.Map != map));
            Volatile.Write(ref version, version + 1);
        }
    }

    private Pagemap? At(Pfn page)
    {
        Entry[] list = Volatile.Read(ref entries);
        int above = FirstAbove(list, page);
        return above > 0 && list[above - 1].Range.Contains(page) ? list[above - 1].Map : null;
    }

    // The index of the first range that starts above the page, or the number of ranges.
    private static int FirstAbove(Entry[] list, Pfn page)
    {
        int low = 0;
        int high = list.Length;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (list[middle].Range.Start <= page)
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

    private readonly record struct Entry(PfnRange Range, Pagemap Map);
}
