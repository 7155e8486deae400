using System.Runtime.InteropServices;
using Mm.Core.Checks;

namespace Mm.Core.Spaces;

/// <summary>The areas of one address space, in order: mapped, unmapped, protected and moved with Linux's splitting and merging.</summary>
/// <remarks>
/// Owns which addresses mean what. Touches no entry: whoever unmaps or moves clears or moves the page tables first, and
/// tells the notifiers before that.
/// <para><b>Linux:</b> the maple tree of mm_struct and mm/mmap.c, mm/vma.c, mm/mprotect.c, mm/mremap.c (v6.12). Deliberate
/// differences: a sorted list, which 65530 areas at most allow; addresses
/// are given out from the top of the space without a stack above or randomness; limits of accounted memory and pkeys are
/// out of scope.</para>
/// <para><b>Invariants:</b> (1) areas do not overlap and stand in order of address; (2) no two neighbours without pages of
/// their own could be one; (3) there are at most <see cref="Limit"/>; (4) each area obeys its own invariants; (5) a refused call changes nothing,
/// but for <see cref="TryProtect"/>, which like mprotect stops at the first hole and says how far it came.</para>
/// <para><b>Locking:</b> the caller's: Linux's mmap_lock, for writing when the set changes.</para>
/// </remarks>
internal sealed partial class AreaSet : IValidator
{
    /// <summary>How many areas there may be. <b>Linux:</b> DEFAULT_MAX_MAP_COUNT.</summary>
    internal const int DefaultLimit = 65530;

    private const ulong PageMask = 4095;

    private readonly List<Area> areas = [];
    private readonly Func<ulong> nextSequence;
    private ulong ownSequence;

    /// <summary>An empty address space.</summary>
    /// <param name="limit">How many areas there may be.</param>
    /// <param name="nextSequence">Gives ages, of all sets that areas are compared over; null: of this one.</param>
    internal AreaSet(int limit = DefaultLimit, Func<ulong>? nextSequence = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(limit);
        Limit = limit;
        this.nextSequence = nextSequence ?? (() => ++ownSequence);
    }

    /// <summary>The addresses of a process: from 0 to a page below 2^47. <b>Linux:</b> TASK_SIZE.</summary>
    internal static VirtRange Addresses { get; } = new(default, new ByteCount((1UL << 47) - 4096));

    /// <summary>The lowest address that is given out unasked. <b>Linux:</b> mmap_min_addr.</summary>
    internal static VirtAddr LowestGiven { get; } = new(0x10000);

    /// <summary>How many areas there may be.</summary>
    internal int Limit { get; }

    /// <summary>How many areas have pages that are not where their numbers say.</summary>
    internal int DisplacedCount { get; private set; }

    /// <summary>The areas, lowest first; valid until the set changes.</summary>
    internal ReadOnlySpan<Area> Areas => CollectionsMarshal.AsSpan(areas);

    private static ulong Top => Addresses.Length.Value;

    /// <summary>The area that an address lies in. <b>Linux:</b> vma_lookup.</summary>
    /// <param name="at">The address.</param>
    /// <returns>The area, or null.</returns>
    internal Area? Find(VirtAddr at)
    {
        int index = FirstEndingAbove(at.Value);
        return index < areas.Count && areas[index].Range.Contains(at) ? areas[index] : null;
    }

    /// <summary>The areas below and above an area.</summary>
    /// <param name="area">An area of the set.</param>
    /// <returns>The two, null where there is none.</returns>
    internal (Area? Below, Area? Above) NeighboursOf(Area area)
    {
        int index = FirstEndingAbove(area.Start.Value);
        return (index > 0 ? areas[index - 1] : null, index + 1 < areas.Count ? areas[index + 1] : null);
    }

    /// <summary>Takes over the areas of another set, as fork does.</summary>
    /// <param name="copies">The areas, lowest first.</param>
    internal void CopyFrom(IEnumerable<Area> copies)
    {
        Check.That(areas.Count == 0, "a fork fills an empty set");
        areas.AddRange(copies);
        DisplacedCount = areas.Count(static area => area.IsDisplaced);
    }

    /// <summary>The areas that share a byte with a range, lowest first; valid until the set changes.</summary>
    /// <param name="range">The range.</param>
    /// <returns>The areas, whole.</returns>
    internal ReadOnlySpan<Area> Overlapping(VirtRange range)
    {
        if (range.IsEmpty)
        {
            return [];
        }

        int first = FirstEndingAbove(range.Start.Value);
        int end = first;
        while (end < areas.Count && areas[end].Range.Overlaps(range))
        {
            end++;
        }

        return Areas[first..end];
    }

