namespace Mm.Core.Frames;

/// <summary>How a machine's RAM is cut into zones: what a builder was told, before there are frames.</summary>
/// <remarks>
/// Owns nothing. Below 4 GiB is DMA32, above is NORMAL, and the last part of a node can be MOVABLE.
/// <para><b>Linux:</b> find_zone_movable_pfns_for_nodes, cma_declare_contiguous, SLIT distances (v6.12).</para>
/// <para><b>Locking:</b> the caller's: filled while building, immutable afterwards.</para>
/// </remarks>
internal sealed class FrameLayout
{
    /// <summary>The distance of a node to itself.</summary>
    internal const int LocalDistance = 10;

    /// <summary>The distance of two nodes that nobody said anything about.</summary>
    internal const int RemoteDistance = 20;

    private const ulong Dma32End = 1UL << 20; // frames below 4 GiB

    private readonly List<(NodeId Node, PfnRange Range)> ram = [];
    private readonly Dictionary<NodeId, ulong> movable = [];
    private readonly List<PfnRange> lent = [];
    private readonly Dictionary<(int From, int To), int> distances = [];

    /// <summary>The ranges that are lent to movable pages until a device wants them.</summary>
    internal IReadOnlyList<PfnRange> Cma => lent;

    /// <summary>The nodes with RAM, by index.</summary>
    internal IReadOnlyList<NodeId> Nodes => [.. ram.Select(part => part.Node).Distinct().OrderBy(node => node.Index)];

    /// <summary>Adds RAM.</summary>
    /// <param name="node">The node.</param>
    /// <param name="range">The frames; overlaps no RAM added before.</param>
    internal void AddRam(NodeId node, PfnRange range) => ram.Add((node, range));

    /// <summary>Makes the last pages of a node a movable zone.</summary>
    /// <param name="node">The node.</param>
    /// <param name="count">How many pages; rounded up so that the zone starts at a block of the largest order.</param>
    internal void SetMovable(NodeId node, PageCount count) => movable[node] = count.Value;

    /// <summary>Lends a range to movable pages until a device wants it.</summary>
    /// <param name="range">The frames: whole pageblocks of RAM.</param>
    internal void AddCma(PfnRange range) => lent.Add(range);

    /// <summary>States how far two nodes are apart, both ways.</summary>
    /// <param name="from">One node.</param>
    /// <param name="to">The other.</param>
    /// <param name="distance">The distance: above 10, the distance to oneself.</param>
    internal void SetDistance(NodeId from, NodeId to, int distance)
    {
        distances[(from.Index, to.Index)] = distance;
        distances[(to.Index, from.Index)] = distance;
    }

    /// <summary>How far two nodes are apart.</summary>
    /// <param name="from">One node.</param>
    /// <param name="to">The other.</param>
    /// <returns>The distance; 10 for a node and itself.</returns>
    internal int DistanceOf(NodeId from, NodeId to) =>
        from == to ? LocalDistance : distances.GetValueOrDefault((from.Index, to.Index), RemoteDistance);

    /// <summary>Cuts the RAM at the zones' borders.</summary>
    /// <returns>The spans, each in one node and zone.</returns>
    internal IReadOnlyList<FrameSpan> ToSpans()
    {
        var spans = new List<FrameSpan>();
        foreach ((NodeId node, PfnRange range) in ram)
        {
            ulong movableStart = MovableStartOf(node);
            ulong end = range.Start.Value + range.Count.Value;
            AddPart(spans, node, ZoneKind.Dma32, range.Start.Value, Math.Min(end, Math.Min(Dma32End, movableStart)));
            AddPart(spans, node, ZoneKind.Normal, Math.Max(range.Start.Value, Dma32End), Math.Min(end, movableStart));
            AddPart(spans, node, ZoneKind.Movable, Math.Max(range.Start.Value, movableStart), end);
        }

        return spans;
    }

    // The frame from which on the node's memory is movable: its last pages, counted down over holes.
    private ulong MovableStartOf(NodeId node)
    {
        ulong wanted = movable.GetValueOrDefault(node);
        if (wanted == 0)
        {
            return ulong.MaxValue;
        }

        foreach ((NodeId owner, PfnRange range) in ram.OrderByDescending(part => part.Range.Start))
        {
            if (owner != node)
            {
                continue;
            }

            if (wanted <= range.Count.Value)
            {
                ulong start = range.Start.Value + range.Count.Value - wanted;
                return Math.Max(start & ~(FrameZone.MaxBlockFrames - 1), 0);
            }

            wanted -= range.Count.Value;
        }

        return 0;
    }

    private static void AddPart(List<FrameSpan> spans, NodeId node, ZoneKind zone, ulong start, ulong end)
    {
        if (start < end)
        {
            spans.Add(new FrameSpan(new PfnRange(new Pfn(start), new PageCount(end - start)), node, zone));
        }
    }
}
