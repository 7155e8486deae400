using Mm.Core.Frames;

namespace Mm.Core.Policies;

/// <summary>Where one process's pages come from: its CPU's node, the nodes that it may use, and its own policy.</summary>
/// <remarks>
/// Owns these words, no page. An area's policy, where it has one, goes before the process's.
/// <para><b>Linux:</b> task_struct's mempolicy and mems_allowed, numa_node_id, CAP_SYS_NICE; alloc_pages_mpol, policy_nodemask
/// (mm/mempolicy.c, v6.12). Deliberate differences: a process has one CPU at a time; where the next page of interleaved kernel
/// memory would go is not asked, because nothing here allocates that way.</para>
/// <para><b>Locking:</b> safe from any thread; each word is read and written whole.</para>
/// </remarks>
public sealed class Placement
{
    private readonly PageAllocator allocator;
    private readonly NumaNodes nodes;
    private Words words; // replaced whole; read with acquire

    /// <summary>The words of a process that has said nothing.</summary>
    /// <param name="allocator">Where pages come from.</param>
    /// <param name="nodes">The machine's nodes.</param>
    internal Placement(PageAllocator allocator, NumaNodes nodes)
        : this(allocator, nodes, new Words(nodes.FirstCpu, nodes.WithMemory, MayMoveShared: false, Policy: null))
    {
    }

    private Placement(PageAllocator allocator, NumaNodes nodes, Words words)
    {
        this.allocator = allocator;
        this.nodes = nodes;
        this.words = words;
    }

    /// <summary>The node of the CPU that the process runs on; <see cref="NodeId.None"/>: the machine's first with RAM.</summary>
    /// <exception cref="ArgumentException">The node has no CPU.</exception>
    public NodeId CpuNode
    {
        get => Now.CpuNode;
        set
        {
            if (!nodes.WithCpus.Contains(value))
            {
                throw new ArgumentException($"value must be a node with CPUs, of {nodes.WithCpus}; it is {value}", nameof(value));
            }

            Change(now => now with { CpuNode = value });
        }
    }

    /// <summary>The nodes that the process may use; all with RAM unless set. <b>Linux:</b> cpuset_mems_allowed.</summary>
    /// <exception cref="ArgumentException">None of them has RAM.</exception>
    public NodeSet AllowedNodes
    {
        get => Now.Allowed;
        set
        {
            NodeSet kept = value.And(nodes.WithMemory);
            if (kept.IsEmpty)
            {
                throw new ArgumentException($"value must have a node with RAM, of {nodes.WithMemory}; it is {value}", nameof(value));
            }

            Change(now => now with { Allowed = kept });
        }
    }

    /// <summary>Whether the process may move pages that others map too, and to nodes that it may not use. <b>Linux:</b> CAP_SYS_NICE.</summary>
    public bool MayMoveShared
    {
        get => Now.MayMoveShared;
        set => Change(now => now with { MayMoveShared = value });
    }

    /// <summary>The process's own policy; null: where its CPU is. <b>Linux:</b> get_mempolicy without flags.</summary>
    public MemoryPolicy? Policy => Now.Policy;

    private Words Now => Volatile.Read(ref words);

    /// <summary>Sets the process's own policy, for pages that are still to come.</summary>
    /// <param name="mode">How pages are chosen.</param>
    /// <param name="nodes">Among which nodes.</param>
    /// <returns>Ok; EINVAL: no such mode, nodes for a mode that takes none, none for a mode that wants some, or none of them
    /// has RAM that the process may use.</returns>
    /// <remarks><b>Linux:</b> set_mempolicy.</remarks>
    public Errno TrySetPolicy(PolicyMode mode, NodeSet nodes = default)
    {
        Errno errno = TryMake(mode, nodes, out MemoryPolicy? made);
        if (errno.IsOk)
        {
            Change(now => now with { Policy = made });
        }

        return errno;
    }

