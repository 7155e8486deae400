using System.Numerics;

namespace Mm.Core.PhysRanges;

/// <summary>Sorted addresses in the order of a breadth-first binary tree, for processors without vectors: the last key at or below an address.</summary>
/// <remarks>
/// Each step is a multiplication and an addition of a comparison, with no branch to mispredict; the top levels share
/// their cache lines. A plain binary search over the sorted array mispredicts half its steps.
/// <para><b>Locking:</b> immutable.</para>
/// </remarks>
internal sealed class EytzingerKeys
{
    private readonly ulong[] keys; // from index 1; the children of k are 2k and 2k+1
    private readonly int[] order; // the sorted index of each key

    /// <summary>Builds the tree.</summary>
    /// <param name="sorted">The keys, ascending; at least one.</param>
    internal EytzingerKeys(ReadOnlySpan<PhysAddr> sorted)
    {
        keys = new ulong[sorted.Length + 1];
        order = new int[sorted.Length + 1];
        order[0] = -1; // where the search ends up when all keys lie above
        int position = 1;
        while (2 * position < keys.Length)
        {
            position *= 2;
        }

        for (int index = 0; index < sorted.Length; index++)
        {
            keys[position] = sorted[index].Value;
            order[position] = index;
            position = Successor(position);
        }
    }

    /// <summary>Finds the last key at or below an address.</summary>
    /// <param name="address">The address.</param>
    /// <returns>The key's index in sorted order, or -1 when all keys lie above.</returns>
    internal int FindAtOrBelow(PhysAddr address)
    {
        ulong wanted = address.Value;
        ReadOnlySpan<ulong> all = keys;
        int position = 1;
        while (unchecked((uint)position) < (uint)all.Length) // unsigned, so that the indexing needs no check of its own
        {
            position = unchecked((2 * position) + (all[position] <= wanted ? 1 : 0)); // stays below twice an array's length
        }

        // The steps taken are the bits below the leading one; the last step to the right left a key at or below.
        return order[position >> (BitOperations.TrailingZeroCount(position) + 1)];
    }

    // The next position in sorted order: leftmost below the right child, or the first ancestor of which this is left.
    private int Successor(int position)
    {
        int next = (2 * position) + 1;
        if (next >= keys.Length)
        {
            return position >> (BitOperations.TrailingZeroCount(~position) + 1);
        }

        while (2 * next < keys.Length)
        {
            next *= 2;
        }

        return next;
    }
}
