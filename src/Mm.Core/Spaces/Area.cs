namespace Mm.Core.Spaces;

/// <summary>A run of pages of an address space that are alike: one mapping of a process.</summary>
/// <remarks>
/// Says what is meant to be there; what is there, <see cref="PageTables"/> say.
/// <para><b>Linux:</b> vm_area_struct (v6.12). A change replaces the object, so that a reader keeps a true picture.</para>
/// <para><b>Invariants:</b> (1) the range is whole pages, not empty, and ends at or below 2^47 - 4096; (2) offset plus
/// pages does not pass 2^52; (3) access has nothing that is forbidden.</para>
/// <para>Immutable but for <see cref="AnonRoot"/>, which is set once, from 0, by the first fault that brings a page of its own,
/// and what a search goes by: <see cref="Sequence"/> and <see cref="FileOrder"/>, which its set gives it.</para>
/// </remarks>
/// <param name="Range">Where.</param>
/// <param name="Offset">Which page of the backing the first one is; of private anonymous memory, the page number of
/// the address where it was mapped first.</param>
/// <param name="Traits">What it is.</param>
public sealed record Area(VirtRange Range, PageCount Offset, AreaTraits Traits)
{
    private ulong anonRoot; // atomic

    /// <summary>The root of the pages of its own, as a number; 0 as long as it has had none. <b>Linux:</b> vma-&gt;anon_vma.</summary>
    internal ulong AnonRoot
    {
        get => Volatile.Read(ref anonRoot);
        set => Volatile.Write(ref anonRoot, value);
    }

    /// <summary>The roots of parents whose pages it may map, since it came by fork. <b>Linux:</b> the rest of anon_vma_chain.</summary>
    internal ulong[] InheritedRoots { get; init; } = [];

    /// <summary>When it came to stand where it stands, or got its root: of two areas that hold a page at the same place of
    /// their run, the older one is asked first. <b>Linux:</b> the order of insertion into anon_vma's tree.</summary>
    internal ulong Sequence { get; set; }

    /// <summary>Where it stands among areas that show a file from the same page on, compared number by number: the lower one
    /// is asked first. Of an area of a file; else empty.</summary>
    /// <remarks><b>Linux:</b> the order in i_mmap's tree: a new area behind all others, a child's right behind its parent's.</remarks>
    internal long[] FileOrder { get; set; } = [];

    /// <summary>Whether it came by fork with pages of a parent.</summary>
    internal bool IsInherited => InheritedRoots.Length != 0;

    /// <summary>Whether its pages are not where their numbers say: it has moved, or shows a file.</summary>
    internal bool IsDisplaced => !Traits.IsShared && Offset.Value != Start.Value >> 12;

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

    /// <summary>What entries have by themselves, before a fault or a device makes more of one. <b>Linux:</b> vm_page_prot.</summary>
    internal PteProtection EntryProtection => Traits.Access == AreaAccess.None ? PteProtection.None
        : Traits.IsShared && (Traits.Access & AreaAccess.Write) != AreaAccess.None ? PteProtection.ReadWrite
        : PteProtection.Read;

    /// <summary>Whether the process may write. <b>Linux:</b> VM_WRITE.</summary>
    internal bool IsWritable => (Traits.Access & AreaAccess.Write) != AreaAccess.None;

    /// <summary>Whether the process may read. <b>Linux:</b> VM_READ.</summary>
    internal bool IsReadable => (Traits.Access & AreaAccess.Read) != AreaAccess.None;

    /// <summary>Whether the next one goes on where this one ends, in address and offset, and is alike in all traits.</summary>
    /// <param name="next">The other area.</param>
    /// <returns>Whether the two could be one, but for their pages' roots. <b>Linux:</b> is_mergeable_vma.</returns>
    internal bool GoesOnInto(Area next) =>
        End == next.Start && Traits == next.Traits && !Traits.IsSpecial && OffsetOf(End) == next.Offset;

    /// <summary>Whether this one, which is new or changed, may join a neighbour as far as their pages' roots go.</summary>
    /// <param name="neighbour">The neighbour, which stays.</param>
    /// <returns>Whether it may: both have the same root or none, or the neighbour alone has one, and not from a parent.</returns>
    /// <remarks><b>Linux:</b> is_mergeable_anon_vma: one with a root never joins a neighbour without.</remarks>
    internal bool MayJoin(Area neighbour) =>
        AnonRoot == neighbour.AnonRoot || (AnonRoot == 0 && !neighbour.IsInherited);

    /// <summary>Whether the next one goes on where this one ends, and could share its pages' root. <b>Linux:</b> anon_vma_compatible.</summary>
    /// <param name="next">The other area.</param>
    /// <returns>Whether it may take this one's root, or this one its.</returns>
    internal bool CanShareRootWith(Area next) =>
        End == next.Start && Traits with { Access = next.Traits.Access } == next.Traits && OffsetOf(End) == next.Offset;

    /// <summary>This area and the next one as one.</summary>
    /// <param name="next">The other area, which <see cref="GoesOnInto"/> allows.</param>
    /// <returns>The area.</returns>
    internal Area MergedWith(Area next) => this with
    {
        Range = new VirtRange(Start, next.End.OffsetFrom(Start)),
        AnonRoot = AnonRoot != 0 ? AnonRoot : next.AnonRoot,
        InheritedRoots = AnonRoot != 0 ? InheritedRoots : next.InheritedRoots,
    };

    /// <summary>The part of the area in a range.</summary>
    /// <param name="start">Where it begins, in the area.</param>
    /// <param name="end">Where it ends, in the area and above <paramref name="start"/>.</param>
    /// <returns>The part, an area of its own.</returns>
    public Area Part(VirtAddr start, VirtAddr end) =>
        this with { Range = new VirtRange(start, end.OffsetFrom(start)), Offset = OffsetOf(start) };

    /// <summary>Whether the area shows a page of its backing, or of its own counting, in a run.</summary>
    /// <param name="index">The run's first page.</param>
    /// <param name="pages">How many.</param>
    /// <returns>Whether it shows one of them.</returns>
    internal bool HoldsIndex(ulong index, ulong pages) =>
        index < Offset.Value + Pages.Value && index + pages > Offset.Value;

    /// <summary>Whether the area may map pages of a root.</summary>
    /// <param name="root">The root.</param>
    /// <returns>Whether it may.</returns>
    internal bool HasRoot(ulong root) => root == AnonRoot || Array.IndexOf(InheritedRoots, root) >= 0;

    /// <summary>Where the area shows a page. <b>Linux:</b> vma_address.</summary>
    /// <param name="index">The page, which the area holds.</param>
    /// <returns>The address.</returns>
    internal VirtAddr AddressOf(ulong index) => Start.AddChecked(new PageCount(index - Offset.Value).ToBytes());

    /// <summary>Where the area shows a run of pages, as far as it does.</summary>
    /// <param name="index">The run's first page.</param>
    /// <param name="pages">How many.</param>
    /// <returns>The addresses.</returns>
    internal VirtRange RangeOfPages(ulong index, ulong pages)
    {
        ulong first = Math.Max(index, Offset.Value);
        ulong end = Math.Min(index + pages, Offset.Value + Pages.Value);
        return new VirtRange(AddressOf(first), new PageCount(end - first).ToBytes());
    }
}
