using System.Collections.Frozen;
using System.Diagnostics.CodeAnalysis;

namespace Mm.P2pDma.Topologies;

/// <summary>One state of a topology, for reading: nothing in it ever changes.</summary>
/// <remarks>
/// Owns the checked tree: parents resolved, host bridges filled in, the order of every root bus. Not responsible for
/// verdicts, which routing derives from it.
/// <para><b>Linux:</b> the bus lists as a reader under pci_bus_sem sees them (v6.12).</para>
/// <para><b>Invariants:</b> (1) parents form a forest; (2) only bridges have children; (3) a function and its parent
/// agree on the host bridge; (4) functions and the order of root buses are as they were added; hot-added ones come last.</para>
/// <para>Immutable; safe from any thread.</para>
/// </remarks>
public sealed class TopologySnapshot
{
    private readonly TopologyParts parts;
    private readonly FrozenDictionary<PciPlace, int> indexes;
    private readonly int[] parents;
    private readonly int[] bridges;
    private readonly int[] firstOnRoot;

    private TopologySnapshot(TopologyParts parts, TopologyChecker checker, long version)
    {
        this.parts = parts;
        Version = version;
        indexes = checker.Indexes.ToFrozenDictionary();
        parents = checker.Parents;
        bridges = checker.Bridges;
        firstOnRoot = CollectFirstOnRoot();
    }

    /// <summary>Counts the edits that led here, from 0.</summary>
    public long Version { get; }

    /// <summary>All functions, in the order in which they were added.</summary>
    public IReadOnlyList<PciFunction> Functions => parts.Functions;

    /// <summary>All host bridges, in the order in which they were added.</summary>
    public IReadOnlyList<HostBridge> HostBridges => parts.HostBridges;

    /// <summary>All hosts; at least one.</summary>
    public IReadOnlyList<TopologyHost> Hosts => parts.Hosts;

    /// <summary>All NUMA nodes that were told.</summary>
    public IReadOnlyList<NumaNode> Nodes => parts.Nodes;

    /// <summary>Links that are not PCI.</summary>
    public IReadOnlyList<InterconnectLink> Interconnects => parts.Interconnects;

    /// <summary>What the source leaves out as a rule.</summary>
    public TopologyOmissions Omissions => parts.Omissions;

    /// <summary>Finds a function.</summary>
    /// <param name="place">Its place.</param>
    /// <param name="function">The function, or <see langword="null"/>.</param>
    /// <returns>Whether it exists.</returns>
    public bool TryFind(PciPlace place, [NotNullWhen(true)] out PciFunction? function)
    {
        function = indexes.TryGetValue(place, out int index) ? parts.Functions[index] : null;
        return function is not null;
    }

    /// <summary>Finds a function by an operating system's name for it, as <c>mlx5_0</c>.</summary>
    /// <param name="name">The name.</param>
    /// <param name="function">The first function that has it, or <see langword="null"/>.</param>
    /// <returns>Whether one has it.</returns>
    public bool TryFindByName(string name, [NotNullWhen(true)] out PciFunction? function)
    {
        ArgumentNullException.ThrowIfNull(name);
        foreach (PciFunction candidate in parts.Functions)
        {
            foreach (OsDevice device in candidate.OsDevices)
            {
                if (device.Name == name)
                {
                    function = candidate;
                    return true;
                }
            }
        }

        function = null;
        return false;
    }

    /// <summary>The bridge right above a function.</summary>
    /// <param name="function">A function of this snapshot.</param>
    /// <returns>The bridge; <see langword="null"/> on a root bus.</returns>
    /// <exception cref="ArgumentException">The function is not of this snapshot.</exception>
    public PciFunction? ParentOf(PciFunction function)
    {
        int parent = parents[IndexOf(function)];
        return parent < 0 ? null : parts.Functions[parent];
    }

    /// <summary>The functions right below a bridge, in order. Walks all functions.</summary>
    /// <param name="function">A function of this snapshot.</param>
    /// <returns>The functions; empty for an endpoint.</returns>
    /// <exception cref="ArgumentException">The function is not of this snapshot.</exception>
    public IReadOnlyList<PciFunction> CollectChildren(PciFunction function)
    {
        int index = IndexOf(function);
        var children = new List<PciFunction>();
        for (int i = 0; i < parents.Length; i++)
        {
            if (parents[i] == index)
            {
                children.Add(parts.Functions[i]);
            }
        }

        return children;
    }