    /// <summary>Makes a policy that this process may have.</summary>
    /// <param name="mode">How pages are chosen.</param>
    /// <param name="wanted">Among which nodes.</param>
    /// <param name="policy">The policy; null for none.</param>
    /// <returns>As <see cref="TrySetPolicy"/>.</returns>
    internal Errno TryMake(PolicyMode mode, in NodeSet wanted, out MemoryPolicy? policy) =>
        MemoryPolicy.TryCreate(mode, wanted, Now.Allowed, out policy);

    /// <summary>What a child begins with. <b>Linux:</b> mpol_dup in copy_process.</summary>
    /// <returns>The copy.</returns>
    internal Placement Copy() => new(allocator, nodes, Now);

    /// <summary>Takes a page as a policy says.</summary>
    /// <param name="request">What kind.</param>
    /// <param name="policy">The area's or file's policy; null: the process's.</param>
    /// <param name="index">Which page it is, in units of the request's order: of interleaved memory, whose turn it is.</param>
    /// <param name="page">The one reference to it; empty when refused.</param>
    /// <returns>Ok; ENOMEM: none of the nodes that the policy allows has one, or a failure was planned.</returns>
    /// <remarks><b>Linux:</b> alloc_pages_mpol.</remarks>
    internal Errno TryAllocate(AllocationRequest request, MemoryPolicy? policy, ulong index, out PageRef page)
    {
        Words now = Now;
        policy ??= now.Policy;
        NodeId start = StartOf(policy, index, now);
        request = start.IsKnown ? request with { Node = start } : request;
        bool isFree = policy is null || policy.Mode is not (PolicyMode.Bind or PolicyMode.PreferredMany);
        if (isFree && now.Allowed == nodes.WithMemory)
        {
            return allocator.TryAllocate(request, out page);
        }

        NodeSet first = isFree ? now.Allowed : policy!.Nodes.And(now.Allowed);
        bool isBound = policy?.Mode == PolicyMode.Bind && IsBinding(request, policy) && !first.IsEmpty;
        return allocator.TryAllocateAmong(request, first, isBound ? first : now.Allowed, out page);
    }

    // Whether a node has what a process may take by name, as set_mempolicy_home_node asks.
    internal bool IsOnline(NodeId node) => nodes.IsOnline(node);

    internal bool HasMemory(NodeId node) => nodes.WithMemory.Contains(node);

    // Linux: apply_policy_zone: nodes with nothing but movable memory bind only what can be moved.
    private bool IsBinding(AllocationRequest request, MemoryPolicy policy)
    {
        bool isMovable = request.HighestZone == ZoneKind.Movable && !allocator.IsInPinScope;
        return isMovable || !policy.Nodes.And(nodes.WithFixedMemory).IsEmpty;
    }

    private NodeId StartOf(MemoryPolicy? policy, ulong index, Words now) => policy?.Mode switch
    {
        PolicyMode.Preferred => policy.Nodes.First,
        PolicyMode.Interleave => policy.Nodes.At((int)(index % (ulong)policy.Nodes.Count)),
        PolicyMode.WeightedInterleave => ByWeight(policy.Nodes, index),
        PolicyMode.Bind or PolicyMode.PreferredMany when policy.HomeNode.IsKnown => policy.HomeNode,
        _ => now.CpuNode,
    };

    // Linux: weighted_interleave_nid.
    private NodeId ByWeight(in NodeSet among, ulong index)
    {
        int count = among.Count;
        ulong total = 0;
        for (int place = 0; place < count; place++)
        {
            total += (ulong)nodes.WeightOf(among.At(place));
        }

        ulong target = index % total;
        NodeId node = among.First;
        while (target >= (ulong)nodes.WeightOf(node))
        {
            target -= (ulong)nodes.WeightOf(node);
            node = among.NextAfter(node);
        }

        return node;
    }

    private void Change(Func<Words, Words> change)
    {
        Words seen;
        do
        {
            seen = Now;
        }
        while (Interlocked.CompareExchange(ref words, change(seen), seen) != seen);
    }

    private sealed record Words(NodeId CpuNode, NodeSet Allowed, bool MayMoveShared, MemoryPolicy? Policy);
}
