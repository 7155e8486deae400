using Mm.Core.Checks;

namespace Mm.Core.Spaces;

/// <content>What happens to whole ranges.</content>
internal sealed partial class PageTables
{
    /// <summary>Maps neighbouring pages where nothing is mapped.</summary>
    /// <param name="at">The first page's address.</param>
    /// <param name="entries">One entry a page; none of them large, and none leaves its page as it is.</param>
    /// <returns>Ok; EBUSY: some page has an entry already (vm_insert_pages); ENOMEM: no memory for a table.</returns>
    /// <exception cref="ArgumentException">The pages are not all below 2^48, or an entry is large.</exception>
    internal Errno TryMap(VirtAddr at, ReadOnlySpan<Pte> entries)
    {
        ThrowUnlessPage(at, PageSize.Small);
        ThrowUnlessPages(new VirtRange(at, new PageCount((ulong)entries.Length).ToBytes()));
        foreach (Pte entry in entries)
        {
            ThrowUnlessSize(default, entry, isLarge: false);
        }

        for (int done = 0; done < entries.Length;)
        {
            Errno errno = TryReach(at.Value + ((ulong)done << SmallShift), SmallShift, out ulong slot, out _);
            if (!errno.IsOk)
            {
                return errno == Errno.EAGAIN ? Errno.EBUSY : errno;
            }

            Span<ulong> words = WordsFrom(slot, entries.Length - done);
            if (words.ContainsAnyExcept(0UL))
            {
                return Errno.EBUSY;
            }

            done += words.Length;
        }

        for (int done = 0; done < entries.Length;)
        {
            _ = Descend(at.Value + ((ulong)done << SmallShift), out _, out ulong slot);
            Span<ulong> words = WordsFrom(slot, entries.Length - done);
            Fill(slot, words, entries.Slice(done, words.Length));
            done += words.Length;
        }

        return Errno.Ok;
    }

    /// <summary>Lets a rule decide what each entry of a range becomes; none entries are passed over. Cannot fail: a large
    /// leaf that the range covers in part is split, which was provided for when it was mapped.</summary>
    /// <param name="range">Whole pages below 2^48.</param>
    /// <param name="rule">The rule.</param>
    /// <typeparam name="TRule">A struct, for which the walk is compiled.</typeparam>
    /// <exception cref="ArgumentException"><paramref name="range"/> is not whole pages below 2^48.</exception>
    internal void Rewrite<TRule>(VirtRange range, ref TRule rule)
        where TRule : struct, IPteRule, allows ref struct
    {
        ThrowUnlessPages(range);
        ulong end = range.Start.Value + range.Length.Value;
        for (ulong at = range.Start.Value; at < end;)
        {
            Pte entry = Descend(at, out int shift, out ulong slot);
            ulong reach = 1UL << shift;
            ulong span = Math.Min(reach - (at & (reach - 1)), end - at);
            if (shift == SmallShift)
            {
                at += (ulong)RewriteTable(slot, at, (end - at) >> SmallShift, ref rule) << SmallShift;
            }
            else if (entry.IsLarge && span != reach)
            {
                _ = Split(slot, entry); // if another thread was faster, the next descent meets what it left
            }
            else if (!entry.IsLarge || RewriteLarge(slot, at, entry, ref rule))
            {
                at += span;
            }
        }
    }

    /// <summary>Clears a range.</summary>
    /// <param name="range">Whole pages below 2^48.</param>
    /// <exception cref="ArgumentException"><paramref name="range"/> is not whole pages below 2^48.</exception>
    internal void Unmap(VirtRange range)
    {
        var rule = default(ClearRule);
        Rewrite(range, ref rule);
    }

    /// <summary>Gives every present entry of a range a new protection; other entries stay.</summary>
    /// <param name="range">Whole pages below 2^48.</param>
    /// <param name="protection">What the CPU may do; of the zero page, no more than read.</param>
    /// <exception cref="ArgumentException"><paramref name="range"/> is not whole pages below 2^48.</exception>
    internal void Protect(VirtRange range, PteProtection protection)
    {
        var rule = new ProtectRule(protection);
        Rewrite(range, ref rule);
    }

