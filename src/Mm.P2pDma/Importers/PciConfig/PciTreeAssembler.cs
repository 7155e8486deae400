using Mm.Core;
using Mm.P2pDma.Importers.Reading;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Importers.PciConfig;

/// <summary>Makes a tree of functions that only tell their bus numbers: each hangs below the bridge whose secondary bus is its own.</summary>
/// <remarks>
/// A bus that no bridge leads to is a root bus and gets a host bridge. Functions that know their parent or host bridge
/// already (a sysfs path says it) keep them. The order on a root bus is that of addresses, in which the kernel scans.
/// <para><b>Linux:</b> pci_scan_bridge_extend and the bus lists that it fills (drivers/pci/probe.c, v6.12).</para>
/// <para><b>Invariants:</b> (1) bus numbers cannot make a cycle: a secondary bus at or below the bridge's own is refused.</para>
/// <para><b>Locking:</b> the caller's; one import, one assembler.</para>
/// </remarks>
/// <param name="log">Where errors and notes go.</param>
internal sealed class PciTreeAssembler(ImportLog log)
{
    private const int MaxLevels = 256;

    private readonly ImportDraft draft = new(log);
    private readonly List<(PciFunction Function, ImportPosition Position)> parts = [];
    private readonly HashSet<PciAddress> loose = [];
    private readonly Dictionary<PciAddress, PciFunction> functions = [];
    private readonly Dictionary<PciBusId, PciFunction> bridges = [];

    /// <summary>What hosts and nodes are added to directly.</summary>
    internal TopologyBuilder Builder => draft.Builder;

    /// <summary>Adds a function.</summary>
    /// <param name="function">The function; without parent and host bridge where only bus numbers are known.</param>
    /// <param name="position">Where it stood.</param>
    /// <param name="isTreeTold">Whether the source lists bridges, so that a bus without one is a root bus; when not, nobody knows.</param>
    internal void Add(PciFunction function, ImportPosition position, bool isTreeTold = true)
    {
        parts.Add((function, position));
        if (!isTreeTold)
        {
            loose.Add(function.Address);
        }
    }

    /// <summary>Makes the tree.</summary>
    /// <param name="packageOf">The CPU package of a NUMA node, where told.</param>
    /// <returns>The topology; null, with an error in the log, when the parts make none.</returns>
    internal Topology? Build(Func<NodeId, int?>? packageOf = null)
    {
        parts.Sort((left, right) => left.Function.Address.CompareTo(right.Function.Address));
        foreach ((PciFunction function, ImportPosition position) in parts)
        {
            AddBridge(function, position);
        }

        if (log.HasErrors)
        {
            return null;
        }

        foreach ((PciFunction function, ImportPosition position) in parts)
        {
            PciFunction placed = Place(function);
            if (draft.TryAdd(placed, position))
            {
                functions.Add(placed.Address, placed);
            }
        }

        if (log.HasErrors)
        {
            return null;
        }

        AddHostBridges(packageOf ?? (_ => null));
        return draft.Build();
    }

    private void AddBridge(PciFunction function, ImportPosition position)
    {
        if (function.BusesBelow is not { } buses)
        {
            return;
        }

        if (buses.Secondary <= function.Address.Bus || buses.Subordinate < buses.Secondary)
        {
            log.Error(
                position,
                "the bridge's bus numbers do not go down",
                $"on bus {function.Address.Bus:x2}, secondary {buses.Secondary:x2}, subordinate {buses.Subordinate:x2}",
                "secondary above its own bus, subordinate at or above secondary");
            return;
        }

        var secondary = new PciBusId(function.Address.Domain, buses.Secondary);
        if (!bridges.TryAdd(secondary, function) && bridges[secondary].Address != function.Address)
        {
            log.Error(
                position,
                $"two bridges lead to bus {secondary}",
                $"{bridges[secondary].Address} and {function.Address}",
                "one bridge to each bus");
        }
    }

    private PciFunction Place(PciFunction function)
    {
        if (function.Parent is not null || function.HostBridge is not null)
        {
            return function;
        }

        if (bridges.TryGetValue(function.Address.BusId, out PciFunction? bridge))
        {
            return function with { Parent = bridge.Address };
        }

        if (!loose.Contains(function.Address))
        {
            return function with { HostBridge = function.Address.BusId };
        }

        // Whatever stands between this function and the root, the source does not have it.
        draft.Builder.Omissions |= TopologyOmissions.Ports;
        return function;
    }

    private void AddHostBridges(Func<NodeId, int?> packageOf)
    {
        var roots = new SortedDictionary<PciBusId, List<PciFunction>>();
        foreach ((PciFunction original, _) in parts)
        {
            PciFunction function = functions[original.Address];
            if (RootBusOf(function) is not { } bus)
            {
                continue;
            }

            if (!roots.TryGetValue(bus, out List<PciFunction>? below))
            {
                roots.Add(bus, below = []);
            }

            below.Add(function);
        }

        foreach ((PciBusId bus, List<PciFunction> below) in roots)
        {
            NodeId node = CommonNode(below);
            draft.Builder.AddHostBridge(new HostBridge
            {
                Bus = bus,
                LastBus = (byte)below.Max(function => function.BusesBelow?.Subordinate ?? function.Address.Bus),
                Node = node,
                Package = node.IsKnown ? packageOf(node) : null,
                IsRootBusComplete = IsWhole(bus, below),
            });
        }
    }

    private PciBusId? RootBusOf(PciFunction function)
    {
        PciFunction? at = function;
        for (int level = 0; at is not null && level < MaxLevels; level++)
        {
            if (at.HostBridge is { } bus)
            {
                return bus;
            }

            at = at.Parent is { } parent ? functions.GetValueOrDefault(parent) : null;
        }

        return null;
    }

    // Somebody may have listed a part of the machine only (lspci -s): then the "root bus" is a bus of a switch, and its
    // first device says nothing about the host bridge.
    private bool IsWhole(PciBusId bus, List<PciFunction> below)
    {
        bool isInside = bridges.Values.Any(bridge =>
            bridge.Address.Domain == bus.Domain
            && bridge.BusesBelow is { } range && range.Secondary <= bus.Bus && bus.Bus <= range.Subordinate);
        bool isSwitchBus = below.Exists(function =>
            function.Address.BusId == bus
            && function.PortType is PciPortType.SwitchUpstream or PciPortType.SwitchDownstream);
        if (isInside || isSwitchBus)
        {
            log.Note(log.At(0, 0), $"no bridge leads to bus {bus}: it is taken for a root bus, but the listing looks incomplete");
        }

        return !isInside && !isSwitchBus;
    }

    private static NodeId CommonNode(List<PciFunction> below)
    {
        NodeId common = NodeId.None;
        foreach (PciFunction function in below)
        {
            if (!function.Node.IsKnown || function.Node == common)
            {
                continue;
            }

            if (common.IsKnown)
            {
                return NodeId.None;
            }

            common = function.Node;
        }

        return common;
    }
}
