namespace Mm.Core.Spaces;

/// <summary>Where an area may map a page: what a search of the reverse map goes over, oldest area first.</summary>
/// <param name="Space">Whose area.</param>
/// <param name="Range">The page's address, or those of a folio's pages.</param>
/// <param name="Offset">Where the area begins in its run of pages.</param>
/// <param name="Sequence">The area's age.</param>
internal readonly record struct RmapSite(AddressSpace Space, VirtRange Range, ulong Offset, ulong Sequence)
{
    /// <summary>The order of a search: by where areas begin, then by age.</summary>
    internal static Comparison<RmapSite> SearchOrder { get; } = static (left, right) =>
        left.Offset != right.Offset ? left.Offset.CompareTo(right.Offset) : left.Sequence.CompareTo(right.Sequence);
}
