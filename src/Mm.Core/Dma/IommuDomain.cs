using Mm.Core.Checks;
using Mm.Core.Locking;

namespace Mm.Core.Dma;

/// <summary>One I/O address space behind an IOMMU: which addresses are taken, and where each page of them leads.</summary>
/// <remarks>
/// Owns the I/O addresses and the I/O page table. Devices may share a domain, as the functions of one IOMMU group do,
/// and then see one another's mappings. Peers' bus addresses never come here.
/// <para><b>Linux:</b> struct iommu_domain of type IOMMU_DOMAIN_DMA with its iova_domain (v6.12). Deliberate
/// differences: always strict (no flush queue); the holes that a segment boundary forces into a window stay unmapped,
/// where iommu_dma_map_sg maps whatever memory follows the previous entry.</para>
/// <para><b>Invariants:</b> (1) nothing is mapped outside of a taken run; (2) address 0 is never taken, so that it never
/// means a mapping; (3) a refused call changes neither the runs nor the leaves.</para>
/// <para><b>Locking:</b> one lock, rank IovaSpace, for addresses and page table alike: both change together here, and a
/// refusal of either must undo the other.</para>
/// </remarks>
public sealed class IommuDomain
{
    private readonly RankedLock gate = new(LockRank.IovaSpace);
    private readonly IovaAllocator iovas; // protected by gate
    private readonly IoPageTable pages; // protected by gate
    private readonly DmaAddr last; // immutable
    private readonly FaultInjector? faults; // immutable

    /// <summary>An empty space of 48-bit addresses.</summary>
    /// <param name="name">What reports call it.</param>
    public IommuDomain(string name)
        : this(name, DmaAddr.Zero, HighestAddress)
    {
    }

    /// <summary>An empty space of some addresses.</summary>
    /// <param name="name">What reports call it.</param>
    /// <param name="first">The lowest address to hand out; rounded up to a page, and never 0.</param>
    /// <param name="last">The highest address to hand out, below 2^48.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="last"/> is below <paramref name="first"/> or not below 2^48.</exception>
    public IommuDomain(string name, DmaAddr first, DmaAddr last)
        : this(name, first, last, faults: null)
    {
    }

    internal IommuDomain(string name, DmaAddr first, DmaAddr last, FaultInjector? faults)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (last < first || last.Value >> IoPageTable.AddressBits != 0)
        {
            throw new ArgumentOutOfRangeException(nameof(last), last, $"last must be in [{first}, 2^48)");
        }

