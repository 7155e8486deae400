using Mm.Core.Checks;
using Mm.Core.Frames;
using Mm.Core.Locking;
using Mm.Core.Native;
using Mm.Core.Pagemaps;
using Mm.Core.Policies;

namespace Mm.Core.Spaces;

/// <summary>The address spaces of a machine, the files that they map, and what they share.</summary>
/// <remarks>
/// Owns the pages of zeros, the numbers of families and files, and the list of living spaces. Not responsible for what a
/// space does.
/// <para><b>Linux:</b> mm_alloc, the zero pages, and the indices behind folio-&gt;mapping (v6.12).</para>
/// <para><b>Locking:</b> safe from any thread.</para>
/// </remarks>
public sealed partial class AddressSpaces : IDisposable, IValidator
{
    private readonly RankedLock gate = new(LockRank.Leaf);
    private readonly List<AddressSpace> spaces = []; // protected by gate
    private readonly Dictionary<ulong, MemoryFile> filesByWord = []; // protected by gate
    private readonly Dictionary<ulong, SpaceFamily> families = []; // protected by gate; those with members
    private readonly List<Pfn> lost = []; // protected by gate: a page for each reference
    private ulong lastFamily; // protected by gate
    private ulong lastFile; // protected by gate
    private ulong lastRoot; // atomic
    private PageRef zeroPage; // written once under gate, before a space exists
    private PageRef largeZeroPage; // protected by gate

    internal AddressSpaces(SpaceParts parts)
    {
        Parts = parts;
        Nodes = parts.Nodes ?? new NumaNodes(parts.Allocator);
        PageLocks = new PageLocks(parts.Frames, new WaitQueue(parts.Points));
        ReverseMap = new ReverseMap(this);
        Migration = new PageMigration(this);
    }

    /// <summary>How many address spaces live.</summary>
    public int Count
    {
        get
        {
            using RankedLock.Guard _ = gate.Enter();
            return spaces.Count;
        }
    }

    internal SpaceParts Parts { get; }

    /// <summary>The machine's nodes.</summary>
    internal NumaNodes Nodes { get; }

    internal PageLocks PageLocks { get; }

    internal ReverseMap ReverseMap { get; }

    internal PageMigration Migration { get; }

    /// <summary>The small page of zeros. <b>Linux:</b> my_zero_pfn.</summary>
    internal Pfn ZeroPage => zeroPage.Page;

    /// <summary>Makes an empty address space, of a new family.</summary>
    /// <param name="space">The space; the caller disposes it.</param>
    /// <returns>Ok; ENOMEM: no memory for the page of zeros.</returns>
    /// <remarks><b>Linux:</b> mm_alloc.</remarks>
    public Errno TryCreate(out AddressSpace? space)
    {
        space = null;
        Errno errno = TryMakeZeroPage();
        if (!errno.IsOk)
        {
            return errno;
        }

        SpaceFamily family;
        using (gate.Enter())
        {
            family = new SpaceFamily(++lastFamily);
            families.Add(family.Id, family);
        }

        space = Add(new AddressSpace(this, family));
        return Errno.Ok;
    }

    /// <summary>Makes an empty file in memory.</summary>
    /// <param name="allowsSealing">Whether seals may be added. <b>Linux:</b> MFD_ALLOW_SEALING.</param>
    /// <returns>The file; the caller disposes it, and mappings keep it.</returns>
    /// <remarks><b>Linux:</b> memfd_create.</remarks>
    public MemoryFile CreateFile(bool allowsSealing = false)
    {
        using RankedLock.Guard _ = gate.Enter();
        ulong word = ++lastFile << 1;
        var file = new MemoryFile(Parts.Allocator, Parts.Bytes, allowsSealing)
        {
            MappingWord = word,
            OwnPlacement = new Placement(Parts.Allocator, Nodes),
            Ended = Forget,
        };
        filesByWord.Add(word, file);
        return file;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (AddressSpace space in Snapshot())
        {
            space.Dispose();
        }

        PageRef small;
        PageRef large;
        Pfn[] unfound;
        using (gate.Enter())
        {
            (small, large) = (zeroPage, largeZeroPage);
            zeroPage = default;
            largeZeroPage = default;
            unfound = [.. lost];
            lost.Clear();
        }

        // Without the gate: the first put of a thread enters the allocator's leaf.
        small.Dispose();
        large.Dispose();
        Array.ForEach(unfound, Parts.Frames.PutFrame);
    }

