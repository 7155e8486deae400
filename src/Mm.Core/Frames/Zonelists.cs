namespace Mm.Core.Frames;

/// <summary>In which zones to look for a request, in order: nearest node first, on each the highest zone first.</summary>
/// <remarks>
/// <b>Linux:</b> build_zonelists, find_next_best_node (mm/page_alloc.c, v6.12); nodes at equal distance come by index,
/// without Linux's penalty that spreads nodes over each other.
/// <para><b>Invariants:</b> (1) only zones with managed pages are listed, so neither a device zone nor a node with device
/// memory alone ever is.</para>
/// <para>Immutable; safe from any thread.</para>
/// </remarks>
internal sealed class Zonelists
{
    private readonly FrameLayout layout;
    private readonly FrameZone[] zones;
    private readonly FrameZone[][] byPlan;

    internal Zonelists(FrameLayout layout, FrameZone[] zones)
    {
        this.layout = layout;
        this.zones = zones;
        Home = zones.Length == 0 ? new NodeId(0) : zones.MinBy(zone => zone.Node.Index)!.Node;
        int last = zones.Length == 0 ? 0 : zones.Max(zone => zone.Node.Index);
        var any = default(AllocationRequest);
        int plans = (any with { Node = new NodeId(last) }).Plan + 16;
        byPlan = new FrameZone[plans][];
        for (int plan = 0; plan < plans; plan++)
        {
            byPlan[plan] = Build(plan);
        }
    }

    /// <summary>The node of requests that name none.</summary>
    internal NodeId Home { get; }

    /// <summary>How many plans have a list made in advance.</summary>
    internal int PlanCount => byPlan.Length;

    /// <summary>The zones for a plan (<see cref="AllocationRequest.Plan"/>).</summary>
    internal FrameZone[] Of(int plan) => plan < byPlan.Length ? byPlan[plan] : Build(plan);

    private FrameZone[] Build(int plan)
    {
        var mobility = (MigrateType)(plan & 3);
        var highest = (ZoneKind)((plan >> 2) & 3);
        int nodePlusOne = plan >> 4;
        NodeId node = nodePlusOne == 0 ? Home : new NodeId(nodePlusOne - 1);

        // Only what can be moved may go where memory has to be emptied later.
        if (mobility != MigrateType.Movable && highest == ZoneKind.Movable)
        {
            highest = ZoneKind.Normal;
        }

        return
        [
            .. zones
                .Where(zone => zone.Kind <= highest)
                .OrderBy(zone => layout.DistanceOf(node, zone.Node))
                .ThenBy(zone => zone.Node.Index)
                .ThenByDescending(zone => zone.Kind),
        ];
    }
}
