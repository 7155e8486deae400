using Mm.Core.Checks;

namespace Mm.Core.Dma;

/// <summary>The translation of one I/O address space: four levels of 512 packed entries, leaves of 4 KiB and 2 MiB.</summary>
/// <remarks>
/// Owns its tables. Decides nothing about addresses: who maps here has taken them from an <see cref="IovaAllocator"/>.
/// <para><b>Linux:</b> the second-level page table of drivers/iommu/intel/iommu.c and iommu_map's choice of the largest
/// leaf that address, length and alignment allow (v6.12). Deliberate differences: 1 GiB leaves are not used; a lower
/// table is freed as soon as its last entry goes; there is no IOTLB, so an unmap takes effect at once.</para>
/// <para><b>Invariants:</b> (1) a table's live count is the number of its present entries; (2) every table but the root
/// has a present entry, and exactly one entry names it; (3) a leaf lies on its own size, in I/O and physical addresses.</para>
/// <para><b>Locking:</b> the caller's: that of the domain.</para>
/// </remarks>
internal sealed class IoPageTable
{
    /// <summary>I/O addresses have this many bits.</summary>
    public const int AddressBits = 48;

    private const int Root = 0;
    private const int LevelBits = 9;
    private const int EntriesPerTable = 1 << LevelBits;
    private const int RootShift = 39;
    private const ulong IndexMask = EntriesPerTable - 1;
    private static readonly int SmallShift = PageSize.Small.Shift;
    private static readonly int LargeShift = PageSize.Large.Shift;

    private readonly List<Table> tables = [new Table()];
    private readonly Stack<int> freeTables = new();
    private readonly Func<bool> refusesTable;

    /// <summary>An empty space.</summary>
    /// <param name="refusesTable">Asked before each new table; true makes the mapping fail for want of memory.</param>
    public IoPageTable(Func<bool>? refusesTable = null) => this.refusesTable = refusesTable ?? (static () => false);

    /// <summary>Tables in use, the root included.</summary>
    public int TableCount => tables.Count - freeTables.Count;

    /// <summary>Leaves of 4 KiB.</summary>
    public PageCount SmallLeaves { get; private set; }

    /// <summary>Leaves of 2 MiB, as a number of leaves.</summary>
    public ulong LargeLeaves { get; private set; }

    /// <summary>Maps a run; nothing may be mapped there yet.</summary>
    /// <param name="start">The first I/O address, on a page.</param>
    /// <param name="target">The first physical address, on a page.</param>
    /// <param name="length">How many bytes, whole pages.</param>
    /// <param name="access">What the device may do.</param>
    /// <returns>Ok, or ENOMEM: no memory for a lower table; nothing stays mapped then.</returns>
    public Errno TryMap(DmaAddr start, PhysAddr target, ByteCount length, IoAccess access)
    {
        ulong pageMask = (1UL << SmallShift) - 1;
        Check.That(((start.Value | target.Value | length.Value) & pageMask) == 0, "io mapping must be whole pages");
        Check.That(length.Value <= (1UL << AddressBits) && start.Value <= (1UL << AddressBits) - length.Value, "io address too high");
        for (ulong done = 0; done < length.Value;)
        {
            ulong io = start.Value + done;
            ulong phys = target.Value + done;
            int shift = CanUseLarge(io, phys, length.Value - done) ? LargeShift : SmallShift;
            if (!TryFindTable(io, shift, out int table))
            {
                Unmap(start, new ByteCount(done));
                return Errno.ENOMEM;
            }

            done += FillTable(table, io, phys, length.Value - done, shift, access);
        }

        return Errno.Ok;
    }

    /// <summary>Unmaps a run; what is not mapped in it stays so.</summary>
    /// <param name="start">The first I/O address, on a page.</param>
    /// <param name="length">How many bytes, whole pages.</param>
    public void Unmap(DmaAddr start, ByteCount length)
    {
        for (ulong done = 0; done < length.Value;)
        {
            done += UnmapOne(start.Value + done, length.Value - done);
        }
    }

