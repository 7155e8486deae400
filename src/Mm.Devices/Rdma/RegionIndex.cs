using System.Numerics;
using System.Runtime.Intrinsics;
using Mm.Core;

namespace Mm.Devices.Rdma;

/// <summary>Regions by their first address, disjoint: who covers a range is found without a lock.</summary>
/// <remarks>
/// Owns nothing. One changes it at a time; whoever looks meanwhile may miss a region that is there, and never gets one that
/// does not cover what he asked for: what a miss means is asked again under the changers' lock.
/// <para><b>Linux:</b> none: the table of a registration cache, as UCX keeps its in a radix tree.</para>
/// <para><b>Invariants:</b> (1) starts ascend strictly; (2) behind the last region every start is above all addresses.</para>
/// <para><b>Locking:</b> changed under the cache's lock; <see cref="TryUse"/> needs none.</para>
/// </remarks>
internal sealed class RegionIndex
{
    private const long Largest = long.MaxValue; // above every address that can be registered
    private const int Fan = 16; // starts compared at a step

    private Entries entries = new(Fan);

    /// <summary>How many regions there are.</summary>
    internal int Count { get; private set; }

    /// <summary>The regions in their order. Under the changers' lock.</summary>
    internal ReadOnlySpan<CachedRegion?> Regions => entries.Regions.AsSpan(0, Count);

    /// <summary>Uses the region that covers a range. Needs no lock.</summary>
    /// <param name="wanted">The range.</param>
    /// <returns>The region, with one use more; null where none was seen, or one that is forgotten.</returns>
    internal CachedRegion? TryUse(VirtRange wanted)
    {
        Entries now = Volatile.Read(ref entries);
        int count = now.CountUpTo(wanted.Start.Value);
        CachedRegion? found = count == 0 ? null : now.Regions[count - 1];
        return found is not null && found.Pages.Contains(wanted) && found.TryUse() ? found : null;
    }

    /// <summary>Whether a range has bytes of a region's. Under the changers' lock.</summary>
    /// <param name="range">The range.</param>
    internal bool Overlaps(VirtRange range)
    {
        int next = entries.CountUpTo(range.Start.Value);
        return (next > 0 && entries.Regions[next - 1]!.Pages.Overlaps(range))
            || (next < Count && entries.Regions[next]!.Pages.Overlaps(range));
    }

    /// <summary>Adds a region that overlaps none. Under the changers' lock.</summary>
    /// <param name="region">The region.</param>
    internal void Add(CachedRegion region)
    {
        if (Count == entries.Capacity)
        {
            Volatile.Write(ref entries, entries.Doubled());
        }

        int at = entries.CountUpTo(region.Pages.Start.Value);
        entries.Move(at, at + 1, Count - at);
        entries.Set(at, (long)region.Pages.Start.Value, region);
        entries.Lift(at);
        Count++;
    }

    /// <summary>Takes out every region that is forgotten. Under the changers' lock.</summary>
    internal void RemoveForgotten()
    {
        int kept = 0;
        for (int at = 0; at < Count; at++)
        {
            CachedRegion region = entries.Regions[at]!;
            if (!region.IsForgotten)
            {
                entries.Set(kept++, (long)region.Pages.Start.Value, region);
            }
        }

        for (int at = kept; at < Count; at++)
        {
            entries.Set(at, Largest, region: null);
        }

        entries.Lift(0);
        Count = kept;
    }

    // Regions with their starts in levels: of each 16 starts the first stands one level higher, up to a level of 16. Who reads
    // while it changes may be led astray, but not out of it.
    private sealed class Entries
    {
        private readonly long[][] levels; // the starts of all regions last; signed, as vectors compare

        internal Entries(int capacity)
        {
            var made = new List<long[]>();
            for (int size = capacity; made.Count == 0 || size > 1; size = (size + Fan - 1) / Fan)
            {
                made.Insert(0, new long[(size + Fan - 1) / Fan * Fan]);
                Array.Fill(made[0], Largest);
            }

            levels = [.. made];
            Regions = new CachedRegion?[Starts.Length];
        }

        internal CachedRegion?[] Regions { get; }

        internal int Capacity => Starts.Length;

        private long[] Starts => levels[^1];

        /// <summary>How many regions start at an address or before it.</summary>
        internal int CountUpTo(ulong address)
        {
            Vector256<long> wanted = Vector256.Create(unchecked((long)address)); // above 2^63 it is below all starts
            int group = 0;
            int count = 0;
            foreach (long[] level in levels)
            {
                ReadOnlySpan<long> starts = level.AsSpan(group * Fan, Fan);
                uint above = Vector256.GreaterThan(Vector256.Create(starts), wanted).ExtractMostSignificantBits()
                    | (Vector256.GreaterThan(Vector256.Create(starts[4..]), wanted).ExtractMostSignificantBits() << 4)
                    | (Vector256.GreaterThan(Vector256.Create(starts[8..]), wanted).ExtractMostSignificantBits() << 8)
                    | (Vector256.GreaterThan(Vector256.Create(starts[12..]), wanted).ExtractMostSignificantBits() << 12);
                count = (group * Fan) + BitOperations.TrailingZeroCount(above | (1U << Fan));
                if (count == 0)
                {
                    return 0;
                }

                group = count - 1;
            }

            return count;
        }

        internal void Set(int at, long start, CachedRegion? region) => (Starts[at], Regions[at]) = (start, region);

        internal void Move(int from, int to, int count)
        {
            Array.Copy(Starts, from, Starts, to, count);
            Array.Copy(Regions, from, Regions, to, count);
        }

        /// <summary>The levels above, where a start at a place or behind it has changed.</summary>
        internal void Lift(int from)
        {
            for (int level = levels.Length - 1; level > 0; level--)
            {
                from /= Fan;
                for (int at = from; at < levels[level].Length / Fan; at++)
                {
                    levels[level - 1][at] = levels[level][at * Fan];
                }
            }
        }

        internal Entries Doubled()
        {
            var larger = new Entries(Capacity * 2);
            Starts.CopyTo(larger.Starts, 0);
            Regions.CopyTo(larger.Regions, 0);
            larger.Lift(0);
            return larger;
        }
    }
}
