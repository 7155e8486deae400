using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Importers.Reading;

/// <summary>A topology while it is read: remembers where in the file each part stood, so that a defect has a place.</summary>
/// <remarks>
/// <para><b>Invariants:</b> (1) nothing leaves it before the whole is checked: <see cref="Build"/> answers null, with an
/// error in the log, or a sound topology.</para>
/// <para><b>Locking:</b> the caller's; one import, one draft.</para>
/// </remarks>
/// <param name="log">Where errors go.</param>
internal sealed class ImportDraft(ImportLog log)
{
    private readonly Dictionary<PciPlace, ImportPosition> functions = [];
    private readonly Dictionary<(HostId Host, PciBusId Bus), ImportPosition> bridges = [];

    /// <summary>The parts so far; hosts, nodes and interconnects are added here directly.</summary>
    internal TopologyBuilder Builder { get; } = new();

    /// <summary>Adds a function unless its address is taken, which is an error.</summary>
    /// <param name="function">The function.</param>
    /// <param name="position">Where it stood.</param>
    /// <returns>Whether it was added.</returns>
    internal bool TryAdd(PciFunction function, ImportPosition position)
    {
        if (!functions.TryAdd(function.Place, position))
        {
            log.Error(
                position,
                $"the address is taken: line {functions[function.Place].Line} has it too",
                function.Place.ToString(),
                "each address once");
            return false;
        }

        Builder.AddFunction(function);
        return true;
    }

    /// <summary>Adds a host bridge unless its root bus is taken, which is an error.</summary>
    /// <param name="bridge">The host bridge.</param>
    /// <param name="position">Where it stood.</param>
    /// <returns>Whether it was added.</returns>
    internal bool TryAdd(HostBridge bridge, ImportPosition position)
    {
        if (!bridges.TryAdd((bridge.Host, bridge.Bus), position))
        {
            log.Error(
                position,
                $"the root bus is taken: line {bridges[(bridge.Host, bridge.Bus)].Line} has it too",
                bridge.Bus.ToString(),
                "each root bus once");
            return false;
        }

        Builder.AddHostBridge(bridge);
        return true;
    }

    /// <summary>Whether a function was added, and where it stood.</summary>
    /// <param name="place">Its place.</param>
    /// <param name="position">Where, or <c>default</c>.</param>
    /// <returns>Whether it was added.</returns>
    internal bool TryGetPosition(PciPlace place, out ImportPosition position) => functions.TryGetValue(place, out position);

    /// <summary>Checks the whole.</summary>
    /// <returns>The topology; null, with an error in the log, when it is unsound.</returns>
    internal Topology? Build()
    {
        if (Builder.TryBuild(out Topology? topology, out TopologyDefect defect))
        {
            NoteSlowBridges(topology.Snapshot);
            return topology;
        }

        ImportPosition position = defect.Place is { } place && functions.TryGetValue(place, out ImportPosition found)
            ? found
            : log.At(0, 0);
        log.Error(position, defect.ToString(), defect.Subject ?? "", "a tree of PCI functions below host bridges");
        return null;
    }

    // Virtual machines report links of switches that are a fraction of what their devices say (a root port of 2 GB/s above
    // a GPU of 63): whoever computes bandwidth should know.
    private void NoteSlowBridges(TopologySnapshot snapshot)
    {
        foreach (PciFunction function in snapshot.Functions)
        {
            if (snapshot.ParentOf(function) is { Link.Bandwidth: { } above } parent
                && function.Link.Bandwidth is { } own
                && above.BytesPerSecond < own.BytesPerSecond / 10)
            {
                log.Note(
                    functions[parent.Place],
                    $"the link of {parent.Place} ({above}) is slower than a tenth of that of {function.Place} below ({own}): "
                    + "it is probably not told right");
            }
        }
    }
}