    /// <summary>Where a byte's I/O address leads.</summary>
    /// <param name="address">The I/O address.</param>
    /// <param name="target">The physical address, or 0 when nothing is mapped there.</param>
    /// <param name="access">What the device may do; none when nothing is mapped there.</param>
    /// <param name="leaf">The size of the leaf.</param>
    /// <returns>Whether something is mapped there.</returns>
    public bool TryTranslate(DmaAddr address, out PhysAddr target, out IoAccess access, out PageSize leaf)
    {
        target = default;
        access = IoAccess.None;
        leaf = PageSize.Small;
        if (address.Value >> AddressBits != 0)
        {
            return false;
        }

        Table table = tables[Root];
        for (int shift = RootShift; ; shift -= LevelBits)
        {
            IoPte entry = table.Entries[IndexAt(address.Value, shift)];
            if (!entry.IsPresent)
            {
                return false;
            }

            if (entry.IsLeaf)
            {
                target = new PhysAddr(entry.Address.Value | (address.Value & ((1UL << shift) - 1)));
                access = entry.Access;
                leaf = shift == LargeShift ? PageSize.Large : PageSize.Small;
                return true;
            }

            table = tables[entry.TableIndex];
        }
    }

    /// <summary>Recounts everything from the root down.</summary>
    public void Validate()
    {
        ulong small = 0;
        ulong large = 0;
        int seen = 0;
        CountTable(Root, RootShift, ref seen, ref small, ref large);
        Check.That(seen == TableCount, $"io page table invariant 2: {seen} tables reached of {TableCount}");
        Check.That(small == SmallLeaves.Value && large == LargeLeaves, "io page table: leaf counts");
    }

    /// <summary>Every leaf in words, from the lowest address up, for comparing pictures.</summary>
    /// <param name="lines">Where to put them.</param>
    public void CollectLeaves(ICollection<string> lines) => CollectLeaves(Root, RootShift, 0, lines);

    private static int IndexAt(ulong address, int shift) => (int)((address >> shift) & IndexMask);

    private static bool CanUseLarge(ulong io, ulong phys, ulong left) =>
        ((io | phys) & ((1UL << LargeShift) - 1)) == 0 && left >= 1UL << LargeShift;

    // The table whose entries span 1 << shift bytes each, made on the way down where it is missing.
    private bool TryFindTable(ulong io, int shift, out int table)
    {
        table = Root;
        for (int level = RootShift; level > shift; level -= LevelBits)
        {
            int index = IndexAt(io, level);
            IoPte entry = tables[table].Entries[index];
            if (!entry.IsPresent)
            {
                if (refusesTable())
                {
                    // The tables made above this one are empty but for one another: take them away again.
                    Prune(io);
                    return false;
                }

                int lower = TakeTable();
                SetEntry(table, index, IoPte.Table(lower));
                table = lower;
                continue;
            }

            Check.That(!entry.IsLeaf, $"io address 0x{io:x} is mapped already by a large leaf");
            table = entry.TableIndex;
        }

        return true;
    }

    private ulong FillTable(int table, ulong io, ulong phys, ulong left, int shift, IoAccess access)
    {
        ulong step = 1UL << shift;
        ulong done = 0;
        for (int index = IndexAt(io, shift); index < EntriesPerTable && left - done >= step; index++, done += step)
        {
            IoPte before = tables[table].Entries[index];
            if (shift == SmallShift && done != 0 && CanUseLarge(io + done, phys + done, left - done))
            {
                break;
            }

            if (before.IsPresent)
            {
                // A table left below by 4 KiB neighbours cannot be here: it is freed with its last entry.
                Check.That(false, $"io address 0x{io + done:x} is mapped already");
            }

            SetEntry(table, index, IoPte.Leaf(new PhysAddr(phys + done), access));
            CountLeaf(shift, 1);
        }

        return done;
    }

