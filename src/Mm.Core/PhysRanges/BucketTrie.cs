using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Mm.Core.Native;

namespace Mm.Core.PhysRanges;

/// <summary>Sorted addresses in a trie of evenly wide buckets: the last key at or below an address.</summary>
/// <remarks>
/// A node cuts what lies between its first and its last key into about twice as many buckets as it has keys; a shift
/// tells an address's bucket, and the bucket the place of its first key among all. From there eight keys are compared
/// at once. A bucket with more than eight keys is a node of its own, so that many small ranges beside a few huge ones,
/// as of PCI devices, cost a step more and no search.
/// <para>Where keys lie evenly it takes one step for any number of them. However they lie it takes 21 at most: a node
/// below the root has nine keys or more, so its buckets are a ninth of its width or less.</para>
/// <para>Keys are stored with the top bit flipped, because vectors compare signed integers on all processors.</para>
/// <para><b>Invariants:</b> (1) keys ascend strictly, and are padded with the largest by a leaf; (2) the keys behind a
/// bucket's own are above every address of the bucket.</para>
/// <para><b>Locking:</b> immutable.</para>
/// </remarks>
internal sealed class BucketTrie
{
    private const int LeafKeys = 8;

    private readonly long[] keys;
    private readonly int keyCount;
    private readonly bool hasVectors;
    private readonly Node[] nodes; // the root first
    private readonly int[] buckets; // of all nodes: the place of the first key from there on, or a node's complement

    /// <summary>Builds the trie.</summary>
    /// <param name="sorted">The keys, strictly ascending; at least one.</param>
    /// <param name="vectors">Which twin compares.</param>
    internal BucketTrie(ReadOnlySpan<PhysAddr> sorted, VectorLevel vectors)
    {
        hasVectors = vectors >= VectorLevel.Vector128;
        keyCount = sorted.Length;
        keys = new long[keyCount + LeafKeys];
        Array.Fill(keys, long.MaxValue);
        for (int place = 0; place < keyCount; place++)
        {
            keys[place] = Flip(sorted[place]);
        }

        var madeNodes = new List<Node>();
        var madeBuckets = new List<int>();
        AddNode(sorted, 0, madeNodes, madeBuckets);
        nodes = [.. madeNodes];
        buckets = [.. madeBuckets];
    }

    /// <summary>Finds the last key at or below an address.</summary>
    /// <param name="address">The address.</param>
    /// <returns>The key's index in sorted order, or -1 when all keys lie above.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal int FindAtOrBelow(PhysAddr address)
    {
        if (address == PhysAddr.MaxValue)
        {
            return keyCount - 1; // the padding would count as at or below
        }

        ref readonly Node node = ref nodes[0];
        while (address >= node.Start)
        {
            int place = buckets[node.BucketOf(address)];
            if (place >= 0)
            {
                return unchecked(place + CountAtOrBelow(keys.AsSpan(place, LeafKeys), Flip(address)) - 1); // small numbers
            }

            node = ref nodes[~place];
        }

        return node.FirstKey - 1;
    }

    private static long Flip(PhysAddr address) => unchecked((long)(address.Value ^ (1UL << 63)));

    // Adds the node of keys that lie one behind the other, and all below it.
    private static void AddNode(ReadOnlySpan<PhysAddr> own, int firstKey, List<Node> nodes, List<int> buckets)
    {
        ulong span = own[^1].Value - own[0].Value;
        int shift = 0;
        while (span >> shift >= 2 * (ulong)own.Length)
        {
            shift++;
        }

        int firstBucket = buckets.Count;
        var node = new Node(own[0], shift, firstBucket, (int)(span >> shift), firstKey);
        nodes.Add(node);
        buckets.AddRange(Enumerable.Repeat(0, node.LastBucket + 1));
        int place = 0;
        for (int bucket = firstBucket; bucket <= firstBucket + node.LastBucket; bucket++)
        {
            int first = place;
            while (place < own.Length && node.BucketOf(own[place]) == bucket)
            {
                place++;
            }

            if (place - first <= LeafKeys)
            {
                buckets[bucket] = firstKey + first;
                continue;
            }

            buckets[bucket] = ~nodes.Count;
            AddNode(own[first..place], firstKey + first, nodes, buckets);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int CountAtOrBelow(ReadOnlySpan<long> leaf, long wanted) =>
        hasVectors ? Count128(leaf, wanted) : CountScalar(leaf, wanted);

    // No wider twin: 256 bits were slower here on Zen 3, and 512 on Zen 5.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Count128(ReadOnlySpan<long> leaf, long wanted)
    {
        Vector128<long> sought = Vector128.Create(wanted);
        Vector128<long> above = Vector128.GreaterThan(Vector128.Create(leaf), sought)
            + Vector128.GreaterThan(Vector128.Create(leaf[2..]), sought)
            + Vector128.GreaterThan(Vector128.Create(leaf[4..]), sought)
            + Vector128.GreaterThan(Vector128.Create(leaf[6..]), sought);
        return LeafKeys + (int)Vector128.Sum(above);
    }

    // Without a branch on what is compared: it would be mispredicted half the time.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int CountScalar(ReadOnlySpan<long> leaf, long wanted)
    {
        int count = 0;
        foreach (long key in leaf)
        {
            count += key <= wanted ? 1 : 0;
        }

        return count;
    }

    /// <summary>A node: where its buckets are, and how an address tells which.</summary>
    /// <param name="Start">Its first key.</param>
    /// <param name="Shift">The width of a bucket, as a power of two.</param>
    /// <param name="FirstBucket">The index of its first bucket among those of all nodes.</param>
    /// <param name="LastBucket">How many buckets follow the first; the last one reaches up to whatever comes behind the node.</param>
    /// <param name="FirstKey">The place of its first key among all.</param>
    private readonly record struct Node(PhysAddr Start, int Shift, int FirstBucket, int LastBucket, int FirstKey)
    {
        /// <summary>The bucket of an address that is not below the first key.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        internal int BucketOf(PhysAddr address) =>
            unchecked(FirstBucket + (int)Math.Min((address.Value - Start.Value) >> Shift, (ulong)LastBucket)); // at most LastBucket
    }
}
