using System.Diagnostics.CodeAnalysis;
using Mm.Core.Locking;

namespace Mm.Core.Dma;

/// <summary>Which live mapping has which addresses; several may have the same.</summary>
/// <remarks>
/// For the slow paths: a device's single accesses and the diagnostics. Entries are short, since limits cut them, so a
/// search looks back from an address by the longest entry ever seen.
/// <para><b>Locking:</b> a lock of its own, rank Leaf.</para>
/// </remarks>
internal sealed class IntervalLedger
{
    private readonly RankedLock gate = new(LockRank.Leaf);
    private readonly SortedSet<Entry> entries = new(ByStart.Instance); // protected by gate
    private ulong longest; // protected by gate
    private ulong nextSerial; // protected by gate

    /// <summary>How many entries there are.</summary>
    public int Count
    {
        get
        {
            using (gate.Enter())
            {
                return entries.Count;
            }
        }
    }

    /// <summary>Adds a run.</summary>
    /// <param name="start">The first address.</param>
    /// <param name="length">How many bytes; above zero.</param>
    /// <param name="target">The first physical address behind it.</param>
    /// <param name="mapping">The mapping.</param>
    /// <param name="isBusAddress">Whether the run is a peer's bus address.</param>
    /// <returns>The entry, to remove it by.</returns>
    public Entry Add(ulong start, ulong length, PhysAddr target, DmaMapping mapping, bool isBusAddress = false)
    {
        using (gate.Enter())
        {
            var entry = new Entry(start, length, nextSerial++, target, mapping, isBusAddress);
            longest = Math.Max(longest, length);
            _ = entries.Add(entry);
            return entry;
        }
    }

    /// <summary>Removes an entry.</summary>
    /// <param name="entry">An entry that was added.</param>
    public void Remove(Entry entry)
    {
        using (gate.Enter())
        {
            bool was = entries.Remove(entry);
            Checks.Check.That(was, "dma ledger: an entry left twice");
        }
    }

    /// <summary>The newest of the best entries that share an address with a run.</summary>
    /// <param name="start">The first address.</param>
    /// <param name="length">How many bytes; above zero.</param>
    /// <param name="prefer">Which entries are better than the others.</param>
    /// <param name="found">The entry, or null.</param>
    /// <returns>Whether there is one.</returns>
    public bool TryFind(ulong start, ulong length, Predicate<Entry> prefer, [NotNullWhen(true)] out Entry? found)
    {
        found = null;
        using (gate.Enter())
        {
            if (entries.Count == 0)
            {
                return false;
            }

            ulong from = start >= longest ? start - longest : 0;
            ulong last = start + (length - 1);
            foreach (Entry entry in entries.GetViewBetween(Entry.Probe(from, 0), Entry.Probe(last, ulong.MaxValue)))
            {
                if (entry.Start + (entry.Length - 1) < start)
                {
                    continue;
                }

                bool isBetter = prefer(entry);
                found = found is null || isBetter || !prefer(found) ? entry : found;
            }
        }

        return found is not null;
    }

    /// <summary>A run of addresses of one mapping.</summary>
    internal sealed record Entry(
        ulong Start, ulong Length, ulong Serial, PhysAddr Target, DmaMapping? Mapping, bool IsBusAddress)
    {
        public static Entry Probe(ulong start, ulong serial) => new(start, 1, serial, default, null, false);

        public bool Contains(ulong address) => unchecked(address - Start) < Length; // wraps to a huge distance when below
    }

    private sealed class ByStart : IComparer<Entry>
    {
        public static ByStart Instance { get; } = new();

        public int Compare(Entry? x, Entry? y)
        {
            int order = x!.Start.CompareTo(y!.Start);
            return order != 0 ? order : x.Serial.CompareTo(y.Serial);
        }
    }
}
