using System.Numerics;
using Mm.Core;

namespace Mm.Devices.Iommufd;

/// <content>Which addresses may be used, and which are chosen.</content>
public sealed partial class IoAddressSpace
{
    private static readonly ulong LargestAlignment = PageSize.Large.Bytes.Value;

    private readonly List<IoReservation> reserved = []; // by first address, may overlap; protected by areaGate
    private List<IoRange> allowed = []; // by first address, disjoint; empty: all; protected by areaGate
    private ulong alignment = 1; // protected by areaGate, changed with domainGate held too

    /// <summary>What addresses, lengths and offsets of mappings must be a multiple of: 1 while no domain and no access asks for more.</summary>
    public ByteCount Alignment
    {
        get
        {
            using (areaGate.Enter())
            {
                return new ByteCount(alignment);
            }
        }
    }

    /// <summary>The ranges that are not reserved.</summary>
    /// <returns>The ranges, from the lowest up.</returns>
    /// <remarks><b>Linux:</b> IOMMU_IOAS_IOVA_RANGES (v6.12); says nothing of what is allowed or mapped.</remarks>
    public IReadOnlyList<IoRange> CollectUsableRanges()
    {
        var usable = new List<IoRange>();
        using (areaGate.Enter())
        {
            var holes = new IoHoles(areas: null, reserved, IoRange.All);
            while (holes.MoveNext())
            {
                usable.Add(holes.Current);
            }
        }

        return usable;
    }

    /// <summary>Says where addresses may be chosen. Mappings at given addresses are not bound by it.</summary>
    /// <param name="ranges">The ranges, which replace those said before; none allows everything.</param>
    /// <returns>
    /// <see cref="Errno.EINVAL"/>: two of them overlap, or one has a single byte.
    /// <see cref="Errno.EADDRINUSE"/>: a reserved range lies in one.
    /// <see cref="Errno.ENOMEM"/>: a failure was planned at <see cref="FaultPoint.Slab"/>.
    /// </returns>
    /// <remarks><b>Linux:</b> IOMMU_IOAS_ALLOW_IOVAS (v6.12).</remarks>
    public Errno TryAllow(params ReadOnlySpan<IoRange> ranges)
    {
        var next = new List<IoRange>(ranges.Length);
        foreach (IoRange range in ranges)
        {
            if (range.First == range.Last || next.Exists(range.Overlaps))
            {
                return Errno.EINVAL;
            }

            if (Faults.ShouldFail(FaultPoint.Slab))
            {
                return Errno.ENOMEM;
            }

            next.Add(range);
        }

        next.Sort(static (left, right) => left.First.CompareTo(right.First));
        using (areaGate.Enter())
        {
            if (next.Exists(range => reserved.Exists(other => other.Range.Overlaps(range))))
            {
                return Errno.EADDRINUSE;
            }

            allowed = next;
        }

        return Errno.Ok;
    }

    /// <summary>Keeps addresses from being used, as a device does for its message-signalled interrupts.</summary>
    /// <param name="range">The addresses.</param>
    /// <returns>
    /// <see cref="Errno.EADDRINUSE"/>: something is mapped there, or an allowed range lies there.
    /// <see cref="Errno.ENOMEM"/>: a failure was planned at <see cref="FaultPoint.Slab"/>.
    /// </returns>
    /// <remarks><b>Linux:</b> iopt_reserve_iova (v6.12).</remarks>
    public Errno TryReserve(IoRange range)
    {
        using (areaGate.Enter())
        {
            return TryReserve(range, owner: null);
        }
    }

    private Errno TryReserve(IoRange range, IoDomain? owner)
    {
        if (areas.Find(range) is not null || allowed.Exists(range.Overlaps))
        {
            return Errno.EADDRINUSE;
        }

        if (Faults.ShouldFail(FaultPoint.Slab))
        {
            return Errno.ENOMEM;
        }

        int at = reserved.FindIndex(other => other.Range.First > range.First);
        reserved.Insert(at < 0 ? reserved.Count : at, new IoReservation(range, owner));
        return Errno.Ok;
    }

    private Errno CheckFree(DmaAddr address, ByteCount length)
    {
        if ((address.Value & (alignment - 1)) != 0)
        {
            return Errno.EINVAL;
        }

        Errno errno = IoRange.TryCreate(address, length, out IoRange range);
        if (!errno.IsOk)
        {
            return errno;
        }

        if (reserved.Exists(other => other.Range.Overlaps(range)))
        {
            return Errno.EINVAL;
        }

        return areas.Find(range) is null ? Errno.Ok : Errno.EEXIST;
    }

    // Keeps the alignment that the user's address has, as far as the length gives a reason to: large pages then fit.
    private Errno TryChoose(VirtAddr user, ByteCount length, out DmaAddr address)
    {
        address = default;
        if (length.Value >= ulong.MaxValue / 2)
        {
            return Errno.EOVERFLOW;
        }

        ulong wanted = BitOperations.RoundUpToPowerOf2(length.Value);
        wanted = user.Value == 0 ? wanted : Math.Min(wanted, 1UL << BitOperations.TrailingZeroCount(user.Value));
        wanted = Math.Min(wanted, LargestAlignment);
        if (wanted < alignment)
        {
            return Errno.EINVAL;
        }

        var search = new IoSearch(length.Value, wanted, user.OffsetIn(PageSize.Small).Value);
        var bounds = new IoRange(new DmaAddr(SmallPage), new DmaAddr(ulong.MaxValue - SmallPage)); // never address 0
        for (int i = 0; i < allowed.Count; i++)
        {
            IoRange range = Merge(ref i);
            if (range.Overlaps(bounds) && TryChooseIn(search, Clip(range, bounds), out address))
            {
                return Errno.Ok;
            }
        }

        return allowed.Count == 0 && TryChooseIn(search, bounds, out address) ? Errno.Ok : Errno.ENOSPC;
    }

    private bool TryChooseIn(IoSearch search, IoRange range, out DmaAddr address)
    {
        address = default;
        if (!search.TryFit(range, out DmaAddr first))
        {
            return false;
        }

        var holes = new IoHoles(areas, reserved, new IoRange(first, range.Last));
        while (holes.MoveNext())
        {
            if (search.TryFit(holes.Current, out address))
            {
                return true;
            }
        }

        return false;
    }

    // Allowed ranges that touch are one.
    private IoRange Merge(ref int index)
    {
        IoRange range = allowed[index];
        while (index + 1 < allowed.Count && allowed[index + 1].First.Value - 1 == range.Last.Value)
        {
            range = new IoRange(range.First, allowed[++index].Last);
        }

        return range;
    }

    private static IoRange Clip(IoRange range, IoRange bounds) => new(
        range.First < bounds.First ? bounds.First : range.First, range.Last < bounds.Last ? range.Last : bounds.Last);
}
