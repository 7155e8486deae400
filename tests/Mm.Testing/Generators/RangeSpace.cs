using Mm.Core;
using Mm.Core.PhysRanges;

namespace Mm.Testing.Generators;

/// <summary>A small piece of address space in which the owner of every granule is written down: the naive truth about owners.</summary>
/// <remarks>
/// An owner source that answers granule by granule, with extents that are often smaller than they could be, as the contract of
/// <see cref="IRangeOwnerSource"/> allows.
/// </remarks>
/// <param name="start">The first address.</param>
/// <param name="granule">How many bytes have one owner at least.</param>
/// <param name="owners">The owner of each granule; null for nobody.</param>
/// <param name="maxExtentGranules">The largest extent that it answers with.</param>
public sealed class RangeSpace(PhysAddr start, ByteCount granule, IReadOnlyList<RangeOwner?> owners, int maxExtentGranules)
    : IRangeOwnerSource
{
    /// <summary>The first address.</summary>
    public PhysAddr Start => start;

    /// <summary>How many bytes have one owner at least.</summary>
    public ByteCount Granule => granule;

    /// <summary>The owner of each granule; null for nobody.</summary>
    public IReadOnlyList<RangeOwner?> Owners => owners;

    /// <summary>All bytes of the space.</summary>
    public PhysRange Whole => new(start, new ByteCount((ulong)owners.Count * granule.Value));

    /// <summary>How often an owner was asked for.</summary>
    public int Questions { get; private set; }

    /// <inheritdoc/>
    public long Version => 0;

    /// <summary>The owner of one byte.</summary>
    /// <param name="address">Any address; outside the space nobody owns it.</param>
    /// <returns>The owner, or null.</returns>
    public RangeOwner? OwnerOf(PhysAddr address) =>
        Whole.Contains(address) ? owners[(int)((address.Value - start.Value) / granule.Value)] : null;

    /// <inheritdoc/>
    public RangeOwner? FindOwner(PhysAddr address, out PhysRange extent)
    {
        Questions++;
        if (!Whole.Contains(address))
        {
            extent = new PhysRange(address, new ByteCount(1));
            return null;
        }

        int index = (int)((address.Value - start.Value) / granule.Value);
        int first = index;
        int last = index;
        while (first > 0 && index - first < maxExtentGranules / 2 && ReferenceEquals(owners[first - 1], owners[index]))
        {
            first--;
        }

        while (last + 1 < owners.Count && last - index < maxExtentGranules / 2 && ReferenceEquals(owners[last + 1], owners[index]))
        {
            last++;
        }

        extent = Whole.Slice(
            new ByteCount((ulong)first * granule.Value), new ByteCount((ulong)(last - first + 1) * granule.Value));
        return owners[index];
    }

    /// <summary>The owners, shortly.</summary>
    /// <returns>The text.</returns>
    public override string ToString() =>
        $"{Whole} by {granule}: {string.Join(' ', owners.Select(static owner => owner?.Name ?? "-"))}";
}
