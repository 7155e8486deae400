using Mm.Core.Checks;
using Mm.Core.Locking;
using Mm.Core.Native;

namespace Mm.Core.Spaces;

/// <summary>The table pages of one address space: 512 words each, in native memory, taken and returned by number.</summary>
/// <remarks>
/// Owns the memory and the free list, which runs through the first words of free tables. Knows nothing of what entries
/// mean: <see cref="PageTables"/> does.
/// <para>A deposit is a table that is set aside without being taken: whoever maps a leaf of 2 MiB makes one, so that
/// splitting the leaf later cannot fail.</para>
/// <para><b>Linux:</b> pte_alloc_one, __free_page and pgtable_trans_huge_deposit (v6.12). Deliberate difference: addresses
/// for all tables are reserved at once and cost memory only where touched, so a table has a number, not an address.</para>
/// <para><b>Invariants:</b> (1) taken and deposited tables together never exceed <see cref="Limit"/>; (2) a free table is
/// all zero but for its link; (3) table 0, the root, is never free.</para>
/// <para><b>Locking:</b> the free list has a leaf lock of its own; words are the caller's.</para>
/// </remarks>
internal sealed class TableStore : IDisposable
{
    /// <summary>Entries of a table.</summary>
    internal const int EntriesPerTable = 512;

    /// <summary>The root's number.</summary>
    internal const ulong Root = 0;

    private const ulong NoTable = Root; // the root is never free, so its number ends the free list

    private readonly RankedLock gate = new(LockRank.Leaf);
    private readonly FaultInjector faults;
    private readonly NativeTable<ulong> words;
    private readonly NativeTable<int> live;
    private ulong everTaken = 1; // protected by gate; the root
    private ulong firstFree = NoTable; // protected by gate
    private ulong freeCount; // protected by gate
    private ulong deposits; // protected by gate

    internal TableStore(MachineMemory memory, FaultInjector faults, ulong limit)
    {
        ArgumentOutOfRangeException.ThrowIfZero(limit);
        this.faults = faults;
        Limit = limit;
        words = memory.ReserveTable<ulong>(checked(limit * EntriesPerTable));
        live = memory.ReserveTable<int>(limit);
    }

    /// <summary>How many tables there can be, the root included.</summary>
    internal ulong Limit { get; }

    /// <summary>Tables in use, the root included.</summary>
    internal ulong Taken
    {
        get
        {
            using RankedLock.Guard _ = gate.Enter();
            return everTaken - freeCount;
        }
    }

    /// <summary>Tables set aside.</summary>
    internal ulong Deposits
    {
        get
        {
            using RankedLock.Guard _ = gate.Enter();
            return deposits;
        }
    }

    /// <summary>One word, in place.</summary>
    /// <param name="slot">Table number times 512, plus index.</param>
    internal ref ulong this[ulong slot] => ref words[slot];

    /// <summary>Entries of a table that are not none, in place.</summary>
    /// <param name="table">The table.</param>
    /// <returns>The count.</returns>
    internal ref int LiveOf(ulong table) => ref live[table];

    /// <summary>Neighbouring words of one table.</summary>
    /// <param name="slot">The first.</param>
    /// <param name="count">How many.</param>
    /// <returns>The words.</returns>
    internal Span<ulong> Words(ulong slot, int count) => words.Slice(slot, count);

    /// <summary>Takes a table.</summary>
    /// <param name="table">The table, all zero; or 0 when refused.</param>
    /// <returns>Ok, or ENOMEM: every table is taken or set aside, or the injector says so.</returns>
    internal Errno TryTake(out ulong table)
    {
        table = NoTable;
        if (faults.ShouldFail(FaultPoint.PageAlloc))
        {
            return Errno.ENOMEM;
        }

        using RankedLock.Guard _ = gate.Enter();
        return everTaken - freeCount + deposits >= Limit ? Errno.ENOMEM : TakeLocked(out table);
    }

    /// <summary>Sets a table aside.</summary>
    /// <returns>Ok, or ENOMEM: every table is taken or set aside, or the injector says so.</returns>
    internal Errno TryDeposit()
    {
        if (faults.ShouldFail(FaultPoint.PageAlloc))
        {
            return Errno.ENOMEM;
        }

        using RankedLock.Guard _ = gate.Enter();
        bool isFull = everTaken - freeCount + deposits >= Limit;
        deposits += isFull ? 0UL : 1UL;
        return isFull ? Errno.ENOMEM : Errno.Ok;
    }

    /// <summary>Gives a deposit up.</summary>
    internal void Withdraw()
    {
        using RankedLock.Guard _ = gate.Enter();
        Check.That(deposits != 0, "a leaf without a deposit");
        deposits--;
    }

    /// <summary>Takes a table that was set aside; cannot fail.</summary>
    /// <returns>The table, all zero.</returns>
    internal ulong TakeDeposited()
    {
        using RankedLock.Guard _ = gate.Enter();
        Check.That(deposits != 0, "a leaf without a deposit");
        deposits--;
        TakeLocked(out ulong table).ThrowIfError();
        return table;
    }

    /// <summary>Gives a table back.</summary>
    /// <param name="table">The table; all zero, with no live entry.</param>
    /// <param name="asDeposit">Whether it is to be set aside again.</param>
    internal void Return(ulong table, bool asDeposit = false)
    {
        Check.That(table != Root && live[table] == 0, "invariants 2, 3: only an empty table goes back");
        using RankedLock.Guard _ = gate.Enter();
        words[table * EntriesPerTable] = firstFree;
        firstFree = table;
        freeCount++;
        deposits += asDeposit ? 1UL : 0UL;
    }

    /// <summary>Walks the free list.</summary>
    /// <param name="reached">How many tables the caller has reached from the root.</param>
    internal void Validate(ulong reached)
    {
        using RankedLock.Guard _ = gate.Enter();
        ulong free = 0;
        for (ulong table = firstFree; table != NoTable; table = words[table * EntriesPerTable])
        {
            free++;
            Check.That(free <= freeCount, "the free list of tables is longer than its count");
            Check.That(live[table] == 0, $"invariant 2: free table {table} has live entries");
            Check.That(
                !words.Slice((table * EntriesPerTable) + 1, EntriesPerTable - 1).ContainsAnyExcept(0UL),
                $"invariant 2: free table {table} is not zero");
        }

        Check.That(free == freeCount, $"{free} free tables of {freeCount}");
        Check.That(reached == everTaken - freeCount, $"{reached} tables reached of {everTaken - freeCount}");
        Check.That(everTaken - freeCount + deposits <= Limit, "invariant 1: too many tables");
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        words.Dispose();
        live.Dispose();
    }

    private Errno TakeLocked(out ulong table)
    {
        table = firstFree;
        if (table == NoTable)
        {
            table = everTaken++;
            return Errno.Ok;
        }

        ref ulong link = ref words[table * EntriesPerTable];
        firstFree = link;
        link = 0;
        freeCount--;
        return Errno.Ok;
    }
}
