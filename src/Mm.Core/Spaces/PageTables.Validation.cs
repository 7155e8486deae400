using Mm.Core.Checks;

namespace Mm.Core.Spaces;

/// <content>Recounting.</content>
internal sealed partial class PageTables
{
    /// <inheritdoc/>
    public void Validate()
    {
        var pages = new ulong[PageTableCounts.Kinds];
        ulong leaves = 0;
        ulong tables = CountTable(TableStore.Root, RootShift, pages, ref leaves);
        store.Validate(tables);
        Check.That(leaves == store.Deposits, $"invariant 3: {leaves} large leaves, {store.Deposits} deposits");
        for (PteKind kind = PteKind.Present; kind < PteKind.Table; kind++)
        {
            Check.That(Counts[kind].Value == pages[(int)kind], $"invariant 4: {pages[(int)kind]} pages of {kind}, counted {Counts[kind]}");
        }
    }

    private ulong CountTable(ulong table, int shift, ulong[] pages, ref ulong leaves)
    {
        ulong tables = 1;
        int live = 0;
        foreach (ulong word in store.Words(table << LevelBits, TableStore.EntriesPerTable))
        {
            var entry = new Pte(word);
            Check.That(entry.IsLegal, $"invariant 5: bits 0x{word:x}");
            live += entry.IsNone ? 0 : 1;
            if (entry.Kind == PteKind.Table)
            {
                Check.That(shift > SmallShift, "invariant 2: a table below the lowest level");
                tables += CountTable(entry.TableNumber, shift - LevelBits, pages, ref leaves);
                continue;
            }

            Check.That(
                entry.IsNone || shift == (entry.IsLarge ? LargeShift : SmallShift),
                $"invariant 3: {entry} where an entry reaches 2^{shift} bytes");
            leaves += entry.IsLarge ? 1UL : 0UL;
            pages[(int)entry.Kind] += entry.IsLarge ? PageSize.Large.Pages.Value : 1UL;
        }

        Check.That(live == store.LiveOf(table), $"invariant 1: {live} live entries in table {table}, counted {store.LiveOf(table)}");
        return tables;
    }
}