    /// <summary>The highest free range of a length. <b>Linux:</b> vm_unmapped_area, top down.</summary>
    /// <param name="length">Whole pages.</param>
    /// <param name="gap">The range, or the empty one.</param>
    /// <returns>Whether there is one.</returns>
    internal bool TryFindGap(ByteCount length, out VirtRange gap)
    {
        ulong top = Top;
        for (int index = areas.Count - 1; index >= -1 && top > LowestGiven.Value; index--)
        {
            ulong bottom = Math.Max(index < 0 ? 0 : areas[index].End.Value, LowestGiven.Value);
            if (top >= bottom && top - bottom >= length.Value)
            {
                gap = new VirtRange(new VirtAddr(top - length.Value), length);
                return true;
            }

            top = index < 0 ? 0 : areas[index].Start.Value;
        }

        gap = default;
        return false;
    }

    /// <summary>Maps. With <see cref="AreaPlacement.Fixed"/> what was there goes: <see cref="Overlapping"/> tells beforehand.</summary>
    /// <param name="request">What.</param>
    /// <param name="placed">Where it came to lie; it may be part of a larger area.</param>
    /// <returns>Ok; EINVAL: no length, or a fixed address that is not a page's; ENOMEM: no room, a fixed place beyond the
    /// addresses of a process, or too many areas; EOVERFLOW: the offset passes 2^52 pages; EEXIST: something lies at a
    /// place that is not to be replaced; EACCES: access that the traits forbid.</returns>
    internal Errno TryMap(in AreaRequest request, out VirtRange placed)
    {
        placed = default;
        Errno errno = TryPlace(request, out VirtRange place);
        if (!errno.IsOk)
        {
            return errno;
        }

        bool isOwn = request.Traits.Kind == AreaKind.AnonymousPrivate;
        var area = new Area(place, isOwn ? new PageCount(place.Start.Value >> 12) : request.Offset, request.Traits.WhenMapped);
        if (!TryReplace(place, area))
        {
            return Errno.ENOMEM;
        }

        placed = place;
        return Errno.Ok;
    }

    /// <summary>Unmaps; holes are no harm.</summary>
    /// <param name="start">The first address.</param>
    /// <param name="length">How many bytes; rounded up to pages.</param>
    /// <returns>Ok; EINVAL: not a page's address, no length, or beyond the addresses of a process; ENOMEM: it would split
    /// an area, and there are too many.</returns>
    internal Errno TryUnmap(VirtAddr start, ByteCount length) =>
        !TryRound(start, length, out VirtRange range) || range.IsEmpty ? Errno.EINVAL
        : TryReplace(range, null) ? Errno.Ok
        : Errno.ENOMEM;

    /// <summary>Changes what the process may do in a range.</summary>
    /// <param name="start">The first address.</param>
    /// <param name="length">How many bytes; rounded up to pages. None is Ok and does nothing.</param>
    /// <param name="access">What it may do from now on.</param>
    /// <param name="done">What of the range was changed: up to where it was refused.</param>
    /// <returns>Ok; EINVAL: not a page's address; ENOMEM: the range wraps, has a hole, or splits one area too many;
    /// EACCES: an area forbids it.</returns>
    internal Errno TryProtect(VirtAddr start, ByteCount length, AreaAccess access, out VirtRange done)
    {
        done = default;
        if ((start.Value & PageMask) != 0)
        {
            return Errno.EINVAL;
        }

        if (length.IsZero)
        {
            return Errno.Ok;
        }

        if (!TryRoundUp(length, out ByteCount rounded) || !start.TryAdd(rounded, out VirtAddr end))
        {
            return Errno.ENOMEM;
        }

        VirtAddr at = start;
        Errno errno = Errno.Ok;
        while (errno.IsOk && at < end)
        {
            errno = TryProtectOne(ref at, end, access);
        }

        done = new VirtRange(start, at.OffsetFrom(start));
        return errno;
    }

    /// <summary>Changes traits in a range other than access.</summary>
    /// <param name="range">Whole pages.</param>
    /// <param name="change">What the traits become.</param>
    /// <returns>Ok; ENOMEM: the range has a hole, and what is mapped was changed; or it splits one area too many.</returns>
    internal Errno TryMark(VirtRange range, Func<AreaTraits, AreaTraits> change)
    {
        VirtAddr at = range.Start;
        VirtAddr end = range.Start.AddChecked(range.Length);
        Errno errno = Errno.Ok;
        while (at < end)
        {
            int index = FirstEndingAbove(at.Value);
            if (index == areas.Count || areas[index].Start >= end)
            {
                return Errno.ENOMEM;
            }

            Area area = areas[index];
            errno = area.Start > at ? Errno.ENOMEM : errno;
            VirtAddr start = area.Start > at ? area.Start : at;
            Area part = area.Part(start, area.End < end ? area.End : end);
            if (!TryReplace(part.Range, part with { Traits = change(part.Traits) }))
            {
                return Errno.ENOMEM;
            }

            at = part.End;
        }

        return errno;
    }

