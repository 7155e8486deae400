using System.Runtime.InteropServices;
using Mm.Core.Checks;

namespace Mm.Core.Spaces;

/// <summary>One packed page-table entry: what stands at one page of an address space.</summary>
/// <remarks>
/// <code>
///  63 62  60 59     52 51                              12 11   9  8   7   6   5   4   3   2   1   0
/// | 0 | kind |  (zero)  | frame, marker or table number   |(zero)| Z | L | S | SD| X | A | D | W | P |
/// </code>
/// P the CPU may use it; W it may write (of a non-present entry: it will, or the device may); D dirty; A accessed;
/// X the anonymous page belongs to this process alone; SD soft-dirty; S a frame without struct page; L a leaf of 2 MiB;
/// Z the zero page. P, W and the frame stand where the hardware has them, so that a whole table is read with shifts.
/// Knows nothing of pages, references or tables: tables keep entries, and their callers count references.
/// <para><b>Linux:</b> pte_t and pmd_t of x86-64 and the swap entries of include/linux/swapops.h (v6.12). Deliberate
/// differences: the kind has a field of its own instead of a swap type; anonymous exclusivity, a flag of struct page
/// there, stands in the one entry that can have it; the zero page has a bit instead of one known frame.</para>
/// <para><b>States:</b> none → present ↔ migration, device-exclusive; none → device-private ↔ migration; any → none.</para>
/// <para><b>Invariants:</b> (1) none is all zero; (2) P only when present, and W of a present entry only with P;
/// (3) D and A only when present or migrating; (4) X never with S or Z, and of a migration entry never with W, which
/// says the same; (5) S and Z only when present, never both, and Z never with W; (6) L only when present, migrating or
/// device-private, on a frame that is a multiple of 512; (7) frames lie below 2^40; (8) a marker marks something, and
/// it and a table carry no flags.</para>
/// <para><c>default</c> is none. Immutable; every operation is pure, and asking one of an entry that has no such
/// transition is a bug in Mm.</para>
/// </remarks>
[StructLayout(LayoutKind.Sequential, Size = 8)]
internal readonly partial record struct Pte
{
    /// <summary>P: the CPU may use the entry. In place for readers of whole tables.</summary>
    internal const ulong AccessibleBit = 1UL << 0;

    /// <summary>W: writable.</summary>
    internal const ulong WritableBit = 1UL << 1;

    /// <summary>S: a frame without struct page.</summary>
    internal const ulong SpecialBit = 1UL << 6;

    /// <summary>Where the frame number begins.</summary>
    internal const int FrameShift = 12;

    /// <summary>The frame number, once shifted down.</summary>
    internal const ulong FrameNumberMask = (1UL << 40) - 1;

    private const ulong DirtyBit = 1UL << 2;
    private const ulong AccessedBit = 1UL << 3;
    private const ulong ExclusiveBit = 1UL << 4;
    private const ulong SoftDirtyBit = 1UL << 5;
    private const ulong LargeBit = 1UL << 7;
    private const ulong ZeroPageBit = 1UL << 8;
    private const ulong FlagsMask = (1UL << 9) - 1;
    private const ulong FrameMask = FrameNumberMask << FrameShift;
    private const int KindShift = 60;

    /// <summary>An entry from its bits, as they were read from a table.</summary>
    /// <param name="bits">The bits; <see cref="IsLegal"/> says whether they mean anything.</param>
    internal Pte(ulong bits) => Bits = bits;

    private Pte(PteKind kind, ulong number, ulong flags)
    {
        Check.That(number <= FrameNumberMask, "invariant 7: frames lie below 2^40");
        Bits = ((ulong)kind << KindShift) | (number << FrameShift) | flags;
    }

    /// <summary>The bits.</summary>
    public ulong Bits { get; }

    /// <summary>What it is.</summary>
    public PteKind Kind => (PteKind)(Bits >> KindShift);

    /// <summary>Nothing here. <b>Linux:</b> pte_none.</summary>
    public bool IsNone => Bits == 0;

    /// <summary>A frame is mapped, usable or not. <b>Linux:</b> pte_present.</summary>
    public bool IsPresent => Kind == PteKind.Present;

    /// <summary>The CPU may read through it. <b>Linux:</b> pte_present and not pte_protnone.</summary>
    public bool IsAccessible => Has(AccessibleBit);

    /// <summary>Mapped, but not for use. <b>Linux:</b> pte_protnone.</summary>
    public bool IsProtNone => IsPresent && !IsAccessible;

    /// <summary>The CPU may write through it. <b>Linux:</b> pte_write.</summary>
    public bool IsWritable => IsPresent && Has(WritableBit);

    /// <summary>Written to through this entry. <b>Linux:</b> pte_dirty, is_migration_entry_dirty.</summary>
    public bool IsDirty => Has(DirtyBit);

    /// <summary>Used through this entry. <b>Linux:</b> pte_young, is_migration_entry_young.</summary>
    public bool IsAccessed => Has(AccessedBit);

    /// <summary>Written to since the process last asked to track that. <b>Linux:</b> pte_soft_dirty, pte_swp_soft_dirty.</summary>
    public bool IsSoftDirty => Has(SoftDirtyBit);

    /// <summary>The anonymous page belongs to this process alone, told by the X bit. <b>Linux:</b> PageAnonExclusive.</summary>
    public bool IsAnonExclusive => Has(ExclusiveBit);

    /// <summary>A frame that no struct page is to be sought for. <b>Linux:</b> pte_special and not is_zero_pfn.</summary>
    public bool IsSpecial => Has(SpecialBit);

    /// <summary>The shared page of zeros. <b>Linux:</b> is_zero_pfn(pte_pfn()).</summary>
    public bool IsZeroPage => Has(ZeroPageBit);

    /// <summary>A leaf of 2 MiB. <b>Linux:</b> pmd_leaf.</summary>
    public bool IsLarge => Has(LargeBit);

    /// <summary>Neither present nor none: what a walker must think about. <b>Linux:</b> is_swap_pte.</summary>
    public bool IsNonPresent => Kind > PteKind.Present;

    /// <summary>A page on its way. <b>Linux:</b> is_migration_entry.</summary>
    public bool IsMigration => Kind == PteKind.Migration;

    /// <summary><b>Linux:</b> is_writable_migration_entry.</summary>
    public bool IsWritableMigration => IsMigration && Has(WritableBit);

    /// <summary><b>Linux:</b> is_readable_exclusive_migration_entry.</summary>
    public bool IsReadableExclusiveMigration => IsMigration && Has(ExclusiveBit);

    /// <summary><b>Linux:</b> is_readable_migration_entry.</summary>
    public bool IsReadableMigration => IsMigration && (Bits & (WritableBit | ExclusiveBit)) == 0;

    /// <summary><b>Linux:</b> is_device_private_entry.</summary>
    public bool IsDevicePrivate => Kind == PteKind.DevicePrivate;

    /// <summary><b>Linux:</b> is_writable_device_private_entry.</summary>
    public bool IsWritableDevicePrivate => IsDevicePrivate && Has(WritableBit);

    /// <summary><b>Linux:</b> is_device_exclusive_entry.</summary>
    public bool IsDeviceExclusive => Kind == PteKind.DeviceExclusive;

    /// <summary><b>Linux:</b> is_writable_device_exclusive_entry.</summary>
    public bool IsWritableDeviceExclusive => IsDeviceExclusive && Has(WritableBit);

    /// <summary><b>Linux:</b> is_hwpoison_entry.</summary>
    public bool IsHwPoison => Kind == PteKind.HwPoison;

    /// <summary><b>Linux:</b> is_pte_marker_entry.</summary>
    public bool IsMarker => Kind == PteKind.Marker;

    /// <summary>Names a frame: all but none, markers and tables. <b>Linux:</b> pte_present or is_pfn_swap_entry.</summary>
    public bool HasFrame => Kind is >= PteKind.Present and <= PteKind.HwPoison;

    /// <summary>The frame. <b>Linux:</b> pte_pfn, swp_offset_pfn.</summary>
    /// <exception cref="MmBugException">The entry names none.</exception>
    public Pfn Frame
    {
        get
        {
            Check.That(HasFrame, "the entry has no frame");
            return new Pfn(Number);
        }
    }

    /// <summary>What a marker remembers; none of any other entry. <b>Linux:</b> pte_marker_get.</summary>
    public PteMarkers Markers => IsMarker ? (PteMarkers)Number : PteMarkers.None;

    /// <summary>The lower table that a table entry names.</summary>
    internal ulong TableNumber => Number;

    /// <summary>Whether the bits obey the invariants of the type.</summary>
    internal bool IsLegal => Kind switch
    {
        PteKind.None => IsNone,
        PteKind.Marker => (Bits & FlagsMask) == 0 && HasZeroGaps && Number is > 0 and <= 3,
        PteKind.Table => (Bits & FlagsMask) == 0 && HasZeroGaps,
        _ => HasZeroGaps && AreFlagsLegal,
    };

    private ulong Number => (Bits >> FrameShift) & FrameNumberMask;

    private bool HasZeroGaps => (Bits & ~((7UL << KindShift) | FrameMask | FlagsMask)) == 0;

    private bool AreFlagsLegal => (Bits & FlagsMask & ~LegalFlags(Kind)) == 0
        && !(IsPresent && Has(WritableBit) && !Has(AccessibleBit))
        && !(Has(ExclusiveBit) && (Bits & (SpecialBit | ZeroPageBit)) != 0)
        && !(IsMigration && Has(ExclusiveBit) && Has(WritableBit))
        && !(Has(ZeroPageBit) && (Bits & (SpecialBit | WritableBit)) != 0)
        && !(Has(LargeBit) && (Number & (PageSize.Large.Pages.Value - 1)) != 0);

    /// <summary>Kind, frame and flags: <c>Present pfn 0x10 W A</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString()
    {
        if (!HasFrame)
        {
            return IsMarker ? $"Marker {Markers}" : IsNone ? "None" : $"Table {Number}";
        }

        ulong bits = Bits;
        string[] names = ["P", "W", "D", "A", "X", "SD", "S", "L", "Z"];
        return string.Join(' ', names.Where((_, bit) => (bits >> bit & 1) != 0).Prepend($"{Kind} {Frame}"));
    }

    private static ulong LegalFlags(PteKind kind) => kind switch
    {
        PteKind.Present => FlagsMask,
        PteKind.Migration => WritableBit | DirtyBit | AccessedBit | ExclusiveBit | SoftDirtyBit | LargeBit,
        PteKind.DevicePrivate => WritableBit | ExclusiveBit | SoftDirtyBit | LargeBit,
        PteKind.DeviceExclusive => WritableBit | ExclusiveBit | SoftDirtyBit,
        _ => SoftDirtyBit,
    };

    private bool Has(ulong bit) => (Bits & bit) != 0;
}
