using Mm.Core.Frames;

namespace Mm.Core.Policies;

/// <summary>The nodes of a machine: which have RAM, which have CPUs, and how much of interleaved memory each takes.</summary>
/// <remarks>
/// Owns the weights. Not responsible for memory, which the allocator knows. A node may have RAM and no CPU, CPUs and no RAM,
/// or nothing but device memory; of the last no page is ever allocated here.
/// <para><b>Linux:</b> node_states with N_MEMORY, N_CPU and N_ONLINE; /sys/kernel/mm/mempolicy/weighted_interleave (v6.12).</para>
/// <para><b>Locking:</b> safe from any thread.</para>
/// </remarks>
public sealed class NumaNodes
{
    private readonly byte[] weights = new byte[NodeId.MaxIndex + 1]; // atomic each; 0 is the default, 1
    private readonly Func<NodeId, bool> hasDevice;

    /// <summary>The nodes.</summary>
    /// <param name="allocator">What knows which have RAM.</param>
    /// <param name="cpus">Those with CPUs; empty: those with RAM.</param>
    /// <param name="hasDevice">Whether a node has a device's memory; null: none has.</param>
    internal NumaNodes(PageAllocator allocator, in NodeSet cpus = default, Func<NodeId, bool>? hasDevice = null)
    {
        this.hasDevice = hasDevice ?? (static _ => false);
        WithMemory = new NodeSet([.. allocator.Zones.Select(static zone => zone.Node)]);
        WithFixedMemory = new NodeSet(
            [.. allocator.Zones.Where(static zone => zone.Kind < ZoneKind.Movable).Select(static zone => zone.Node)]);
        WithCpus = cpus.IsEmpty ? WithMemory : cpus;
        FirstCpu = cpus.First;
    }

    /// <summary>Those with RAM. <b>Linux:</b> N_MEMORY.</summary>
    public NodeSet WithMemory { get; }

    /// <summary>Those with CPUs. <b>Linux:</b> N_CPU.</summary>
    public NodeSet WithCpus { get; }

    /// <summary>Those with RAM outside a movable zone. <b>Linux:</b> N_HIGH_MEMORY.</summary>
    internal NodeSet WithFixedMemory { get; }

    /// <summary>Where a process's CPU is, unless it says otherwise; none: nobody has said where CPUs are.</summary>
    internal NodeId FirstCpu { get; }

    /// <summary>Whether a node exists: it has RAM, CPUs or a device's memory. <b>Linux:</b> node_online.</summary>
    /// <param name="node">The node.</param>
    /// <returns>Whether it does.</returns>
    public bool IsOnline(NodeId node) => WithMemory.Contains(node) || WithCpus.Contains(node) || (node.IsKnown && hasDevice(node));

    /// <summary>How many pages in a row a node takes of interleaved memory that goes by weight.</summary>
    /// <param name="node">The node.</param>
    /// <returns>The weight, 1 unless set.</returns>
    /// <exception cref="ArgumentException">It is <see cref="NodeId.None"/>.</exception>
    public int WeightOf(NodeId node)
    {
        ThrowUnlessKnown(node);
        return Math.Max((int)Volatile.Read(ref weights[node.Index]), 1);
    }

    /// <summary>Sets it, for pages that are still to come.</summary>
    /// <param name="node">The node.</param>
    /// <param name="weight">The weight, in [1, 255]; 0: as if never set.</param>
    /// <returns>Ok; EINVAL: not such a weight.</returns>
    /// <exception cref="ArgumentException">The node is <see cref="NodeId.None"/>.</exception>
    /// <remarks><b>Linux:</b> node_store (mm/mempolicy.c).</remarks>
    public Errno TrySetWeight(NodeId node, int weight)
    {
        ThrowUnlessKnown(node);
        if (weight is < 0 or > byte.MaxValue)
        {
            return Errno.EINVAL;
        }

        Volatile.Write(ref weights[node.Index], (byte)weight);
        return Errno.Ok;
    }

    private static void ThrowUnlessKnown(NodeId node)
    {
        if (!node.IsKnown)
        {
            throw new ArgumentException("node must be one in [0, 1024)", nameof(node));
        }
    }
}
