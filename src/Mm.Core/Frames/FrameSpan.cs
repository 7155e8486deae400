namespace Mm.Core.Frames;

/// <summary>A run of frames with metadata that belong to one node, zone and page map.</summary>
/// <remarks>
/// <b>Linux:</b> an online section of the memory map together with page_zonenum, page_to_nid and page-&gt;pgmap (v6.12),
/// stated once for the run instead of once a page: that is what lets a page's own metadata stay untouched.
/// <para>Immutable.</para>
/// </remarks>
/// <param name="Range">The frames; not empty.</param>
/// <param name="Node">The node.</param>
/// <param name="Zone">The zone.</param>
/// <param name="Pagemap">The page map's index; 0 for RAM.</param>
/// <param name="Owner">Who gets the pages back; null for RAM.</param>
/// <param name="IdleReferences">How many references a page has that nobody uses: 0, or 1 as some device pages do.</param>
internal sealed record FrameSpan(
    PfnRange Range,
    NodeId Node,
    ZoneKind Zone,
    ushort Pagemap = 0,
    IDevicePageOwner? Owner = null,
    uint IdleReferences = 0)
{
    /// <summary>The first frame's number.</summary>
    internal ulong Start => Range.Start.Value;

    /// <summary>The number after the last frame's.</summary>
    internal ulong End => Range.Start.Value + Range.Count.Value;

    /// <summary>What a page's flags word says when its metadata is first used.</summary>
    internal PageFlagsWord FreshFlags =>
        Pagemap == 0
            ? PageFlagsWord.OfZone(PageFlagsWord.KeyOf(Node, Zone))
            : PageFlagsWord.OfDevice(Node, Pagemap);

    /// <summary>What a device page's count word says when its metadata is first used.</summary>
    internal PageCountWord IdleCount =>
        IdleReferences == 0 ? PageCountWord.DeviceIdle() : PageCountWord.Single;
}
