namespace Mm.Core.Policies;

/// <summary>From which nodes pages are to come.</summary>
/// <remarks>
/// Says nothing of what is there: the allocator, asked by a <see cref="Placement"/>, goes by it.
/// <para><b>Linux:</b> struct mempolicy (v6.12). Deliberate differences: no MPOL_F_STATIC_NODES, MPOL_F_RELATIVE_NODES or
/// MPOL_F_NUMA_BALANCING, and a policy is not rebound when its process may use other nodes from now on.</para>
/// <para><b>Invariants:</b> (1) the mode is not Default, which is no policy; (2) Local has no nodes, Preferred has one, the
/// others at least one, all with memory when it was made; (3) only Bind and PreferredMany have a home node.</para>
/// <para>Immutable; compared by value, as mpol_equal does.</para>
/// </remarks>
public sealed record MemoryPolicy
{
    private MemoryPolicy(PolicyMode mode, in NodeSet nodes)
    {
        Mode = mode;
        Nodes = nodes;
    }

    /// <summary>How it chooses.</summary>
    public PolicyMode Mode { get; }

    /// <summary>Among which nodes.</summary>
    public NodeSet Nodes { get; }

    /// <summary>The node that distances are counted from; <see cref="NodeId.None"/>: the CPU's. <b>Linux:</b> set_mempolicy_home_node.</summary>
    public NodeId HomeNode { get; private init; } = NodeId.None;

    /// <summary>Whether its pages go to its nodes in turn.</summary>
    internal bool IsInterleaved => Mode is PolicyMode.Interleave or PolicyMode.WeightedInterleave;

    /// <summary>Makes one of what a process asks for.</summary>
    /// <param name="mode">How it is to choose.</param>
    /// <param name="nodes">Among which nodes; those without memory, or that the process may not use, fall out.</param>
    /// <param name="usable">The nodes with memory that the process may use.</param>
    /// <param name="policy">The policy; null when refused, and for <see cref="PolicyMode.Default"/>.</param>
    /// <returns>Ok; EINVAL: no such mode, nodes for a mode that takes none, none for a mode that wants some, or none of them is
    /// usable: a node of device memory alone never is.</returns>
    /// <remarks><b>Linux:</b> mpol_new, mpol_set_nodemask.</remarks>
    internal static Errno TryCreate(PolicyMode mode, in NodeSet nodes, in NodeSet usable, out MemoryPolicy? policy)
    {
        policy = null;
        switch (mode)
        {
            case PolicyMode.Default:
                return nodes.IsEmpty ? Errno.Ok : Errno.EINVAL;
            case PolicyMode.Local when !nodes.IsEmpty:
                return Errno.EINVAL;
            case PolicyMode.Local:
            case PolicyMode.Preferred when nodes.IsEmpty:
                policy = new MemoryPolicy(PolicyMode.Local, default);
                return Errno.Ok;
            case < PolicyMode.Default or > PolicyMode.WeightedInterleave:
                return Errno.EINVAL;
            default:
                break;
        }

        NodeSet kept = nodes.And(usable);
        if (kept.IsEmpty)
        {
            return Errno.EINVAL;
        }

        policy = new MemoryPolicy(mode, mode == PolicyMode.Preferred ? new NodeSet(kept.First) : kept);
        return Errno.Ok;
    }

    /// <summary>The same with a home node.</summary>
    /// <param name="node">The node; of a Bind or PreferredMany policy.</param>
    /// <returns>The policy.</returns>
    internal MemoryPolicy WithHome(NodeId node)
    {
        Checks.Check.That(Mode is PolicyMode.Bind or PolicyMode.PreferredMany, $"invariant 3: {this} has no home node");
        return this with { HomeNode = node };
    }

    /// <summary>The policy as <c>Bind nodes 0,2</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() =>
        $"{Mode}{(Nodes.IsEmpty ? "" : $" {Nodes}")}{(HomeNode.IsKnown ? $", home {HomeNode}" : "")}";
}
