using Mm.Core.Checks;
using Mm.Core.Locking;
using Mm.Core.Native;

namespace Mm.Core.Spaces;

/// <summary>The page tables of one address space: four levels of 512 packed entries, leaves of 4 KiB and 2 MiB.</summary>
/// <remarks>
/// Owns its tables, in native memory. Knows nothing of areas, pages or references: an entry is put and taken as it is, and
/// who does so counts what it stands for.
/// <para><b>Linux:</b> pgd_t to pte_t, mm/pgtable-generic.c and the walks of mm/memory.c, mm/mprotect.c and mm/mremap.c
/// (v6.12), on x86-64 with four levels. Deliberate differences: addresses are 48 bits wide without a kernel's half; 1 GiB
/// leaves are not used; tables that fall empty stay until <see cref="CollectEmpty"/>, as Linux's stay until munmap.</para>
/// <para><b>Invariants:</b> (1) a table's live count is the number of its entries that are not none; (2) every table but
/// the root is named by exactly one entry; (3) a large leaf stands only where an entry reaches 2 MiB, and has one deposit;
/// (4) the counts by kind are those of the entries; (5) every entry is legal; (6) a refused call changes no entry, though
/// empty tables may stay.</para>
/// <para><b>Locking:</b> entries change by compare-and-swap, so that readers, faults and splits may run on many threads at
/// once (Linux's mmap_lock for reading). <see cref="TryMap"/> and <see cref="TryMove"/> want the range to themselves;
/// <see cref="CollectEmpty"/>, <see cref="Validate"/> and <see cref="Dispose"/> want all of it (mmap_lock for writing).
/// A reader that breaks this sees entries of another table, never foreign memory.</para>
/// </remarks>
internal sealed partial class PageTables : IDisposable, IValidator
{
    /// <summary>Addresses have this many bits.</summary>
    internal const int AddressBits = 48;

    /// <summary>How many tables there may be unless said otherwise: enough for 512 GiB of dense pages.</summary>
    internal const ulong DefaultTableLimit = 1UL << 18;

    private const int LevelBits = 9;
    private const int RootShift = 39;
    private const ulong IndexMask = TableStore.EntriesPerTable - 1;
    private const ulong Top = 1UL << AddressBits;
    private static readonly int SmallShift = PageSize.Small.Shift;
    private static readonly int LargeShift = PageSize.Large.Shift;

    private readonly TableStore store;
    private readonly RankedLock leafGate = new(LockRank.PageTable); // a leaf ceases to be one, and its deposit with it

    /// <summary>An empty address space.</summary>
    /// <param name="memory">The machine's memory.</param>
    /// <param name="faults">The machine's injector; new tables are <see cref="FaultPoint.PageAlloc"/>.</param>
    /// <param name="tableLimit">How many tables there may be, the root included.</param>
    internal PageTables(MachineMemory memory, FaultInjector faults, ulong tableLimit = DefaultTableLimit) =>
        store = new TableStore(memory, faults, tableLimit);

    /// <summary>Pages by kind of entry.</summary>
    internal PageTableCounts Counts { get; } = new();

    /// <summary>Tables in use, the root included.</summary>
    internal ulong TableCount => store.Taken;

    /// <summary>The entry of one page; of part of a large leaf, the small entry it is worth.</summary>
    /// <param name="at">An address in the page, below 2^48.</param>
    /// <returns>The entry; none where no table reaches.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="at"/> is not below 2^48.</exception>
    internal Pte Read(VirtAddr at)
    {
        Pte entry = ReadLeaf(at, out _);
        return entry.IsLarge ? entry.SplitPart(IndexAt(at.Value, SmallShift)) : entry;
    }

    /// <summary>The entry that covers an address, as it stands.</summary>
    /// <param name="at">The address, below 2^48.</param>
    /// <param name="size">How much it covers; 4 KiB for none.</param>
    /// <returns>The entry; none where no table reaches.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="at"/> is not below 2^48.</exception>
    internal Pte ReadLeaf(VirtAddr at, out PageSize size)
    {
        ThrowUnlessBelowTop(at);
        Pte entry = Descend(at.Value, out _, out _);
        size = entry.IsLarge ? PageSize.Large : PageSize.Small;
        return entry;
    }