    /// <summary>The functions on no bridge's bus, in order: of one host bridge, or those of no known one. Walks all functions.</summary>
    /// <param name="bridge">A host bridge of this snapshot; <see langword="null"/> for functions whose host bridge is not told.</param>
    /// <returns>The functions of the root bus; the first is the one that the kernel's allow list asks.</returns>
    public IReadOnlyList<PciFunction> CollectRootFunctions(HostBridge? bridge)
    {
        int wanted = bridge is null ? -1 : IndexOf(bridge);
        var roots = new List<PciFunction>();
        for (int i = 0; i < parents.Length; i++)
        {
            if (parents[i] < 0 && bridges[i] == wanted)
            {
                roots.Add(parts.Functions[i]);
            }
        }

        return roots;
    }

    /// <summary>The host bridge that a function is below.</summary>
    /// <param name="function">A function of this snapshot.</param>
    /// <returns>The host bridge; <see langword="null"/> where none is told.</returns>
    /// <exception cref="ArgumentException">The function is not of this snapshot.</exception>
    public HostBridge? HostBridgeOf(PciFunction function)
    {
        int bridge = bridges[IndexOf(function)];
        return bridge < 0 ? null : parts.HostBridges[bridge];
    }

    /// <summary>The first device of a host bridge's root bus, as listed.</summary>
    /// <param name="bridge">A host bridge of this snapshot.</param>
    /// <returns>The function; <see langword="null"/> where none is listed.</returns>
    /// <exception cref="ArgumentException">The host bridge is not of this snapshot.</exception>
    public PciFunction? FirstOnRootBusOf(HostBridge bridge)
    {
        int first = firstOnRoot[IndexOf(bridge)];
        return first < 0 ? null : parts.Functions[first];
    }

    /// <summary>The host of a function or host bridge.</summary>
    /// <param name="id">Which host.</param>
    /// <returns>The host.</returns>
    /// <exception cref="ArgumentOutOfRangeException">There is no such host.</exception>
    public TopologyHost HostOf(HostId id) =>
        parts.Hosts.Find(host => host.Id == id)
        ?? throw new ArgumentOutOfRangeException(nameof(id), id, $"{id} does not exist; there are {parts.Hosts.Count}");

    /// <summary>Checks parts and makes a snapshot of them.</summary>
    internal static bool TryCreate(
        TopologyParts parts, long version, [NotNullWhen(true)] out TopologySnapshot? snapshot, out TopologyDefect defect)
    {
        var checker = new TopologyChecker(parts);
        defect = checker.Check();
        snapshot = defect.Kind == TopologyDefectKind.None ? new TopologySnapshot(parts, checker, version) : null;
        return snapshot is not null;
    }

    /// <summary>A copy of the parts, to edit.</summary>
    internal TopologyParts CopyParts() => parts.Copy();

    /// <summary>The index of the parent of each function, -1 on root buses; indexes are those of <see cref="Functions"/>.</summary>
    internal ReadOnlySpan<int> ParentIndexes => parents;

    /// <summary>The index of the host bridge of each function, -1 where none is told.</summary>
    internal ReadOnlySpan<int> BridgeIndexes => bridges;

    /// <summary>The index of the first function of each host bridge's root bus, -1 where none is listed.</summary>
    internal ReadOnlySpan<int> FirstOnRootIndexes => firstOnRoot;

    internal bool TryIndexOf(PciPlace place, out int index) => indexes.TryGetValue(place, out index);

    private int IndexOf(PciFunction function)
    {
        ArgumentNullException.ThrowIfNull(function);
        return indexes.TryGetValue(function.Place, out int index) && ReferenceEquals(parts.Functions[index], function)
            ? index
            : throw new ArgumentException($"{function.Place} is not of this snapshot of the topology", nameof(function));
    }

    private int IndexOf(HostBridge bridge)
    {
        ArgumentNullException.ThrowIfNull(bridge);
        int index = parts.HostBridges.IndexOf(bridge);
        return index >= 0
            ? index
            : throw new ArgumentException($"{bridge} is not of this snapshot of the topology", nameof(bridge));
    }

    private int[] CollectFirstOnRoot()
    {
        int[] first = new int[parts.HostBridges.Count];
        Array.Fill(first, -1);
        for (int i = parents.Length - 1; i >= 0; i--)
        {
            if (parents[i] < 0 && bridges[i] >= 0)
            {
                first[bridges[i]] = i;
            }
        }

        return first;
    }
}
