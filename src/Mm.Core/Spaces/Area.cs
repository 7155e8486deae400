namespace Mm.Core.Spaces;

/// <summary>A run of pages of an address space that are alike: one mapping of a process.</summary>
/// <remarks>
/// Says what is meant to be there; what is there, <see cref="PageTables"/> say.
/// <para><b>Linux:</b> vm_area_struct (v6.12). A change replaces the object, so that a reader keeps a true picture.</para>
/// <para><b>Invariants:</b> (1) the range is whole pages, not empty, and ends at or below 2^47 - 4096; (2) offset plus
/// pages does not pass 2^52; (3) access has nothing that is forbidden.</para>
/// <para>Immutable.</para>
/// </remarks>
/// <param name="Range">Where.</param>
/// <param name="Offset">Which page of the backing the first one is; of private anonymous memory, the page number of
/// the address where it was mapped first.</param>
/// <param name="Traits">What it is.</param>
internal sealed record Area(VirtRange Range, PageCount Offset, AreaTraits Traits)
{
    /// <summary>The first address.</summary>
    public VirtAddr Start => Range.Start;

    /// <summary>The address behind the last byte.</summary>
    public VirtAddr End => Range.Start.AddChecked(Range.Length);

    /// <summary>How many pages.</summary>
    public PageCount Pages => Range.Length.ToPagesRoundDown();

    /// <summary>Which page of the backing an address of the area shows. <b>Linux:</b> linear_page_index.</summary>
    /// <param name="at">The address, in the area.</param>
    /// <returns>The page's number.</returns>
    /// <exception cref="OverflowException"><paramref name="at"/> lies below the area.</exception>
    public PageCount OffsetOf(VirtAddr at) => Offset.AddChecked(at.OffsetFrom(Start).ToPagesRoundDown());

    /// <summary>Whether the other one goes on where this one ends, in address and offset, and is alike. <b>Linux:</b> can_vma_merge_after.</summary>
    /// <param name="next">The other area.</param>
    /// <returns>Whether the two are one.</returns>
    public bool CanMergeWith(Area next) =>
        End == next.Start && Traits == next.Traits && !Traits.IsSpecial && OffsetOf(End) == next.Offset;

    /// <summary>The part of the area in a range.</summary>
    /// <param name="start">Where it begins, in the area.</param>
    /// <param name="end">Where it ends, in the area and above <paramref name="start"/>.</param>
    /// <returns>The part, an area of its own.</returns>
    public Area Part(VirtAddr start, VirtAddr end) =>
        this with { Range = new VirtRange(start, end.OffsetFrom(start)), Offset = OffsetOf(start) };
}