    /// <summary>Replaces the entry of one page if it is still what the caller saw.</summary>
    /// <param name="at">The page's address.</param>
    /// <param name="expected">What the caller saw; not large.</param>
    /// <param name="next">What to put there; not large.</param>
    /// <param name="before">What stood there: <paramref name="expected"/>, or what was in the way.</param>
    /// <returns>Ok; EAGAIN: something else stands there, a large leaf perhaps; ENOMEM: no memory for a table.</returns>
    /// <exception cref="ArgumentException"><paramref name="at"/> is not a page's address below 2^48, or an entry is large.</exception>
    internal Errno TryExchange(VirtAddr at, Pte expected, Pte next, out Pte before)
    {
        ThrowUnlessPage(at, PageSize.Small);
        ThrowUnlessSize(expected, next, isLarge: false);
        before = Descend(at.Value, out int shift, out ulong slot);
        if (before != expected)
        {
            return Errno.EAGAIN;
        }

        if (shift != SmallShift)
        {
            if (next.IsNone)
            {
                return Errno.Ok; // none to none, and no table is needed for that
            }

            Errno errno = TryReach(at.Value, SmallShift, out slot, out before);
            if (!errno.IsOk)
            {
                return errno;
            }
        }

        return Swap(slot, expected, next, pages: 1, out before) ? Errno.Ok : Errno.EAGAIN;
    }

    /// <summary>Replaces the entry of 2 MiB if it is still what the caller saw.</summary>
    /// <param name="at">The address, on 2 MiB.</param>
    /// <param name="expected">What the caller saw: none, or a large leaf.</param>
    /// <param name="next">What to put there: none, or a large leaf.</param>
    /// <param name="before">What stood there; none when it is a table.</param>
    /// <returns>Ok; EAGAIN: another leaf or none stands there; EEXIST: a table of small entries, perhaps empty, stands
    /// there; ENOMEM: no memory for a table, be it the one that splitting will want.</returns>
    /// <exception cref="ArgumentException"><paramref name="at"/> is not on 2 MiB below 2^48, or an entry is small.</exception>
    internal Errno TryExchangeLarge(VirtAddr at, Pte expected, Pte next, out Pte before)
    {
        ThrowUnlessPage(at, PageSize.Large);
        ThrowUnlessSize(expected, next, isLarge: true);
        before = default;
        bool deposits = expected.IsNone && !next.IsNone;
        Errno errno = deposits ? store.TryDeposit() : Errno.Ok;
        if (!errno.IsOk)
        {
            return errno;
        }

        errno = TryReach(at.Value, LargeShift, out ulong slot, out before);
        if (errno.IsOk && !SwapLarge(slot, expected, next, out before))
        {
            errno = before.Kind == PteKind.Table ? Errno.EEXIST : Errno.EAGAIN;
            before = before.Kind == PteKind.Table ? default : before;
        }

        if (!errno.IsOk && deposits)
        {
            store.Withdraw();
        }

        return errno;
    }

