using System.Diagnostics.CodeAnalysis;
using Mm.Core.Checks;

namespace Mm.Core.Spaces;

/// <content>How entries are made, and what they may become.</content>
internal readonly partial record struct Pte
{
    /// <summary>A mapping: neither dirty nor accessed. <b>Linux:</b> mk_pte, pfn_pte.</summary>
    /// <param name="frame">The frame, below 2^40.</param>
    /// <param name="protection">What the CPU may do.</param>
    /// <returns>The entry.</returns>
    public static Pte Present(Pfn frame, PteProtection protection) => new(PteKind.Present, frame.Value, FlagsOf(protection));

    /// <summary>The zero page, read-only. <b>Linux:</b> pte_mkspecial(pfn_pte(my_zero_pfn())).</summary>
    /// <param name="frame">Where the page of zeros lies.</param>
    /// <returns>The entry.</returns>
    public static Pte ZeroPage(Pfn frame) => new(PteKind.Present, frame.Value, AccessibleBit | ZeroPageBit);

    /// <summary>A page on its way. <b>Linux:</b> make_readable_migration_entry and its two sisters.</summary>
    /// <param name="frame">Where it comes from.</param>
    /// <param name="access">What it will be again.</param>
    /// <returns>The entry.</returns>
    public static Pte Migration(Pfn frame, MigrationAccess access) => new(PteKind.Migration, frame.Value, FlagsOf(access));

    /// <summary>A page in a device's private memory. <b>Linux:</b> make_readable_device_private_entry, make_writable_device_private_entry.</summary>
    /// <param name="frame">The device's frame.</param>
    /// <param name="isWritable">Whether the device may write.</param>
    /// <returns>The entry.</returns>
    public static Pte DevicePrivate(Pfn frame, bool isWritable) => new(PteKind.DevicePrivate, frame.Value, isWritable ? WritableBit : 0);

    /// <summary>A page of system memory that a device alone uses. <b>Linux:</b> make_readable_device_exclusive_entry, make_writable_device_exclusive_entry.</summary>
    /// <param name="frame">The frame.</param>
    /// <param name="isWritable">Whether the CPU could write, and will again.</param>
    /// <returns>The entry.</returns>
    public static Pte DeviceExclusive(Pfn frame, bool isWritable) =>
        new(PteKind.DeviceExclusive, frame.Value, isWritable ? WritableBit : 0);

    /// <summary>A frame whose memory is broken. <b>Linux:</b> make_hwpoison_entry.</summary>
    /// <param name="frame">The frame.</param>
    /// <returns>The entry.</returns>
    public static Pte Poisoned(Pfn frame) => new(PteKind.HwPoison, frame.Value, 0);

    /// <summary>A reminder. <b>Linux:</b> make_pte_marker.</summary>
    /// <param name="markers">Of what; something.</param>
    /// <returns>The entry.</returns>
    public static Pte Marker(PteMarkers markers)
    {
        Check.That((int)markers is > 0 and <= 3, "invariant 8: a marker marks something");
        return new Pte(PteKind.Marker, (ulong)markers, 0);
    }

    /// <summary>A mapping's protection anew; dirty, accessed and the rest stay. <b>Linux:</b> pte_modify.</summary>
    /// <param name="protection">What the CPU may do from now on; not more than read of the zero page.</param>
    /// <returns>The entry.</returns>
    public Pte Modify(PteProtection protection)
    {
        RequirePresent();
        Require(!IsZeroPage || protection != PteProtection.ReadWrite, "invariant 5: the zero page is never writable");
        return new Pte((Bits & ~(AccessibleBit | WritableBit)) | FlagsOf(protection));
    }

    /// <summary><b>Linux:</b> pte_mkwrite.</summary>
    /// <returns>The entry, writable.</returns>
    public Pte MakeWritable()
    {
        Require(IsAccessible && !IsZeroPage, "invariants 2, 5: cannot make writable");
        return new Pte(Bits | WritableBit);
    }

    /// <summary>Dirty stays: what was written still has to be kept. <b>Linux:</b> pte_wrprotect.</summary>
    /// <returns>The entry, read-only.</returns>
    public Pte MakeWriteProtected() => Without(WritableBit);

    /// <summary><b>Linux:</b> pte_mkdirty, which sets soft-dirty too.</summary>
    /// <returns>The entry, dirty.</returns>
    public Pte MakeDirty() => With(DirtyBit | SoftDirtyBit);

    /// <summary><b>Linux:</b> pte_mkclean.</summary>
    /// <returns>The entry, clean.</returns>
    public Pte MakeClean() => Without(DirtyBit);

    /// <summary><b>Linux:</b> pte_mkyoung.</summary>
    /// <returns>The entry, accessed.</returns>
    public Pte MakeAccessed() => With(AccessedBit);

    /// <summary><b>Linux:</b> pte_mkold.</summary>
    /// <returns>The entry, not accessed.</returns>
    public Pte MakeOld() => Without(AccessedBit);

    /// <summary>A frame without struct page. <b>Linux:</b> pte_mkspecial.</summary>
    /// <returns>The entry, special.</returns>
    public Pte MakeSpecial()
    {
        Require(!IsZeroPage && !IsAnonExclusive, "invariants 4, 5: cannot make special");
        return With(SpecialBit);
    }

    /// <summary><b>Linux:</b> SetPageAnonExclusive.</summary>
    /// <returns>The entry, whose page belongs to this process alone.</returns>
    public Pte MakeAnonExclusive()
    {
        Require(IsPresent || IsDevicePrivate || IsDeviceExclusive, "invariant 4: cannot make exclusive");
        Require(!IsSpecial && !IsZeroPage, "invariant 4: cannot make exclusive");
        return new Pte(Bits | ExclusiveBit);
    }

    /// <summary><b>Linux:</b> ClearPageAnonExclusive.</summary>
    /// <returns>The entry, whose page may be shared.</returns>
    public Pte ClearAnonExclusive()
    {
        Require(IsPresent || IsDevicePrivate || IsDeviceExclusive, "invariant 4: cannot make shared");
        return new Pte(Bits & ~ExclusiveBit);
    }

    /// <summary><b>Linux:</b> pte_mksoft_dirty, pte_swp_mksoft_dirty.</summary>
    /// <returns>The entry, soft-dirty; none and markers, which have no page, as they are.</returns>
    public Pte MakeSoftDirty() => HasFrame ? new Pte(Bits | SoftDirtyBit) : this;

    /// <summary><b>Linux:</b> pte_clear_soft_dirty, pte_swp_clear_soft_dirty.</summary>
    /// <returns>The entry, not soft-dirty.</returns>
    public Pte ClearSoftDirty() => HasFrame ? new Pte(Bits & ~SoftDirtyBit) : this;

    /// <summary>The entry that stands while the page moves. <b>Linux:</b> what try_to_migrate_one and migrate_vma_collect_pmd put there.</summary>
    /// <returns>The migration entry: writable, readable-exclusive or readable as this one; dirty and accessed go along.</returns>
    public Pte ToMigration()
    {
        Require((IsPresent && !IsSpecial && !IsZeroPage) || IsDevicePrivate, "cannot migrate");
        ulong flags = Bits & (DirtyBit | AccessedBit | SoftDirtyBit | LargeBit | WritableBit | ExclusiveBit);
        flags = (flags & WritableBit) != 0 ? flags & ~ExclusiveBit : flags;
        return new Pte(PteKind.Migration, Number, flags);
    }

    /// <summary>The mapping again, after migration or exclusive access. <b>Linux:</b> remove_migration_pte, restore_exclusive_pte.</summary>
    /// <param name="frame">Where the page lies now.</param>
    /// <param name="isAnonymous">Whether it belongs to processes and not to a file.</param>
    /// <param name="protection">What entries of the area have by themselves: an area may have changed meanwhile.</param>
    /// <returns>The entry. One that was device-exclusive and writable comes back dirty: the device may have written.</returns>
    public Pte ToPresent(Pfn frame, bool isAnonymous, PteProtection protection)
    {
        Pte entry = ToPresent(frame, isAnonymous);
        return protection switch
        {
            PteProtection.None => entry.Modify(PteProtection.None),
            PteProtection.ReadWrite => entry.MakeWritable(),
            _ => entry,
        };
    }

    /// <summary>The mapping again, readable, and writable as the entry says.</summary>
    /// <param name="frame">Where the page lies now.</param>
    /// <param name="isAnonymous">Whether it belongs to processes and not to a file.</param>
    /// <returns>The entry.</returns>
    public Pte ToPresent(Pfn frame, bool isAnonymous)
    {
        Require(IsMigration || IsDeviceExclusive, "cannot restore");
        Require(!IsLarge || frame.IsAligned(PageSize.Large.Order), "invariant 6: large leaf off its size");
        ulong kept = Bits & (WritableBit | DirtyBit | AccessedBit | SoftDirtyBit | LargeBit);
        bool isExclusive = IsMigration ? isAnonymous && !IsReadableMigration : IsAnonExclusive;
        var entry = new Pte(PteKind.Present, frame.Value, kept | AccessibleBit | (isExclusive ? ExclusiveBit : 0));
        return IsWritableDeviceExclusive ? entry.MakeDirty() : entry;
    }

    /// <summary>The mapping that takes the place of a device-exclusive entry which was taken for one of migration.</summary>
    /// <param name="protection">What entries of the area have by themselves.</param>
    /// <returns>The entry: never writable by itself, of a page that is this process's alone. <b>Linux:</b> remove_migration_pte (v6.12).</returns>
    public Pte ToPresentMistaken(PteProtection protection)
    {
        Require(IsDeviceExclusive, "cannot be mistaken");
        Pte entry = Present(Frame, protection == PteProtection.None ? PteProtection.None : PteProtection.Read).MakeAnonExclusive();
        return IsSoftDirty ? entry.MakeSoftDirty() : entry;
    }

    /// <summary>The entry of a page that has arrived in a device's private memory. <b>Linux:</b> remove_migration_pte.</summary>
    /// <param name="frame">The device's frame.</param>
    /// <returns>The device-private entry: writable when this one was; private pages are anonymous, so exclusive unless readable.</returns>
    public Pte ToDevicePrivate(Pfn frame)
    {
        Require(IsMigration, "cannot arrive on a device");
        Require(!IsLarge || frame.IsAligned(PageSize.Large.Order), "invariant 6: large leaf off its size");
        ulong exclusive = IsReadableMigration ? 0 : ExclusiveBit;
        return new Pte(PteKind.DevicePrivate, frame.Value, (Bits & (WritableBit | SoftDirtyBit | LargeBit)) | exclusive);
    }

    /// <summary>The entry that keeps the CPU out while a device has the page. <b>Linux:</b> page_make_device_exclusive_one.</summary>
    /// <returns>The device-exclusive entry; that it was dirty is for the caller to note on the page.</returns>
    public Pte ToDeviceExclusive()
    {
        Require(IsPresent && !IsLarge && !IsSpecial && !IsZeroPage, "cannot give to a device");
        return new Pte(PteKind.DeviceExclusive, Number, Bits & (WritableBit | ExclusiveBit | SoftDirtyBit));
    }

    /// <summary>What fork leaves of a non-present entry in both processes. <b>Linux:</b> copy_nonpresent_pte with make_readable_*_entry.</summary>
    /// <returns>The entry in its readable form, its page no longer this process's alone.</returns>
    public Pte MakeReadable()
    {
        Require(IsMigration || IsDevicePrivate || IsDeviceExclusive, "has no readable form");
        return new Pte(Bits & ~(WritableBit | ExclusiveBit));
    }

    /// <summary>What taking write access away leaves of a non-present entry whose page stays this process's alone. <b>Linux:</b> change_pte_range with make_readable_device_private_entry, make_readable_device_exclusive_entry.</summary>
    /// <returns>The entry, not writable.</returns>
    public Pte MakeWriteless()
    {
        Require(IsDevicePrivate || IsDeviceExclusive, "has no form without write access");
        return new Pte(Bits & ~WritableBit);
    }

    /// <summary>What taking write access away leaves of a writable migration entry of an anonymous page. <b>Linux:</b> change_pte_range with make_readable_exclusive_migration_entry.</summary>
    /// <returns>The readable-exclusive entry.</returns>
    public Pte MakeReadableExclusive()
    {
        Require(IsWritableMigration, "has no readable-exclusive form");
        return new Pte((Bits & ~WritableBit) | ExclusiveBit);
    }

    /// <summary>The leaf of 2 MiB. <b>Linux:</b> pmd_mkhuge.</summary>
    /// <returns>The entry, for a slot of 2 MiB.</returns>
    public Pte MakeLarge()
    {
        var large = new Pte(Bits | LargeBit);
        Require(large.IsLegal, "invariant 6: cannot be large");
        return large;
    }

    /// <summary>One of the 512 entries that a leaf of 2 MiB is worth. <b>Linux:</b> __split_huge_pmd_locked.</summary>
    /// <param name="index">Which, in [0, 512).</param>
    /// <returns>The small entry.</returns>
    public Pte SplitPart(int index)
    {
        Require(IsLarge && index is >= 0 and < 512, "cannot take part");
        return new Pte((Bits & ~LargeBit) + ((ulong)index << FrameShift));
    }

    /// <summary>An entry of an upper table.</summary>
    /// <param name="number">Which table.</param>
    /// <returns>The entry.</returns>
    internal static Pte Table(ulong number) => new(PteKind.Table, number, 0);

    private static ulong FlagsOf(PteProtection protection) => protection switch
    {
        PteProtection.None => 0,
        PteProtection.Read => AccessibleBit,
        _ => AccessibleBit | WritableBit,
    };

    private static ulong FlagsOf(MigrationAccess access) => access switch
    {
        MigrationAccess.Readable => 0,
        MigrationAccess.ReadableExclusive => ExclusiveBit,
        _ => WritableBit,
    };

    private Pte With(ulong bits)
    {
        RequirePresent();
        return new Pte(Bits | bits);
    }

    private Pte Without(ulong bits)
    {
        RequirePresent();
        return new Pte(Bits & ~bits);
    }

    private void RequirePresent() => Require(IsPresent, "not a present entry");

    // The text is made only when it is needed: these run for every page.
    private void Require([DoesNotReturnIf(false)] bool condition, string rule)
    {
        if (!condition)
        {
            Check.That(false, $"{rule}: {this}");
        }
    }
}
