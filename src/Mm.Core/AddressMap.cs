using System.Diagnostics.CodeAnalysis;
using Mm.Core.Checks;
using Mm.Core.Locking;
using Mm.Core.PhysRanges;

namespace Mm.Core;

/// <summary>What lies where in a machine's physical address space.</summary>
/// <remarks>
/// Owns the list of regions and, through them, their bytes. Not responsible for who may reach what: that is routing.
/// <para><b>Linux:</b> iomem_resource and request_region (v6.12).</para>
/// <para><b>Invariants:</b> (1) regions are sorted by address and do not overlap; (2) a list once read never changes:
/// adding and removing publish a new one.</para>
/// <para><b>Locking:</b> readers take none; adding and removing take a lock of the map's own, and call nobody with it held.</para>
/// </remarks>
public sealed class AddressMap : IValidator, IRangeOwnerSource
{
    /// <summary>The first address that no machine has: 2^52, the end of x86-64 physical address space.</summary>
    public static readonly PhysAddr End = new(1UL << 52);

    private readonly RankedLock gate = new(LockRank.AddressMap);
    private AddressRegion[] regions = []; // replaced under gate; read with acquire
    private long version; // grows under gate after regions is replaced: an old version beside a new answer only asks again

    internal AddressMap()
    {
    }

    /// <summary>The regions, by address, as they stand now.</summary>
    public IReadOnlyList<AddressRegion> Regions => Volatile.Read(ref regions);

    /// <summary>The region at an address.</summary>
    /// <param name="address">The address.</param>
    /// <param name="region">The region; null when nothing lies there.</param>
    /// <returns>Whether something lies there.</returns>
    public bool TryFind(PhysAddr address, [NotNullWhen(true)] out AddressRegion? region)
    {
        AddressRegion[] list = Volatile.Read(ref regions);
        int index = IndexOfLastAtOrBelow(list, address);
        region = index >= 0 && list[index].Range.Contains(address) ? list[index] : null;
        return region is not null;
    }

    /// <summary>The first region that shares an address with a range.</summary>
    /// <param name="range">The range.</param>
    /// <param name="region">The region; null when there is none.</param>
    /// <returns>Whether there is one.</returns>
    public bool TryFindOverlap(PhysRange range, [NotNullWhen(true)] out AddressRegion? region) =>
        TryFindOverlap(Volatile.Read(ref regions), range, out region);

    /// <summary>Looks for unused addresses, from the top down, as for a device's private memory.</summary>
    /// <param name="length">How many bytes; above zero.</param>
    /// <param name="alignment">What the start is a multiple of; a power of two.</param>
    /// <param name="range">The range found, or an empty one.</param>
    /// <returns>Whether there is room. Nothing is reserved: add a region to do that.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="length"/> is zero, or
    /// <paramref name="alignment"/> is not a power of two.</exception>
    public bool TryFindUnused(ByteCount length, ByteCount alignment, out PhysRange range)
    {
        ArgumentOutOfRangeException.ThrowIfZero(length.Value, nameof(length));
        if (!ulong.IsPow2(alignment.Value))
        {
            throw new ArgumentOutOfRangeException(nameof(alignment), alignment, "alignment must be a power of two");
        }

        return TryFindUnused(Volatile.Read(ref regions), length.Value, alignment.Value, out range);
    }

    /// <inheritdoc/>
    public long Version => Volatile.Read(ref version);

    /// <inheritdoc/>
    public RangeOwner? FindOwner(PhysAddr address, out PhysRange extent)
    {
        AddressRegion[] list = Volatile.Read(ref regions);
        int below = IndexOfLastAtOrBelow(list, address);
        if (below >= 0 && list[below].Range.Contains(address))
        {
            extent = list[below].Range;
            return list[below].Owner;
        }

        // Regions end below 2^52, so the ends below are addresses, and the gap behind the last one has a length.
        PhysAddr start = below >= 0 ? list[below].Range.Start.AddChecked(list[below].Range.Length) : PhysAddr.Zero;
        PhysAddr end = below + 1 < list.Length ? list[below + 1].Range.Start : PhysAddr.MaxValue;
        extent = address < end ? PhysRange.FromBounds(start, end) : new PhysRange(address, new ByteCount(1));
        return null;
    }

