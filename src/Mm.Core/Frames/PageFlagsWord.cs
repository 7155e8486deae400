namespace Mm.Core.Frames;

/// <summary>Where a frame belongs and what is said of it, in one word.</summary>
/// <remarks>
/// <code>
/// 63       54 53  51 50  48 47            32 31                         0
/// |   node   | zone | zero |  page map index |        PageFlags         |
/// </code>
/// Node and zone stand on top, together, so that one shift gives the key of the zone that a freed page goes back to.
/// <para><b>Linux:</b> page-&gt;flags with its NODES and ZONES fields (include/linux/page-flags-layout.h, v6.12); the page map
/// index stands for page-&gt;pgmap, and shares no storage with the list links.</para>
/// <para>Pure and immutable. <c>default</c> is node 0, zone DMA32, no page map, no flags, and is read only where the count
/// word is not Blank.</para>
/// </remarks>
/// <param name="Bits">The raw word.</param>
internal readonly record struct PageFlagsWord(ulong Bits)
{
    internal const int PagemapShift = 32;
    internal const int PagemapWidth = 16;
    internal const int ZoneShift = 51;
    internal const int ZoneWidth = 3;
    internal const int NodeShift = 54;
    internal const int NodeWidth = 10;

    /// <summary>The bits that are zero in a page of RAM that nobody has said anything of.</summary>
    internal const ulong NotZoneMask = (1UL << ZoneShift) - 1;

    /// <summary>Flags that no page may carry when its last reference goes.</summary>
    internal const PageFlags ForbiddenWhenFreed =
        PageFlags.Locked | PageFlags.Writeback | PageFlags.Lru | PageFlags.Active | PageFlags.Reserved
        | PageFlags.Private | PageFlags.Unevictable | PageFlags.SwapCache | PageFlags.Waiters;

    /// <summary>The flags.</summary>
    internal PageFlags Flags => (PageFlags)(uint)(Bits & uint.MaxValue);

    /// <summary>Which page map; 0 for RAM.</summary>
    internal ushort Pagemap => (ushort)((Bits >> PagemapShift) & ushort.MaxValue);

    /// <summary>The zone.</summary>
    internal ZoneKind Zone => (ZoneKind)((Bits >> ZoneShift) & 7);

    /// <summary>The node.</summary>
    internal NodeId Node => new((int)(Bits >> NodeShift));

    /// <summary>Node and zone as one number: eight times the node plus the zone.</summary>
    internal int ZoneKey => (int)(Bits >> ZoneShift);

    /// <summary>The key of a zone on a node.</summary>
    internal static int KeyOf(NodeId node, ZoneKind zone) => (node.Index << ZoneWidth) | (int)zone;

    /// <summary>A fresh page of the zone with that key.</summary>
    internal static PageFlagsWord OfZone(int zoneKey) => new((ulong)(uint)zoneKey << ZoneShift);

    /// <summary>A fresh page of a page map.</summary>
    internal static PageFlagsWord OfDevice(NodeId node, ushort pagemap) =>
        new(OfZone(KeyOf(node, ZoneKind.Device)).Bits | ((ulong)pagemap << PagemapShift));

    /// <summary>Sets and clears flags.</summary>
    internal PageFlagsWord With(PageFlags set, PageFlags clear = PageFlags.None) =>
        new((Bits & ~(ulong)clear) | (ulong)set);
}
