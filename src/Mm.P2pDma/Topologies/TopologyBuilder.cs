using System.Diagnostics.CodeAnalysis;

namespace Mm.P2pDma.Topologies;

/// <summary>Collects the parts of a topology, in any order, and checks them once at the end: what importers and tests fill.</summary>
/// <remarks>
/// Parents may be added after their children; the order of functions on a root bus is that of adding, and the first one
/// is the one that the kernel's allow list asks. A builder builds once or often; each topology gets its own copy.
/// <para><b>Locking:</b> the caller's.</para>
/// </remarks>
public sealed class TopologyBuilder
{
    private readonly TopologyParts parts = new();

    /// <summary>What the source leaves out of the tree as a rule.</summary>
    public TopologyOmissions Omissions
    {
        get => parts.Omissions;
        set => parts.Omissions = value;
    }

    /// <summary>How many functions were added.</summary>
    public int FunctionCount => parts.Functions.Count;

    /// <summary>Adds a host. A topology to which none is added has one, <see cref="HostId.First"/>, of unknown CPU.</summary>
    /// <param name="host">The host.</param>
    /// <returns>This builder.</returns>
    public TopologyBuilder AddHost(TopologyHost host)
    {
        ArgumentNullException.ThrowIfNull(host);
        parts.Hosts.Add(host);
        return this;
    }

    /// <summary>Adds the first host, with its CPUs.</summary>
    /// <param name="cpu">Its CPUs.</param>
    /// <returns>This builder.</returns>
    public TopologyBuilder AddHost(CpuIdentity cpu) => AddHost(new TopologyHost(HostId.First) { Cpu = cpu });

    /// <summary>Adds a host bridge.</summary>
    /// <param name="bridge">The host bridge.</param>
    /// <returns>This builder.</returns>
    public TopologyBuilder AddHostBridge(HostBridge bridge)
    {
        ArgumentNullException.ThrowIfNull(bridge);
        parts.HostBridges.Add(bridge);
        return this;
    }

    /// <summary>Adds a function.</summary>
    /// <param name="function">The function; it names its parent and host bridge.</param>
    /// <returns>This builder.</returns>
    public TopologyBuilder AddFunction(PciFunction function)
    {
        ArgumentNullException.ThrowIfNull(function);
        parts.Functions.Add(function);
        return this;
    }

    /// <summary>Adds a NUMA node.</summary>
    /// <param name="node">The node.</param>
    /// <returns>This builder.</returns>
    public TopologyBuilder AddNode(NumaNode node)
    {
        ArgumentNullException.ThrowIfNull(node);
        parts.Nodes.Add(node);
        return this;
    }

    /// <summary>Adds a link that is not PCI, as a fact.</summary>
    /// <param name="link">The link; its ends are not checked against the functions.</param>
    /// <returns>This builder.</returns>
    public TopologyBuilder AddInterconnect(InterconnectLink link)
    {
        ArgumentNullException.ThrowIfNull(link);
        parts.Interconnects.Add(link);
        return this;
    }

    /// <summary>Checks the parts and makes the topology.</summary>
    /// <param name="topology">The topology, or <see langword="null"/> when refused.</param>
    /// <param name="defect">What is wrong, or nothing.</param>
    /// <returns>Whether the parts make a topology.</returns>
    public bool TryBuild([NotNullWhen(true)] out Topology? topology, out TopologyDefect defect)
    {
        TopologyParts copy = parts.Copy();
        if (copy.Hosts.Count == 0)
        {
            copy.Hosts.Add(new TopologyHost(HostId.First));
        }

        topology = TopologySnapshot.TryCreate(copy, version: 0, out TopologySnapshot? snapshot, out defect)
            ? new Topology(snapshot)
            : null;
        return topology is not null;
    }

    /// <summary>Makes the topology of parts that are known to be sound.</summary>
    /// <returns>The topology.</returns>
    /// <exception cref="InvalidOperationException">The parts do not make a topology; the message says why.</exception>
    public Topology Build() =>
        TryBuild(out Topology? topology, out TopologyDefect defect)
            ? topology
            : throw new InvalidOperationException(defect.ToString());
}