        Name = name;
        this.last = last;
        iovas = new IovaAllocator(first);
        this.faults = faults;
        pages = new IoPageTable(faults is null ? null : () => faults.ShouldFail(TableFault));
    }

    /// <summary>The highest I/O address that any domain has: 2^48 - 1.</summary>
    public static DmaAddr HighestAddress { get; } = new((1UL << IoPageTable.AddressBits) - 1);

    /// <summary>Where taking I/O addresses can be made to fail.</summary>
    public static FaultPoint WindowFault { get; } = new("fail_iova_alloc");

    /// <summary>Where taking a page for an I/O page table can be made to fail.</summary>
    public static FaultPoint TableFault { get; } = new("fail_io_table_alloc");

    /// <summary>What reports call it.</summary>
    public string Name { get; }

    /// <summary>The I/O addresses taken, reservations and rounding included.</summary>
    public ByteCount UsedAddresses
    {
        get
        {
            using (gate.Enter())
            {
                return iovas.UsedPages.ToBytes();
            }
        }
    }

    /// <summary>The bytes that are mapped.</summary>
    public ByteCount MappedBytes
    {
        get
        {
            using (gate.Enter())
            {
                return pages.SmallLeaves.ToBytes().AddChecked(new ByteCount(pages.LargeLeaves << PageSize.Large.Shift));
            }
        }
    }

    /// <summary>The pages of I/O page tables in use, the root included.</summary>
    public PageCount TablePages
    {
        get
        {
            using (gate.Enter())
            {
                return new PageCount((ulong)pages.TableCount);
            }
        }
    }

    /// <summary>Keeps a span from ever being handed out: a host bridge's window, the interrupt region. Spans may overlap.</summary>
    /// <param name="start">The first address, rounded down to a page.</param>
    /// <param name="length">How many bytes, rounded up to a page.</param>
    /// <remarks><b>Linux:</b> reserve_iova, iova_reserve_pci_windows (v6.12).</remarks>
    public void Reserve(DmaAddr start, ByteCount length)
    {
        using (gate.Enter())
        {
            iovas.Reserve(start, length);
        }
    }

    /// <summary>Where a device's access leads.</summary>
    /// <param name="address">The I/O address.</param>
    /// <param name="target">The physical address, or 0 when nothing is mapped there.</param>
    /// <param name="access">What the device may do there; none when nothing is mapped.</param>
    /// <returns>Whether something is mapped there.</returns>
    public bool TryTranslate(DmaAddr address, out PhysAddr target, out IoAccess access) =>
        TryTranslate(address, out target, out access, out _);

    /// <summary>Where a device's access leads, and how far around it the answer holds.</summary>
    /// <param name="address">The I/O address.</param>
    /// <param name="target">The physical address, or 0 when nothing is mapped there.</param>
    /// <param name="access">What the device may do there; none when nothing is mapped.</param>
    /// <param name="leaf">The size of the leaf that translates.</param>
    /// <returns>Whether something is mapped there.</returns>
    public bool TryTranslate(DmaAddr address, out PhysAddr target, out IoAccess access, out PageSize leaf)
    {
        using (gate.Enter())
        {
            return pages.TryTranslate(address, out target, out access, out leaf);
        }
    }

    /// <summary>Where an address leads, and how far on from there the target goes on with it.</summary>
    /// <param name="address">The address.</param>
    /// <param name="most">How many bytes are wanted; nothing behind the leaves that they lie in is looked at.</param>
    /// <param name="access">What every leaf behind the first must allow.</param>
    /// <param name="target">The physical address behind it.</param>
    /// <param name="allowed">What the first leaf allows.</param>
    /// <param name="reach">How many bytes lie there in one piece.</param>
    /// <returns>Whether it leads anywhere.</returns>
    internal bool TryTranslateRun(
        DmaAddr address, ulong most, IoAccess access, out PhysAddr target, out IoAccess allowed, out ulong reach)
    {
        reach = 0;
        using (gate.Enter())
        {
            if (!pages.TryTranslate(address, out target, out allowed, out PageSize leaf))
            {
                return false;
            }

            reach = leaf.Bytes.Value - address.OffsetIn(leaf).Value;
            while (reach < most
                && pages.TryTranslate(address.AddWrapping(new ByteCount(reach)), out PhysAddr next, out IoAccess further, out leaf)
                && (further & access) == access
                && target.TryAdd(new ByteCount(reach), out PhysAddr behind) && behind == next)
            {
                reach += leaf.Bytes.Value;
            }

            return true;
        }
    }

    /// <summary>Recounts runs, tables and leaves.</summary>
    /// <exception cref="MmBugException">An invariant is broken.</exception>
    public void Validate()
    {
        using (gate.Enter())
        {
            iovas.Validate();
            pages.Validate();
        }
    }

    /// <summary>Every run and every leaf, one in a line, for comparing pictures.</summary>
    internal string Describe()
    {
        var lines = new List<string>();
        using (gate.Enter())
        {
            lines.AddRange(iovas.CollectRuns().Select(static run => $"run {run}"));
            pages.CollectLeaves(lines);
            lines.Add($"tables {pages.TableCount}");
        }

        return string.Join('\n', lines);
    }

    /// <summary>Takes one window for the ordinary pieces and maps them in it, one behind the other.</summary>
    /// <param name="pieces">The pieces as <see cref="IovaLayout"/> laid them out.</param>
    /// <param name="window">How long the window is, whole pages; above zero.</param>
    /// <param name="device">Who maps; its mask bounds the window.</param>
    /// <param name="access">What the device may do.</param>
    /// <param name="range">The window, or none when refused.</param>
    /// <returns>Ok, or ENOMEM: no hole takes the window, or no memory for I/O page tables.</returns>
    internal Errno TryMap(
        ReadOnlySpan<DmaPiece> pieces, ByteCount window, DmaDevice device, IoAccess access, out IovaRange range)
    {
        using (gate.Enter())
        {
            Errno errno = TryTake(window.ToPagesRoundUp(), device, out range);
            if (!errno.IsOk)
            {
                return errno;
            }

            errno = TryFill(pieces, range.Start, access, out ByteCount filled);
            if (!errno.IsOk)
            {
                pages.Unmap(range.Start, filled);
                iovas.Free(range);
                range = default;
            }

            return errno;
        }
    }

    /// <summary>Unmaps a window and gives it back.</summary>
    /// <param name="range">The window.</param>
    internal void Unmap(IovaRange range)
    {
        using (gate.Enter())
        {
            pages.Unmap(range.Start, range.Pages.ToBytes());
            iovas.Free(range);
        }
    }

    // The first 4 GiB are tried first as long as that ever worked for the device: some only claim to reach further.
    private Errno TryTake(PageCount size, DmaDevice device, out IovaRange range)
    {
        range = default;
        if (faults is not null && faults.ShouldFail(WindowFault))
        {
            return Errno.ENOMEM;
        }

        DmaAddr limit = device.Mask.Limit < last ? device.Mask.Limit : last;
        if (limit > DmaMask.Bits32.Limit && device.PrefersLowAddresses)
        {
            if (iovas.TryAllocate(size, DmaMask.Bits32.Limit, out range).IsOk)
            {
                return Errno.Ok;
            }

            device.PrefersLowAddresses = false;
        }

        return iovas.TryAllocate(size, limit, out range);
    }

    // Pieces that touch in both address spaces are mapped as one run, so that they may share a large leaf.
    private Errno TryFill(ReadOnlySpan<DmaPiece> pieces, DmaAddr start, IoAccess access, out ByteCount filled)
    {
        ulong at = start.Value;
        ulong runIo = at;
        ulong runPhys = 0;
        ulong runLength = 0;
        filled = default;
        foreach (ref readonly DmaPiece piece in pieces)
        {
            if (piece.IsBusAddress)
            {
                continue;
            }

            ulong phys = piece.Start.AlignDown(PageSize.Small).Value;
            if (runLength != 0 && (at != runIo + runLength || phys != runPhys + runLength))
            {
                Errno errno = pages.TryMap(new DmaAddr(runIo), new PhysAddr(runPhys), new ByteCount(runLength), access);
                if (!errno.IsOk)
                {
                    return errno;
                }

                runLength = 0;
                filled = new ByteCount(at - start.Value);
            }

            (runIo, runPhys) = runLength == 0 ? (at, phys) : (runIo, runPhys);
            runLength += piece.PageSpan;
            at += piece.WindowBytes;
        }

        return pages.TryMap(new DmaAddr(runIo), new PhysAddr(runPhys), new ByteCount(runLength), access);
    }
}