    /// <summary>Nobody knows of a reference any more; it is put when all spaces end. <see cref="LinuxProfile.FailedMovesEndExclusive"/></summary>
    /// <param name="page">Of which page.</param>
    internal void Lose(Pfn page)
    {
        using RankedLock.Guard _ = gate.Enter();
        lost.Add(page);
    }

    internal AddressSpace Add(AddressSpace space)
    {
        using RankedLock.Guard guard = gate.Enter();
        spaces.Add(space);
        return space;
    }

    internal void Remove(AddressSpace space)
    {
        using RankedLock.Guard guard = gate.Enter();
        _ = spaces.Remove(space);
        if (space.Family.Members.IsEmpty)
        {
            _ = families.Remove(space.Family.Id);
        }
    }

    internal ulong NextRoot() => Interlocked.Increment(ref lastRoot);

    /// <summary>The living spaces.</summary>
    /// <returns>A copy of the list.</returns>
    internal AddressSpace[] Snapshot()
    {
        using RankedLock.Guard _ = gate.Enter();
        return [.. spaces];
    }

    /// <summary>The family that a page belongs to.</summary>
    /// <param name="mapping">What the page remembers.</param>
    /// <returns>The family, or null when none of it lives.</returns>
    internal SpaceFamily? FindFamily(AnonMapping mapping)
    {
        using RankedLock.Guard _ = gate.Enter();
        return families.GetValueOrDefault(mapping.Family);
    }

    /// <summary>The file that a page belongs to.</summary>
    /// <param name="word">The page's mapping word.</param>
    /// <returns>The file, or null.</returns>
    internal MemoryFile? FindFile(ulong word)
    {
        using RankedLock.Guard _ = gate.Enter();
        return filesByWord.GetValueOrDefault(word);
    }

    /// <summary>The page of zeros of 2 MiB, made when it is first wanted. <b>Linux:</b> mm_get_huge_zero_folio.</summary>
    /// <param name="page">Its first frame.</param>
    /// <returns>Whether there is one, or memory for one.</returns>
    internal bool TryGetLargeZeroPage(out Pfn page)
    {
        using (gate.Enter())
        {
            page = largeZeroPage.Page;
            if (!largeZeroPage.IsEmpty)
            {
                return true;
            }
        }

        AllocationRequest request = AllocationRequest.User with { Order = PageSize.Large.Order, IsZeroed = true };
        if (!Parts.Allocator.TryAllocate(request, out PageRef fresh).IsOk)
        {
            return false;
        }

        using (gate.Enter())
        {
            (largeZeroPage, fresh) = largeZeroPage.IsEmpty ? (fresh, default) : (largeZeroPage, fresh);
            page = largeZeroPage.Page;
        }

        fresh.Dispose();
        return true;
    }

    /// <summary>What a page is counted under.</summary>
    /// <param name="page">The page.</param>
    /// <returns>The kind.</returns>
    internal RssKind KindOf(Pfn page)
    {
        if (IsAnonymous(page))
        {
            return RssKind.Anonymous;
        }

        PageFlags flags = Parts.Frames.FlagsOf(Parts.Frames.HeadOf(page, out _));
        return (flags & PageFlags.SwapBacked) != PageFlags.None ? RssKind.Shared : RssKind.File;
    }