    void IValidator.Validate()
    {
        AddressRegion[] list = Volatile.Read(ref regions);
        for (int i = 0; i < list.Length; i++)
        {
            Check.That(IsLegal(list[i].Range), $"invariant 1 of AddressRegion: {list[i]}");
            Check.That(
                i == 0 || list[i - 1].Range.Start.Value + list[i - 1].Range.Length.Value <= list[i].Range.Start.Value,
                $"invariant 1: {list[Math.Max(i - 1, 0)]} and {list[i]}");
        }
    }

    /// <summary>Whether a region may lie there at all.</summary>
    /// <param name="range">The range.</param>
    /// <returns>Whether it is not empty and lies below <see cref="End"/>.</returns>
    internal static bool IsLegal(PhysRange range) =>
        !range.IsEmpty && range.Start < End && range.Length.Value <= End.Value - range.Start.Value;

    /// <summary>Adds a region.</summary>
    /// <param name="region">The region.</param>
    /// <param name="conflict">What is in the way, if anything.</param>
    /// <returns>Whether it was added; a refusal changes nothing.</returns>
    internal bool TryAdd(AddressRegion region, [NotNullWhen(false)] out AddressRegion? conflict)
    {
        using (gate.Enter())
        {
            if (TryFindOverlap(regions, region.Range, out conflict))
            {
                return false;
            }

            int index = IndexOfLastAtOrBelow(regions, region.Range.Start) + 1;
            Volatile.Write(ref regions, [.. regions[..index], region, .. regions[index..]]);
            Volatile.Write(ref version, version + 1);
            return true;
        }
    }

    /// <summary>Takes a region out. Its end is the caller's: <see cref="AddressRegion.Remove"/>.</summary>
    /// <param name="region">The region.</param>
    /// <returns>Whether it was in the map.</returns>
    internal bool TryTakeOut(AddressRegion region)
    {
        using (gate.Enter())
        {
            int index = Array.IndexOf(regions, region);
            if (index < 0)
            {
                return false;
            }

            Volatile.Write(ref regions, [.. regions[..index], .. regions[(index + 1)..]]);
            Volatile.Write(ref version, version + 1);
            return true;
        }
    }

    private static bool TryFindOverlap(
        AddressRegion[] list, PhysRange range, [NotNullWhen(true)] out AddressRegion? region)
    {
        for (int index = Math.Max(IndexOfLastAtOrBelow(list, range.Start), 0); index < list.Length; index++)
        {
            if (list[index].Range.Overlaps(range))
            {
                region = list[index];
                return true;
            }

            if (list[index].Range.Start > range.Start)
            {
                break; // the list is sorted: what follows lies higher still
            }
        }

        region = null;
        return false;
    }

    private static bool TryFindUnused(AddressRegion[] list, ulong length, ulong alignment, out PhysRange range)
    {
        ulong ceiling = End.Value;
        for (int index = list.Length - 1; index >= -1; index--)
        {
            ulong floor = index >= 0 ? list[index].Range.Start.Value + list[index].Range.Length.Value : 0;
            if (ceiling >= floor && ceiling - floor >= length)
            {
                ulong start = (ceiling - length) & ~(alignment - 1);
                if (start >= floor)
                {
                    range = new PhysRange(new PhysAddr(start), new ByteCount(length));
                    return true;
                }
            }

            ceiling = index >= 0 ? list[index].Range.Start.Value : 0;
        }

        range = default;
        return false;
    }

    private static int IndexOfLastAtOrBelow(AddressRegion[] list, PhysAddr address)
    {
        int low = 0;
        int high = list.Length;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (list[middle].Range.Start <= address)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return low - 1;
    }
}
