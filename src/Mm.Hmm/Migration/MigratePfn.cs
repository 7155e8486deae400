using System.Runtime.InteropServices;
using Mm.Core;

namespace Mm.Hmm.Migration;

/// <summary>One page of a migration: a source that may go, or a destination that its driver chose.</summary>
/// <remarks>
/// <code>
///  63                                              6 5    4   3   2   1   0
/// |                 frame number                    |  0 | C | W | 0 | M | V |
/// </code>
/// V there is a page, M it is to migrate (a source that lost M stays), W the source's mapping may be written. M alone is a
/// hole: nothing is there, and the driver may put a page of its own there without a copy. C the word stands for a whole folio.
/// <para><b>Linux:</b> MIGRATE_PFN_VALID, MIGRATE_PFN_MIGRATE, MIGRATE_PFN_WRITE, MIGRATE_PFN_SHIFT, migrate_pfn and
/// migrate_pfn_to_page (include/linux/migrate.h, v6.12); MIGRATE_PFN_COMPOUND is of v6.19, and v6.12 never sets it.</para>
/// <para><b>Invariants:</b> (1) a word without a page has no frame and, unless it is a hole, no C; (2) the bits drawn zero are zero.</para>
/// <para><c>default</c> is a page that is not offered, or not provided. Immutable; every step is pure.</para>
/// </remarks>
[StructLayout(LayoutKind.Sequential, Size = 8)]
public readonly record struct MigratePfn
{
    internal const int FrameShift = 6;

    private const ulong ValidBit = 1UL << 0;
    private const ulong MigrateBit = 1UL << 1;
    private const ulong WriteBit = 1UL << 3;
    private const ulong CompoundBit = 1UL << 4;

    internal MigratePfn(ulong bits) => Bits = bits;

    /// <summary>A source that stays, or a destination that the driver did not provide.</summary>
    public static MigratePfn None => default;

    /// <summary>A source where nothing is: the driver may fill it without a copy.</summary>
    public static MigratePfn Hole => new(MigrateBit);

    /// <summary>Whether there is a page.</summary>
    public bool HasPage => (Bits & ValidBit) != 0;

    /// <summary>Whether it is to migrate.</summary>
    public bool Migrates => (Bits & MigrateBit) != 0;

    /// <summary>Whether the mapping of the source may be written.</summary>
    public bool IsWritable => (Bits & WriteBit) != 0;

    /// <summary>Whether it stands for a whole folio, or for a hole that a whole folio may fill.</summary>
    public bool IsCompound => (Bits & CompoundBit) != 0;

    /// <summary>Whether it is offered and nothing is there.</summary>
    public bool IsHole => (Bits & (ValidBit | MigrateBit)) == MigrateBit;

    /// <summary>The page; <see cref="Pfn.Zero"/> without one: ask <see cref="HasPage"/>.</summary>
    public Pfn Page => new(Bits >> FrameShift);

    /// <summary>The raw word.</summary>
    internal ulong Bits { get; }

    /// <summary>A word with a page, of a destination as the driver says it.</summary>
    /// <param name="page">The page.</param>
    /// <returns>The word.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The frame has no address.</exception>
    public static MigratePfn Of(Pfn page)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(page, Pfn.MaxValue);
        return new MigratePfn((page.Value << FrameShift) | ValidBit);
    }

    /// <summary>A source that is offered.</summary>
    /// <param name="page">The page.</param>
    /// <param name="isWritable">Whether its mapping may be written.</param>
    /// <returns>The word.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The frame has no address.</exception>
    public static MigratePfn Offer(Pfn page, bool isWritable) =>
        new(Of(page).Bits | MigrateBit | (isWritable ? WriteBit : 0));

    /// <summary>The same page, not to migrate any more.</summary>
    /// <returns>The word.</returns>
    public MigratePfn Stays() => new(Bits & ~MigrateBit);

    /// <summary>The same hole or page, of a mapping that may be written.</summary>
    /// <returns>The word.</returns>
    public MigratePfn MadeWritable() => new(Bits | WriteBit);

    /// <summary>The same hole or page, as the first word of a whole folio.</summary>
    /// <returns>The word.</returns>
    /// <exception cref="InvalidOperationException">There is no page and no hole.</exception>
    public MigratePfn MadeCompound() => HasPage || Migrates
        ? new MigratePfn(Bits | CompoundBit)
        : throw new InvalidOperationException("neither a page nor a hole: nothing to be compound");

    /// <summary>The word in words: <c>pfn 0x1000 migrates rw</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString()
    {
        string what = HasPage ? $"{Page}" : Migrates ? "hole" : "none";
        return $"{what}{(HasPage && Migrates ? " migrates" : "")}{(IsWritable ? " rw" : "")}{(IsCompound ? " compound" : "")}";
    }
}