    private ulong UnmapOne(ulong io, ulong left)
    {
        int table = Root;
        for (int shift = RootShift; ; shift -= LevelBits)
        {
            int index = IndexAt(io, shift);
            IoPte entry = tables[table].Entries[index];
            ulong span = (1UL << shift) - (io & ((1UL << shift) - 1));
            if (!entry.IsPresent)
            {
                return span;
            }

            if (entry.IsLeaf)
            {
                Check.That(span == 1UL << shift && left >= span, $"unmap at 0x{io:x} cuts a leaf of 0x{1UL << shift:x} bytes");
                SetEntry(table, index, default);
                CountLeaf(shift, -1);
                Prune(io);
                return span;
            }

            table = entry.TableIndex;
        }
    }

    // Frees the empty tables on the way to an address, from the bottom up (invariant 2).
    private void Prune(ulong io)
    {
        Span<int> path = stackalloc int[4];
        int depth = 0;
        int shift = RootShift;
        for (; ; shift -= LevelBits)
        {
            IoPte entry = tables[path[depth]].Entries[IndexAt(io, shift)];
            if (!entry.IsPresent || entry.IsLeaf)
            {
                break;
            }

            path[++depth] = entry.TableIndex;
        }

        for (; depth > 0 && tables[path[depth]].Live == 0; depth--)
        {
            shift += LevelBits;
            freeTables.Push(path[depth]);
            SetEntry(path[depth - 1], IndexAt(io, shift), default);
        }
    }

    private void SetEntry(int table, int index, IoPte entry)
    {
        Table t = tables[table];
        t.Live += (entry.IsPresent ? 1 : 0) - (t.Entries[index].IsPresent ? 1 : 0);
        t.Entries[index] = entry;
    }

    private int TakeTable()
    {
        if (freeTables.TryPop(out int index))
        {
            return index;
        }

        tables.Add(new Table());
        return tables.Count - 1;
    }

    private void CountLeaf(int shift, int change)
    {
        if (shift == SmallShift)
        {
            SmallLeaves = new PageCount(unchecked(SmallLeaves.Value + (ulong)change)); // adds -1 as its two's complement
        }
        else
        {
            LargeLeaves = unchecked(LargeLeaves + (ulong)change); // likewise
        }
    }

    private void CountTable(int table, int shift, ref int seen, ref ulong small, ref ulong large)
    {
        seen++;
        int live = 0;
        foreach (IoPte entry in tables[table].Entries)
        {
            live += entry.IsPresent ? 1 : 0;
            small += entry.IsLeaf && shift == SmallShift ? 1UL : 0;
            large += entry.IsLeaf && shift == LargeShift ? 1UL : 0;
            if (entry.IsPresent && !entry.IsLeaf)
            {
                CountTable(entry.TableIndex, shift - LevelBits, ref seen, ref small, ref large);
            }
        }

        Check.That(live == tables[table].Live, $"io page table invariant 1: {live} live entries");
        Check.That(live != 0 || table == Root, "io page table invariant 2: an empty table");
    }

    private void CollectLeaves(int table, int shift, ulong io, ICollection<string> lines)
    {
        for (int i = 0; i < EntriesPerTable; i++)
        {
            IoPte entry = tables[table].Entries[i];
            ulong at = io + ((ulong)i << shift);
            if (entry.IsLeaf)
            {
                lines.Add($"0x{at:x} -> {entry.Address} {entry.Access} 0x{1UL << shift:x}");
            }
            else if (entry.IsPresent)
            {
                CollectLeaves(entry.TableIndex, shift - LevelBits, at, lines);
            }
        }
    }

    private sealed class Table
    {
        public IoPte[] Entries { get; } = new IoPte[EntriesPerTable];

        public int Live { get; set; }
    }
}