    /// <inheritdoc/>
    public void Validate()
    {
        Check.That(areas.Count <= Limit, $"invariant 3: {areas.Count} areas, limit {Limit}");
        for (int index = 0; index < areas.Count; index++)
        {
            Area area = areas[index];
            ulong bits = area.Start.Value | area.Range.Length.Value;
            Check.That(!area.Range.IsEmpty && (bits & PageMask) == 0, $"invariant 4: {area} is not whole pages");
            Check.That(Addresses.Contains(area.Range), $"invariant 4: {area} lies beyond the addresses of a process");
            Check.That((area.Traits.Access & area.Traits.Forbidden) == AreaAccess.None, $"invariant 4: {area} allows what it forbids");
            Check.That(area.OffsetOf(area.End).Value <= 1UL << 52, $"invariant 4: {area} reaches beyond its backing");
            if (index > 0)
            {
                Check.That(areas[index - 1].End <= area.Start, $"invariant 1: {areas[index - 1]} and {area}");
                bool haveRoots = (areas[index - 1].AnonRoot | area.AnonRoot) != 0;
                Check.That(haveRoots || !areas[index - 1].GoesOnInto(area), $"invariant 2: {areas[index - 1]} and {area} are one");
            }
        }
    }

    private static bool TryRoundUp(ByteCount length, out ByteCount rounded)
    {
        bool fits = length.TryAdd(new ByteCount(PageMask), out ByteCount sum);
        rounded = new ByteCount(sum.Value & ~PageMask);
        return fits;
    }

    private static bool TryRound(VirtAddr start, ByteCount length, out VirtRange range)
    {
        range = default;
        return (start.Value & PageMask) == 0 && TryRoundUp(length, out ByteCount rounded)
            && VirtRange.TryCreate(start, rounded, out range) && Addresses.Contains(range);
    }

    private Errno TryPlace(in AreaRequest request, out VirtRange place)
    {
        place = default;
        if (request.Length.IsZero)
        {
            return Errno.EINVAL;
        }

        if (!TryRoundUp(request.Length, out ByteCount length) || length.Value > Top)
        {
            return Errno.ENOMEM;
        }

        if (request.Offset.Value > (1UL << 52) - (length.Value >> 12))
        {
            return Errno.EOVERFLOW;
        }

        if ((request.Traits.Access & request.Traits.Forbidden) != AreaAccess.None)
        {
            return Errno.EACCES;
        }

        if (request.Placement == AreaPlacement.Anywhere)
        {
            var wish = new VirtAddr(Math.Max(request.At.Value & ~PageMask, LowestGiven.Value));
            bool isFree = request.At != default && TryRound(wish, length, out place) && Overlapping(place).IsEmpty;
            return isFree || TryFindGap(length, out place) ? Errno.Ok : Errno.ENOMEM;
        }

        if (request.At.Value > Top - length.Value)
        {
            return Errno.ENOMEM;
        }

        if ((request.At.Value & PageMask) != 0)
        {
            return Errno.EINVAL;
        }

        place = new VirtRange(request.At, length);
        return request.Placement == AreaPlacement.FixedNoReplace && !Overlapping(place).IsEmpty ? Errno.EEXIST : Errno.Ok;
    }

    private Errno TryProtectOne(ref VirtAddr at, VirtAddr end, AreaAccess access)
    {
        Area? area = Find(at);
        if (area is null)
        {
            return Errno.ENOMEM;
        }

        if ((access & area.Traits.Forbidden) != AreaAccess.None)
        {
            return Errno.EACCES;
        }

        VirtAddr partEnd = area.End < end ? area.End : end;
        Area part = area.Part(at, partEnd);
        if (part.Traits.Access != access
            && !TryReplace(part.Range, part with { Traits = part.Traits.WhenProtected(access, hasRoot: part.AnonRoot != 0) }))
        {
            return Errno.ENOMEM;
        }

        at = partEnd;
        return Errno.Ok;
    }

    // The first area that ends above an address: the one that holds it, or the next.
    private int FirstEndingAbove(ulong at)
    {
        int low = 0;
        int high = areas.Count;
        while (low < high)
        {
            int middle = low + ((high - low) / 2);
            (low, high) = areas[middle].End.Value > at ? (low, middle) : (middle + 1, high);
        }

        return low;
    }
}