    /// <summary>Moves the entries of a range, as they are, to where nothing is mapped. Whole tables and large leaves
    /// move as such where both addresses are on 2 MiB.</summary>
    /// <param name="from">Whole pages below 2^48.</param>
    /// <param name="to">The first address of the new place; it does not overlap the old one.</param>
    /// <returns>Ok; EBUSY: an entry stands at the new place; ENOMEM: no memory for a table.</returns>
    /// <exception cref="ArgumentException">The places are not whole pages below 2^48, or overlap.</exception>
    internal Errno TryMove(VirtRange from, VirtAddr to)
    {
        ThrowUnlessPages(from);
        var target = new VirtRange(to, from.Length);
        ThrowUnlessPages(target);
        if (from.Overlaps(target))
        {
            throw new ArgumentException($"the places must not overlap: {from} and {target}", nameof(to));
        }

        foreach (PteRun run in Walk(target))
        {
            if (!run.Large.IsNone || run.Words.ContainsAnyExcept(0UL))
            {
                return Errno.EBUSY;
            }
        }

        Errno errno = ForEachPiece(from.Start.Value, to.Value, from.Length.Value, prepare: true);
        return errno.IsOk ? ForEachPiece(from.Start.Value, to.Value, from.Length.Value, prepare: false) : errno;
    }

    /// <summary>Gives back the tables that have no entry left. <b>Linux:</b> free_pgtables.</summary>
    /// <param name="range">Whole pages below 2^48; a table that reaches into it is looked at.</param>
    /// <exception cref="ArgumentException"><paramref name="range"/> is not whole pages below 2^48.</exception>
    internal void CollectEmpty(VirtRange range)
    {
        ThrowUnlessPages(range);
        if (!range.IsEmpty)
        {
            Collect(TableStore.Root, RootShift, range.Start.Value, range.Start.Value + range.Length.Value - 1);
        }
    }

    private Span<ulong> WordsFrom(ulong slot, int pages) =>
        store.Words(slot, Math.Min(TableStore.EntriesPerTable - (int)(slot & IndexMask), pages));

    private void Fill(ulong slot, Span<ulong> words, ReadOnlySpan<Pte> entries)
    {
        Span<long> changes = stackalloc long[PageTableCounts.Kinds];
        changes.Clear();
        for (int index = 0; index < words.Length; index++)
        {
            words[index] = entries[index].Bits;
            changes[(int)entries[index].Kind]++;
        }

        int live = words.Length - (int)changes[(int)PteKind.None];
        _ = Interlocked.Add(ref store.LiveOf(slot >> LevelBits), live);
        changes[(int)PteKind.None] = 0;
        Counts.Note(changes);
    }

    private int RewriteTable<TRule>(ulong slot, ulong at, ulong pages, ref TRule rule)
        where TRule : struct, IPteRule, allows ref struct
    {
        Span<ulong> words = WordsFrom(slot, (int)Math.Min(pages, TableStore.EntriesPerTable));
        Span<long> changes = stackalloc long[PageTableCounts.Kinds];
        changes.Clear();
        for (int index = 0; index < words.Length; index++)
        {
            var entry = new Pte(Volatile.Read(ref words[index]));
            while (!entry.IsNone)
            {
                var address = new VirtAddr(at + ((ulong)index << SmallShift));
                Pte next = rule.Next(address, entry);
                Check.Slow(!next.IsLarge && next.IsLegal, "invariants 3, 5: a rule made an entry that may not stand here");
                var seen = new Pte(next == entry ? entry.Bits : Interlocked.CompareExchange(ref words[index], next.Bits, entry.Bits));
                if (seen == entry)
                {
                    changes[(int)entry.Kind]--;
                    changes[(int)next.Kind]++;
                    rule.Changed(address, entry, next);
                    break;
                }

                entry = seen;
            }
        }

        _ = Interlocked.Add(ref store.LiveOf(slot >> LevelBits), -(int)changes[(int)PteKind.None]);
        Counts.Note(changes);
        return words.Length;
    }

    private bool RewriteLarge<TRule>(ulong slot, ulong at, Pte entry, ref TRule rule)
        where TRule : struct, IPteRule, allows ref struct
    {
        Pte next = rule.Next(new VirtAddr(at), entry);
        Check.Slow(next.IsNone || (next.IsLarge && next.IsLegal), "invariants 3, 5: a rule made a small entry of a large one");
        if (!SwapLarge(slot, entry, next, out _))
        {
            return false;
        }

        rule.Changed(new VirtAddr(at), entry, next);
        return true;
    }

