namespace Mm.Core.PhysRanges;

/// <summary>Two owner sources, one in front of the other: where the front one knows no owner, the back one is asked.</summary>
/// <remarks>
/// A machine puts its page maps in front of its providers, and both in front of its address map: a page descriptor
/// decides before an aperture, and an aperture before the plain window behind it.
/// <para><b>Locking:</b> immutable; asks its layers, which are safe from any thread.</para>
/// </remarks>
/// <param name="front">Asked first.</param>
/// <param name="back">Asked where <paramref name="front"/> knows no owner.</param>
public sealed class RangeOwnerLayers(IRangeOwnerSource front, IRangeOwnerSource back) : IRangeOwnerSource
{
    private readonly IRangeOwnerSource front = front ?? throw new ArgumentNullException(nameof(front));
    private readonly IRangeOwnerSource back = back ?? throw new ArgumentNullException(nameof(back));

    /// <inheritdoc/>
    public long Version => unchecked(front.Version + back.Version); // both only grow, so the sum changes when one does

    /// <inheritdoc/>
    public RangeOwner? FindOwner(PhysAddr address, out PhysRange extent)
    {
        RangeOwner? owner = front.FindOwner(address, out extent);
        if (owner is not null)
        {
            return owner;
        }

        owner = back.FindOwner(address, out PhysRange behind);
        extent = extent.Intersect(behind);
        return owner;
    }
}
