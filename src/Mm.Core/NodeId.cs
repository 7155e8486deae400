namespace Mm.Core;

/// <summary>A NUMA node: a group of memory, and perhaps of CPUs, at one distance from everybody else.</summary>
/// <remarks>
/// Range: 0 to 1023, sparse. <see cref="None"/> means that no node is known. <c>default</c> is node 0.
/// <para><b>Linux:</b> the int nid of a pglist_data; <see cref="None"/> is NUMA_NO_NODE (v6.12).</para>
/// <para>Immutable.</para>
/// </remarks>
public readonly record struct NodeId
{
    /// <summary>The largest node number.</summary>
    public const int MaxIndex = 1023;

    private readonly short index;

    /// <summary>Names a node.</summary>
    /// <param name="index">The node number, 0 to 1023.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="index"/> is not in [0, 1024).</exception>
    public NodeId(int index)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(index, MaxIndex);
        this.index = (short)index;
    }

    private NodeId(short index) => this.index = index;

    /// <summary>No node is known.</summary>
    public static NodeId None => new((short)-1);

    /// <summary>Whether this names a node.</summary>
    public bool IsKnown => index >= 0;

    /// <summary>The node number; -1 for <see cref="None"/>.</summary>
    public int Index => index;

    /// <summary>The node as <c>node 0</c>, or <c>no node</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => IsKnown ? $"node {index}" : "no node";
}