    /// <summary>Whether a page belongs to processes and not to a file. <b>Linux:</b> PageAnon.</summary>
    /// <param name="page">The page.</param>
    /// <returns>Whether it does.</returns>
    internal bool IsAnonymous(Pfn page) => (Parts.Frames.BelongsTo(page).Mapping & PageMeta.AnonMapping) != 0;

    /// <summary>Whether a page is in memory that no CPU can address. <b>Linux:</b> is_device_private_page.</summary>
    /// <param name="page">The page, which the caller holds.</param>
    /// <returns>Whether it is.</returns>
    internal bool IsDevicePrivate(Pfn page) => KindOfDevice(page) == PagemapKind.DevicePrivate;

    /// <summary>Whether a page is in device memory that CPUs address coherently. <b>Linux:</b> is_device_coherent_page.</summary>
    /// <param name="page">The page, which the caller holds.</param>
    /// <returns>Whether it is.</returns>
    internal bool IsDeviceCoherent(Pfn page) => KindOfDevice(page) == PagemapKind.DeviceCoherent;

    /// <summary>Whose page map a device's page is in. <b>Linux:</b> page-&gt;pgmap-&gt;owner.</summary>
    /// <param name="page">The page, which an entry holds.</param>
    /// <returns>The owner, or null.</returns>
    internal object? OwnerOf(Pfn page) => Parts.Pagemaps.TryFindHeld(page, out Pagemap? map) ? map.Owner : null;

    /// <summary>Copies a page's bytes.</summary>
    /// <param name="from">A page that the CPU can read.</param>
    /// <param name="to">A page of RAM that nobody else sees.</param>
    internal void CopyPage(Pfn from, Pfn to)
    {
        using SpanLease source = LeasePage(from);
        using SpanLease target = LeasePage(to);
        ByteCopy.Plain(source.Bytes, target.Bytes);
    }

    /// <summary>The bytes of a page that the CPU can reach.</summary>
    /// <param name="page">The page.</param>
    /// <returns>The lease.</returns>
    internal SpanLease LeasePage(Pfn page)
    {
        bool isLeased = Parts.Bytes.TryLease(new PhysRange(page.Address, PageSize.Small.Bytes), out SpanLease lease).IsOk;
        Check.That(isLeased, "a page that the CPU maps has bytes");
        return lease;
    }

    /// <summary>The bytes behind an entry. Those of a device may be gone with it: a bus answers with ones then, and forgets what
    /// is written.</summary>
    /// <param name="entry">A present entry.</param>
    /// <param name="lease">The lease; empty when there are none.</param>
    /// <returns>Whether there are bytes.</returns>
    internal bool TryLeaseFrame(Pte entry, out SpanLease lease)
    {
        bool isThere = Parts.Bytes.TryLease(new PhysRange(entry.Frame.Address, PageSize.Small.Bytes), out lease).IsOk;
        Check.That(isThere || entry.IsSpecial || Parts.Frames.IsDevice(entry.Frame), "a page of RAM that the CPU maps has bytes");
        return isThere;
    }

    private PagemapKind KindOfDevice(Pfn page) =>
        Parts.Frames.IsDevice(page) && Parts.Pagemaps.TryFindHeld(page, out Pagemap? map) ? map.Kind : PagemapKind.Unset;

    private Errno TryMakeZeroPage()
    {
        using (gate.Enter())
        {
            if (!zeroPage.IsEmpty)
            {
                return Errno.Ok;
            }
        }

        Errno errno = Parts.Allocator.TryAllocate(AllocationRequest.Kernel with { IsZeroed = true }, out PageRef fresh);
        if (errno.IsOk)
        {
            using (gate.Enter())
            {
                (zeroPage, fresh) = zeroPage.IsEmpty ? (fresh, default) : (zeroPage, fresh);
            }

            fresh.Dispose();
        }

        return errno;
    }

    private void Forget(MemoryFile file)
    {
        using RankedLock.Guard guard = gate.Enter();
        _ = filesByWord.Remove(file.MappingWord);
    }
}