    /// <summary>Turns a large leaf into 512 small entries; what is mapped stays the same.</summary>
    /// <param name="at">An address in the leaf, below 2^48.</param>
    /// <returns>Whether a leaf was there; splitting one cannot fail.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="at"/> is not below 2^48.</exception>
    internal bool TrySplit(VirtAddr at)
    {
        ThrowUnlessBelowTop(at);
        Pte entry;
        while ((entry = Descend(at.Value, out _, out ulong slot)).IsLarge)
        {
            if (Split(slot, entry))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Turns a large leaf into 512 small entries if it is still what the caller saw.</summary>
    /// <param name="at">An address in the leaf, below 2^48.</param>
    /// <param name="expected">The leaf.</param>
    /// <returns>Whether it was there and is split now.</returns>
    internal bool TrySplit(VirtAddr at, Pte expected)
    {
        ThrowUnlessBelowTop(at);
        Pte entry = Descend(at.Value, out _, out ulong slot);
        return entry == expected && entry.IsLarge && Split(slot, entry);
    }

    /// <summary>Whether a table of small entries reaches an address, be it empty. <b>Linux:</b> !pmd_none and not a leaf.</summary>
    /// <param name="at">The address, below 2^48.</param>
    /// <returns>Whether one does.</returns>
    internal bool HasSmallTable(VirtAddr at)
    {
        ThrowUnlessBelowTop(at);
        _ = Descend(at.Value, out int shift, out _);
        return shift == SmallShift;
    }

    /// <summary>Makes a table of small entries that reaches an address, if there is none.</summary>
    /// <param name="at">The address, below 2^48.</param>
    /// <returns>Ok; EAGAIN: a large leaf stands there; ENOMEM: no memory for a table.</returns>
    /// <remarks><b>Linux:</b> pte_alloc.</remarks>
    internal Errno TryAddSmallTable(VirtAddr at)
    {
        ThrowUnlessBelowTop(at);
        return TryReach(at.Value, SmallShift, out _, out _);
    }

    /// <summary>Goes over a range by runs.</summary>
    /// <param name="range">Whole pages below 2^48.</param>
    /// <returns>The cursor, for foreach.</returns>
    /// <exception cref="ArgumentException"><paramref name="range"/> is not whole pages below 2^48.</exception>
    internal PteCursor Walk(VirtRange range)
    {
        ThrowUnlessPages(range);
        return new PteCursor(this, range.Start.Value, range.Start.Value + range.Length.Value);
    }

    /// <summary>Writes the words of a range snapshot; see <see cref="PteScan"/>.</summary>
    /// <param name="at">The first page's address.</param>
    /// <param name="into">One word a page.</param>
    /// <returns>Whether an entry was neither plain nor none, so that its word 0 does not tell all.</returns>
    /// <exception cref="ArgumentException">The pages are not all below 2^48, or <paramref name="at"/> is none's address.</exception>
    internal bool Snapshot(VirtAddr at, Span<ulong> into)
    {
        ThrowUnlessPage(at, PageSize.Small);
        ulong end = at.Value + ((ulong)into.Length << SmallShift);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(end, Top, nameof(into));
        bool hasOthers = false;
        for (ulong next = at.Value; next < end;)
        {
            PteRun run = RunAt(next, end);
            int pages = (int)run.Pages.Value;
            Span<ulong> words = into[..pages];
            if (!run.Words.IsEmpty)
            {
                hasOthers |= PteScan.Translate(Vectors.Level, run.Words, words);
            }
            else if (run.IsHole)
            {
                words.Clear();
            }
            else
            {
                hasOthers |= PteScan.TranslateLarge(run.Large, run.FirstPart, words);
            }

            into = into[pages..];
            next += (ulong)pages << SmallShift;
        }

        return hasOthers;
    }

    /// <summary>The run at an address.</summary>
    /// <param name="at">The first page's address.</param>
    /// <param name="end">Where the range ends, above <paramref name="at"/>.</param>
    /// <returns>The run, not past <paramref name="end"/>.</returns>
    internal PteRun RunAt(ulong at, ulong end)
    {
        Pte entry = Descend(at, out int shift, out ulong slot);
        if (shift == SmallShift)
        {
            ulong left = Math.Min((ulong)TableStore.EntriesPerTable - (slot & IndexMask), (end - at) >> SmallShift);
            return new PteRun(at, left, default, store.Words(slot, (int)left));
        }

        ulong span = Math.Min((1UL << shift) - (at & ((1UL << shift) - 1)), end - at);
        return new PteRun(at, span >> SmallShift, entry, default);
    }

    /// <inheritdoc/>
    public void Dispose() => store.Dispose();

    private static int IndexAt(ulong at, int shift) => (int)((at >> shift) & IndexMask);

    private static ulong SlotOf(ulong table, ulong at, int shift) => (table << LevelBits) | ((at >> shift) & IndexMask);

    private static void ThrowUnlessBelowTop(VirtAddr at) =>
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(at.Value, Top, nameof(at));

    private static void ThrowUnlessPage(VirtAddr at, PageSize size)
    {
        ThrowUnlessBelowTop(at);
        if (!at.IsAligned(size))
        {
            throw new ArgumentException($"at must be a multiple of {size}; it is {at}", nameof(at));
        }
    }

    private static void ThrowUnlessPages(VirtRange range)
    {
        if (((range.Start.Value | range.Length.Value) & PageSize.Small.OffsetMask) != 0
            || range.Start.Value > Top || range.Length.Value > Top - range.Start.Value)
        {
            throw new ArgumentException($"range must be whole pages in [0, 2^48); it is {range}", nameof(range));
        }
    }

    private static void ThrowUnlessSize(Pte expected, Pte next, bool isLarge)
    {
        if ((!expected.IsNone && expected.IsLarge != isLarge) || (!next.IsNone && next.IsLarge != isLarge))
        {
            throw new ArgumentException($"both entries must be {(isLarge ? "large" : "small")}: {expected}, {next}", nameof(next));
        }

        Check.That(next.IsLegal && next.Kind != PteKind.Table, "invariant 5: an entry that means nothing");
    }

    // The lowest entry on the way to an address that is not a table, its reach and its place.
    private Pte Descend(ulong at, out int shift, out ulong slot)
    {
        ulong table = TableStore.Root;
        for (shift = RootShift; ; shift -= LevelBits)
        {
            slot = SlotOf(table, at, shift);
            var entry = new Pte(Volatile.Read(ref store[slot]));
            if (entry.Kind != PteKind.Table)
            {
                return entry;
            }

            table = entry.TableNumber;
        }
    }

    // The place of the entry that reaches 1 << shift bytes, tables made on the way. EAGAIN: a leaf is in the way.
    private Errno TryReach(ulong at, int shift, out ulong slot, out Pte inTheWay)
    {
        inTheWay = default;
        ulong table = TableStore.Root;
        for (int level = RootShift; ; level -= LevelBits)
        {
            slot = SlotOf(table, at, level);
            if (level == shift)
            {
                return Errno.Ok;
            }

            var entry = new Pte(Volatile.Read(ref store[slot]));
            if (entry.IsNone)
            {
                Errno errno = TryGrow(slot, out entry);
                if (!errno.IsOk)
                {
                    return errno;
                }
            }

            if (entry.Kind != PteKind.Table)
            {
                inTheWay = entry;
                return Errno.EAGAIN;
            }

            table = entry.TableNumber;
        }
    }

    // Puts a new table where none is; two threads may try, and the one that comes second takes the other's.
    private Errno TryGrow(ulong slot, out Pte entry)
    {
        entry = default;
        Errno errno = store.TryTake(out ulong table);
        if (errno.IsOk && !Swap(slot, default, Pte.Table(table), pages: 0, out entry))
        {
            store.Return(table);
            return Errno.Ok;
        }

        entry = Pte.Table(table);
        return errno;
    }

    private bool Split(ulong slot, Pte leaf)
    {
        using RankedLock.Guard _ = leafGate.Enter();
        if (store[slot] != leaf.Bits)
        {
            return false; // another thread split or cleared it, and its deposit is gone
        }

        ulong table = store.TakeDeposited();
        Span<ulong> parts = store.Words(table << LevelBits, TableStore.EntriesPerTable);
        for (int index = 0; index < parts.Length; index++)
        {
            parts[index] = leaf.SplitPart(index).Bits;
        }

        store.LiveOf(table) = TableStore.EntriesPerTable;

        // Publishes the parts: pairs with the volatile reads of Descend. The counts by kind stay as they are.
        if (Interlocked.CompareExchange(ref store[slot], Pte.Table(table).Bits, leaf.Bits) == leaf.Bits)
        {
            return true;
        }

        parts.Clear();
        store.LiveOf(table) = 0;
        store.Return(table, asDeposit: true);
        return false;
    }

    // A leaf that goes takes its deposit along, in one step as others see it: a split must never find a leaf without one.
    private bool SwapLarge(ulong slot, Pte expected, Pte next, out Pte before)
    {
        long pages = (long)PageSize.Large.Pages.Value;
        if (expected.IsNone || !next.IsNone)
        {
            return Swap(slot, expected, next, pages, out before);
        }

        using RankedLock.Guard _ = leafGate.Enter();
        bool swapped = Swap(slot, expected, next, pages, out before);
        if (swapped)
        {
            store.Withdraw();
        }

        return swapped;
    }

    private bool Swap(ulong slot, Pte expected, Pte next, long pages, out Pte before)
    {
        before = new Pte(Interlocked.CompareExchange(ref store[slot], next.Bits, expected.Bits));
        if (before != expected)
        {
            return false;
        }

        if (expected.IsNone != next.IsNone)
        {
            _ = Interlocked.Add(ref store.LiveOf(slot >> LevelBits), next.IsNone ? -1 : 1);
        }

        Counts.Note(expected, next, pages);
        return true;
    }
}