    // Pieces never cross 2 MiB on either side, so each has one table, one leaf or one hole at both ends.
    private Errno ForEachPiece(ulong from, ulong to, ulong length, bool prepare)
    {
        ulong reach = 1UL << LargeShift;
        for (ulong done = 0; done < length;)
        {
            ulong source = from + done;
            ulong target = to + done;
            ulong span = Math.Min(Math.Min(reach - (source & (reach - 1)), reach - (target & (reach - 1))), length - done);
            Errno errno = prepare ? PreparePiece(source, target, span == reach) : Errno.Ok;
            if (!errno.IsOk)
            {
                return errno;
            }

            if (!prepare)
            {
                MovePiece(source, target, span);
            }

            done += span;
        }

        return Errno.Ok;
    }

    private Errno PreparePiece(ulong source, ulong target, bool isWhole)
    {
        Pte entry = Descend(source, out int shift, out ulong slot);
        if (shift != SmallShift && entry.IsNone)
        {
            return Errno.Ok;
        }

        // An empty table left at the target takes small entries only, and a leaf that does not fit is split for good.
        bool asWhole = isWhole && !(Descend(target, out int targetShift, out _).IsNone && targetShift == SmallShift);
        if (entry.IsLarge && !asWhole)
        {
            _ = Split(slot, entry);
        }

        return TryReach(target, asWhole ? LargeShift : SmallShift, out _, out _);
    }

    private void MovePiece(ulong source, ulong target, ulong span)
    {
        Pte entry = Descend(source, out int shift, out ulong slot);
        if (shift != SmallShift && entry.IsNone)
        {
            return;
        }

        Pte there = Descend(target, out int targetShift, out ulong targetSlot);
        Check.That(there.IsNone, "nothing is mapped at the new place");
        if (targetShift == SmallShift)
        {
            MoveSmall(slot, targetSlot, (int)(span >> SmallShift));
            return;
        }

        // Both are places of 2 MiB: the table or the leaf goes over as it is, with its counts and its deposit.
        Check.That(targetShift == LargeShift, "the tables of the new place were made before");
        ulong upper = shift == SmallShift ? SlotAbove(source) : slot;
        ulong moved = Interlocked.Exchange(ref store[upper], 0);
        _ = Interlocked.Decrement(ref store.LiveOf(upper >> LevelBits));
        Volatile.Write(ref store[targetSlot], moved);
        _ = Interlocked.Increment(ref store.LiveOf(targetSlot >> LevelBits));
    }

    private void MoveSmall(ulong slot, ulong targetSlot, int pages)
    {
        Span<ulong> words = store.Words(slot, pages);
        Span<ulong> target = store.Words(targetSlot, pages);
        int live = 0;
        for (int index = 0; index < pages; index++)
        {
            ulong entry = Interlocked.Exchange(ref words[index], 0);
            Volatile.Write(ref target[index], entry);
            live += entry != 0 ? 1 : 0;
        }

        _ = Interlocked.Add(ref store.LiveOf(slot >> LevelBits), -live);
        _ = Interlocked.Add(ref store.LiveOf(targetSlot >> LevelBits), live);
    }

    // The place of the entry of 2 MiB above an address whose table is there.
    private ulong SlotAbove(ulong at)
    {
        TryReach(at, LargeShift, out ulong slot, out _).ThrowIfError();
        return slot;
    }

    private void Collect(ulong table, int shift, ulong first, ulong last)
    {
        ulong reachMask = (1UL << (shift + LevelBits)) - 1;
        ulong tableStart = first & ~reachMask;
        int lastIndex = last > (tableStart | reachMask) ? TableStore.EntriesPerTable - 1 : IndexAt(last, shift);
        for (int index = IndexAt(first, shift); index <= lastIndex; index++)
        {
            ulong slot = (table << LevelBits) | (uint)index;
            var entry = new Pte(store[slot]);
            if (entry.Kind != PteKind.Table)
            {
                continue;
            }

            ulong lower = entry.TableNumber;
            if (shift - LevelBits > SmallShift)
            {
                ulong start = tableStart + ((ulong)index << shift);
                Collect(lower, shift - LevelBits, Math.Max(first, start), Math.Min(last, start + ((1UL << shift) - 1)));
            }

            if (store.LiveOf(lower) == 0)
            {
                store[slot] = 0;
                store.LiveOf(table)--;
                store.Return(lower);
            }
        }
    }

    private readonly struct ClearRule : IPteRule
    {
        public Pte Next(VirtAddr at, Pte entry) => default;

        public void Changed(VirtAddr at, Pte before, Pte after)
        {
        }
    }

    private readonly struct ProtectRule(PteProtection protection) : IPteRule
    {
        public Pte Next(VirtAddr at, Pte entry) => entry.IsPresent ? entry.Modify(protection) : entry;

        public void Changed(VirtAddr at, Pte before, Pte after)
        {
        }
    }
}
