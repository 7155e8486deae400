using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Mm.Core.Native;

namespace Mm.Core.PhysRanges;

/// <summary>Sorted addresses in a static tree of 16 keys a node, searched by vectors: the last key at or below an address.</summary>
/// <remarks>
/// The lowest level is the sorted keys; each level above has the first key of every 16 below. A node is two cache lines
/// and one comparison of 16 lanes, so 65536 keys are four steps; a branch-free binary search takes sixteen.
/// Keys are stored with the top bit flipped, because vectors compare signed integers on all processors.
/// <para><b>Invariants:</b> (1) each level is padded with the largest key to whole nodes; (2) the first key of a node is
/// the key that its parent has for it.</para>
/// <para><b>Locking:</b> immutable.</para>
/// </remarks>
internal sealed class KeyTree
{
    private const int NodeKeys = 16;
    private const int NodeShift = 4;

    private readonly AlignedWords keys;
    private readonly int[] levelStarts; // the index of each level's first key, from the root's level down
    private readonly int keyCount;
    private readonly VectorLevel vectors;

    /// <summary>Builds the tree.</summary>
    /// <param name="sorted">The keys, ascending; at least one.</param>
    /// <param name="vectors">Which twin searches: 128 bits or wider.</param>
    internal KeyTree(ReadOnlySpan<PhysAddr> sorted, VectorLevel vectors)
    {
        keyCount = sorted.Length;
        this.vectors = vectors;
        var levelSizes = new List<int>();
        for (int nodes = NodesFor(keyCount); ; nodes = NodesFor(nodes))
        {
            levelSizes.Add(nodes * NodeKeys);
            if (nodes == 1)
            {
                break;
            }
        }

        levelSizes.Reverse();
        levelStarts = new int[levelSizes.Count];
        int total = 0;
        for (int level = 0; level < levelStarts.Length; level++)
        {
            levelStarts[level] = total;
            total += levelSizes[level];
        }

        keys = new AlignedWords(total);
        Fill(sorted);
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

        long wanted = Flip(address);
        if (vectors == VectorLevel.Vector512)
        {
            return Find512(wanted);
        }

        return vectors == VectorLevel.Vector256 ? Find256(wanted) : Find128(wanted);
    }

    private static int NodesFor(int keys) => (keys + NodeKeys - 1) / NodeKeys;

    private static long Flip(PhysAddr address) => unchecked((long)(address.Value ^ (1UL << 63)));

    private void Fill(ReadOnlySpan<PhysAddr> sorted)
    {
        Span<long> all = keys.Span;
        all.Fill(long.MaxValue);
        Span<long> below = all[levelStarts[^1]..];
        for (int index = 0; index < sorted.Length; index++)
        {
            below[index] = Flip(sorted[index]);
        }

        for (int level = levelStarts.Length - 2; level >= 0; level--)
        {
            Span<long> here = all[levelStarts[level]..levelStarts[level + 1]];
            for (int node = 0; node * NodeKeys < below.Length; node++)
            {
                here[node] = below[node * NodeKeys];
            }

            below = here;
        }
    }

    private int Find512(long wanted)
    {
        Vector512<long> sought = Vector512.Create(wanted);
        ReadOnlySpan<Vector512<long>> all = Words.AsVector512(keys.Span);
        int node = 0;
        foreach (int start in levelStarts)
        {
            // In blocks of eight, half a node each. Short on purpose: the next level waits for this one's sum.
            int first = unchecked((start >> 3) + (node << (NodeShift - 3)));
            ulong low = Vector512.LessThanOrEqual(all[first], sought).ExtractMostSignificantBits();
            ulong high = Vector512.LessThanOrEqual(all[unchecked(first + 1)], sought).ExtractMostSignificantBits();
            int atOrBelow = unchecked(BitOperations.PopCount(low) + BitOperations.PopCount(high)); // at most 16
            node = unchecked((node << NodeShift) + atOrBelow - 1);
            if (node < 0)
            {
                break;
            }
        }

        return node;
    }

    private int Find256(long wanted)
    {
        Vector256<long> sought = Vector256.Create(wanted);
        ReadOnlySpan<long> all = keys.Span;
        int node = 0;
        foreach (int start in levelStarts)
        {
            ReadOnlySpan<Vector256<long>> four = Words.AsVector256(all.Slice(unchecked(start + (node << NodeShift)), NodeKeys));
            Vector256<short> low = Avx2.PackSignedSaturate(
                Vector256.GreaterThan(four[0], sought).AsInt32(), Vector256.GreaterThan(four[1], sought).AsInt32());
            Vector256<short> high = Avx2.PackSignedSaturate(
                Vector256.GreaterThan(four[2], sought).AsInt32(), Vector256.GreaterThan(four[3], sought).AsInt32());
            Vector256<sbyte> above = Avx2.PackSignedSaturate(low, high); // two bytes a key, in some order
            int aboveCount = BitOperations.PopCount(above.ExtractMostSignificantBits()) >> 1;
            node = unchecked((node << NodeShift) + NodeKeys - aboveCount - 1);
            if (node < 0)
            {
                break;
            }
        }

        return node;
    }

    private int Find128(long wanted)
    {
        Vector128<long> sought = Vector128.Create(wanted);
        ReadOnlySpan<long> all = keys.Span;
        int node = 0;
        foreach (int start in levelStarts)
        {
            Vector128<long> above = Vector128<long>.Zero; // each lane counts down
            foreach (Vector128<long> pair in Words.AsVector128(all.Slice(unchecked(start + (node << NodeShift)), NodeKeys)))
            {
                above += Vector128.GreaterThan(pair, sought);
            }

            node = (node << NodeShift) + NodeKeys + (int)Vector128.Sum(above) - 1;
            if (node < 0)
            {
                break;
            }
        }

        return node;
    }
}
