namespace Mm.P2pDma.Topologies;

/// <summary>Checks the parts of a topology and resolves addresses to indexes.</summary>
/// <remarks>
/// Linear in the number of functions, whatever the input: every chain of parents is followed once.
/// <para><b>Locking:</b> the caller's; used once.</para>
/// </remarks>
/// <param name="parts">The parts; functions below a parent get their host bridge filled in.</param>
internal sealed class TopologyChecker(TopologyParts parts)
{
    /// <summary>A tree of 256 buses is at most this deep; virtual switches add a few.</summary>
    private const int MaxDepth = 300;

    private readonly Dictionary<(HostId Host, PciBusId Bus), int> bridgeIndexes = [];
    private readonly HashSet<HostId> hosts = [];

    public Dictionary<PciPlace, int> Indexes { get; } = new(parts.Functions.Count);

    public int[] Parents { get; } = new int[parts.Functions.Count];

    public int[] Bridges { get; } = new int[parts.Functions.Count];

    /// <summary>Checks everything; the first defect found is the answer.</summary>
    public TopologyDefect Check()
    {
        TopologyDefect defect = CheckHosts();
        if (defect.Kind == TopologyDefectKind.None)
        {
            defect = CheckBridgesAndNodes();
        }

        if (defect.Kind == TopologyDefectKind.None)
        {
            defect = IndexFunctions();
        }

        if (defect.Kind == TopologyDefectKind.None)
        {
            defect = LinkParents();
        }

        return defect.Kind == TopologyDefectKind.None ? ResolveBridges() : defect;
    }

    private static TopologyDefect Of(TopologyDefectKind kind, object subject, object? other = null) =>
        new(kind, subject.ToString(), other?.ToString()) { Place = (subject as PciFunction)?.Place };

    private TopologyDefect CheckHosts()
    {
        foreach (TopologyHost host in parts.Hosts)
        {
            if (!hosts.Add(host.Id))
            {
                return Of(TopologyDefectKind.DuplicateHost, host.Id);
            }
        }

        return default;
    }

    private TopologyDefect CheckBridgesAndNodes()
    {
        for (int i = 0; i < parts.HostBridges.Count; i++)
        {
            HostBridge bridge = parts.HostBridges[i];
            if (!hosts.Contains(bridge.Host))
            {
                return Of(TopologyDefectKind.MissingHost, bridge, bridge.Host);
            }

            if (!bridgeIndexes.TryAdd((bridge.Host, bridge.Bus), i))
            {
                return Of(TopologyDefectKind.DuplicateHostBridge, bridge);
            }
        }

        var nodes = new HashSet<(HostId, Core.NodeId)>();
        foreach (NumaNode node in parts.Nodes)
        {
            if (!hosts.Contains(node.Host))
            {
                return Of(TopologyDefectKind.MissingHost, node.Node, node.Host);
            }

            if (!nodes.Add((node.Host, node.Node)))
            {
                return Of(TopologyDefectKind.DuplicateNode, node.Node);
            }
        }

        return default;
    }

    private TopologyDefect IndexFunctions()
    {
        for (int i = 0; i < parts.Functions.Count; i++)
        {
            PciFunction function = parts.Functions[i];
            if (!hosts.Contains(function.Host))
            {
                return Of(TopologyDefectKind.MissingHost, function, function.Host);
            }

            if (!Indexes.TryAdd(function.Place, i))
            {
                return Of(TopologyDefectKind.DuplicateFunction, function);
            }

            int seen = 0;
            foreach (PciBar bar in function.Bars)
            {
                if ((seen & (1 << bar.Index)) != 0)
                {
                    return Of(TopologyDefectKind.DuplicateBar, function, $"BAR {bar.Index}");
                }

                seen |= 1 << bar.Index;
            }
        }

        return default;
    }

    private TopologyDefect LinkParents()
    {
        for (int i = 0; i < parts.Functions.Count; i++)
        {
            PciFunction function = parts.Functions[i];
            Parents[i] = -1;
            if (function.Parent is not { } address)
            {
                continue;
            }

            if (!Indexes.TryGetValue(new PciPlace(function.Host, address), out int parent))
            {
                return Of(TopologyDefectKind.MissingParent, function, address);
            }

            if (!parts.Functions[parent].CanHaveChildren)
            {
                return Of(TopologyDefectKind.ParentIsNoBridge, function, address);
            }

            Parents[i] = parent;
        }

        return default;
    }

    /// <summary>Follows each chain up to what is already resolved, then fills host bridges in on the way down.</summary>
    private TopologyDefect ResolveBridges()
    {
        const int unresolved = -2;
        Array.Fill(Bridges, unresolved);
        int[] depths = new int[Bridges.Length];
        var chain = new List<int>();
        for (int i = 0; i < Bridges.Length; i++)
        {
            chain.Clear();
            int at = i;
            while (at >= 0 && Bridges[at] == unresolved)
            {
                if (chain.Count > MaxDepth)
                {
                    return chain.IndexOf(at) >= 0
                        ? Of(TopologyDefectKind.Cycle, parts.Functions[at])
                        : Of(TopologyDefectKind.TooDeep, parts.Functions[i], MaxDepth);
                }

                chain.Add(at);
                at = Parents[at];
            }

            for (int c = chain.Count - 1; c >= 0; c--)
            {
                TopologyDefect defect = ResolveBridge(chain[c], depths);
                if (defect.Kind != TopologyDefectKind.None)
                {
                    return defect;
                }
            }
        }

        return default;
    }

    private TopologyDefect ResolveBridge(int index, int[] depths)
    {
        PciFunction function = parts.Functions[index];
        int parent = Parents[index];
        depths[index] = parent < 0 ? 1 : depths[parent] + 1;
        if (depths[index] > MaxDepth)
        {
            return Of(TopologyDefectKind.TooDeep, function, MaxDepth);
        }

        int own = -1;
        if (function.HostBridge is { } bus && !bridgeIndexes.TryGetValue((function.Host, bus), out own))
        {
            return Of(TopologyDefectKind.MissingHostBridge, function, bus);
        }

        if (parent < 0)
        {
            Bridges[index] = own;
            return default;
        }

        if (function.HostBridge is not null && own != Bridges[parent])
        {
            PciBusId? above = parts.Functions[parent].HostBridge;
            return Of(
                TopologyDefectKind.HostBridgeDiffersFromParent,
                function,
                $"{function.HostBridge}, not {above?.ToString() ?? "none"}");
        }

        Bridges[index] = Bridges[parent];
        parts.Functions[index] = function with { HostBridge = parts.Functions[parent].HostBridge };
        return default;
    }
}
