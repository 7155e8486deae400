using System.Numerics;
using System.Runtime.CompilerServices;
using System.Text;

namespace Mm.Core;

/// <summary>A set of nodes.</summary>
/// <remarks>
/// Holds any of the 1024 nodes that there can be; <see cref="NodeId.None"/> is in no set.
/// <para><b>Linux:</b> nodemask_t (include/linux/nodemask.h, v6.12).</para>
/// <para><c>default</c> is empty. Immutable.</para>
/// </remarks>
public readonly struct NodeSet : IEquatable<NodeSet>
{
    private const int WordCount = (NodeId.MaxIndex + 1) / 64;

    private readonly Words words;

    /// <summary>A set of some nodes.</summary>
    /// <param name="nodes">The nodes; the same one twice does no harm.</param>
    /// <exception cref="ArgumentException">One of them is <see cref="NodeId.None"/>.</exception>
    public NodeSet(params ReadOnlySpan<NodeId> nodes)
    {
        foreach (NodeId node in nodes)
        {
            if (!node.IsKnown)
            {
                throw new ArgumentException("nodes must be in [0, 1024); one is no node", nameof(nodes));
            }

            words[node.Index >> 6] |= 1UL << (node.Index & 63);
        }
    }

    private NodeSet(Words words) => this.words = words;

    /// <summary>Whether it has none.</summary>
    public bool IsEmpty => !((ReadOnlySpan<ulong>)words).ContainsAnyExcept(0UL);

    /// <summary>How many it has. <b>Linux:</b> nodes_weight.</summary>
    public int Count
    {
        get
        {
            int count = 0;
            foreach (ulong word in words)
            {
                count += BitOperations.PopCount(word);
            }

            return count;
        }
    }

    /// <summary>The lowest one; <see cref="NodeId.None"/> of an empty set. <b>Linux:</b> first_node.</summary>
    public NodeId First => FirstFrom(0);

    /// <summary>Whether a node is in it. <b>Linux:</b> node_isset.</summary>
    /// <param name="node">The node.</param>
    /// <returns>Whether it is.</returns>
    public bool Contains(NodeId node) => node.IsKnown && (words[node.Index >> 6] >> (node.Index & 63) & 1) != 0;

    /// <summary>The next one above a node, or the lowest one behind the highest. <b>Linux:</b> next_node_in.</summary>
    /// <param name="node">The node, in the set or not.</param>
    /// <returns>The next one; <see cref="NodeId.None"/> of an empty set.</returns>
    public NodeId NextAfter(NodeId node)
    {
        NodeId next = FirstFrom(node.Index + 1);
        return next.IsKnown ? next : First;
    }

    /// <summary>One by its place in the set.</summary>
    /// <param name="place">Its place, counted from the lowest one.</param>
    /// <returns>The node.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The set has no such place.</exception>
    public NodeId At(int place)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(place);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(place, Count);
        NodeId node = First;
        for (int passed = 0; passed < place; passed++)
        {
            node = FirstFrom(node.Index + 1);
        }

        return node;
    }

    /// <summary>Where a node stands in the set.</summary>
    /// <param name="node">The node.</param>
    /// <returns>Its place, counted from the lowest one; -1: it is not in it.</returns>
    public int PlaceOf(NodeId node)
    {
        int place = -1;
        for (NodeId next = First; next.IsKnown && next.Index <= node.Index; next = FirstFrom(next.Index + 1))
        {
            place++;
        }

        return Contains(node) ? place : -1;
    }

    /// <summary>What is in both. <b>Linux:</b> nodes_and.</summary>
    /// <param name="other">The other one.</param>
    /// <returns>The set.</returns>
    public NodeSet And(in NodeSet other)
    {
        Words both = words;
        for (int index = 0; index < WordCount; index++)
        {
            both[index] &= other.words[index];
        }

        return new NodeSet(both);
    }

    /// <summary>The set with a node more.</summary>
    /// <param name="node">The node.</param>
    /// <returns>The set.</returns>
    /// <exception cref="ArgumentException">It is <see cref="NodeId.None"/>.</exception>
    public NodeSet With(NodeId node)
    {
        Words more = words;
        _ = new NodeSet(node); // throws for none
        more[node.Index >> 6] |= 1UL << (node.Index & 63);
        return new NodeSet(more);
    }

    /// <summary>The set without a node.</summary>
    /// <param name="node">The node, in the set or not.</param>
    /// <returns>The set.</returns>
    public NodeSet Without(NodeId node)
    {
        Words less = words;
        if (node.IsKnown)
        {
            less[node.Index >> 6] &= ~(1UL << (node.Index & 63));
        }

        return new NodeSet(less);
    }

    /// <summary>Whether all of it is in another one. <b>Linux:</b> nodes_subset.</summary>
    /// <param name="other">The other one.</param>
    /// <returns>Whether it is.</returns>
    public bool IsSubsetOf(in NodeSet other) => And(other) == this;

    /// <inheritdoc/>
    public bool Equals(NodeSet other) => ((ReadOnlySpan<ulong>)words).SequenceEqual(other.words);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is NodeSet other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = default(HashCode);
        foreach (ulong word in words)
        {
            hash.Add(word);
        }

        return hash.ToHashCode();
    }

    /// <summary>Compares.</summary>
    /// <param name="left">One.</param>
    /// <param name="right">The other.</param>
    /// <returns>Whether they have the same nodes.</returns>
    public static bool operator ==(in NodeSet left, in NodeSet right) => left.Equals(right);

    /// <summary>Compares.</summary>
    /// <param name="left">One.</param>
    /// <param name="right">The other.</param>
    /// <returns>Whether they have different nodes.</returns>
    public static bool operator !=(in NodeSet left, in NodeSet right) => !left.Equals(right);

    /// <summary>The set as <c>nodes 0,2</c>, or <c>no nodes</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString()
    {
        var text = new StringBuilder();
        for (NodeId node = First; node.IsKnown; node = FirstFrom(node.Index + 1))
        {
            _ = text.Append(text.Length == 0 ? "nodes " : ",").Append(node.Index);
        }

        return text.Length == 0 ? "no nodes" : text.ToString();
    }

    private NodeId FirstFrom(int index)
    {
        for (int word = index >> 6; word < WordCount; word++)
        {
            ulong left = words[word] & (word == index >> 6 ? ulong.MaxValue << (index & 63) : ulong.MaxValue);
            if (left != 0)
            {
                return new NodeId((word << 6) + BitOperations.TrailingZeroCount(left));
            }
        }

        return NodeId.None;
    }

    [InlineArray(WordCount)]
    private struct Words
    {
        private ulong first;
    }
}
