namespace Mm.Core.Frames;

/// <summary>What kind of page somebody wants, and how much trouble it is worth.</summary>
/// <remarks>
/// <code>
/// 31    25 24       14 13    12 11      10 9   8  7 6 5 4     0
/// | zero  |  node + 1 | highest | mobility | zero |A|Z|T| order |
/// </code>
/// A: atomic, Z: zeroed, T: this node only. From bit 10 on it is the number of a zone list and a stack, so that the hot
/// path looks both up at once.
/// <para><b>Linux:</b> gfp_t with order and node (include/linux/gfp_types.h, v6.12), the combinations that make sense
/// spelled as properties: __GFP_MOVABLE and __GFP_RECLAIMABLE are <see cref="Mobility"/>, __GFP_DMA32 and
/// GFP_HIGHUSER_MOVABLE are <see cref="HighestZone"/>, __GFP_THISNODE, __GFP_ZERO and GFP_ATOMIC have a flag each.</para>
/// <para><c>default</c> is what <see cref="Kernel"/> is, save that no zone above DMA32 is allowed. Immutable.</para>
/// </remarks>
public readonly record struct AllocationRequest
{
    /// <summary>The largest order: 2^10 pages, 4 MiB.</summary>
    public const int MaxOrder = 10;

    internal const int PlanShift = 10;
    private const uint OrderMask = 0x1f;

    // The order, and every wish that keeps a request off the stacks.
    internal const uint WishMask = OrderMask | ThisNodeBit | ZeroedBit | AtomicBit;

    private const uint ThisNodeBit = 1u << 5;
    private const uint ZeroedBit = 1u << 6;
    private const uint AtomicBit = 1u << 7;
    private const int MobilityShift = 10;
    private const int HighestShift = 12;
    private const int NodeShift = 14;
    private const uint NodeMask = 0x7ffu << NodeShift;

    private AllocationRequest(uint bits) => Bits = bits;

    /// <summary>A page that the kernel keeps: unmovable, from any zone but MOVABLE. <b>Linux:</b> GFP_KERNEL.</summary>
    public static AllocationRequest Kernel => new((uint)ZoneKind.Normal << HighestShift);

    /// <summary>A page of a process: movable, from any zone. <b>Linux:</b> GFP_HIGHUSER_MOVABLE.</summary>
    public static AllocationRequest User =>
        new(((uint)ZoneKind.Movable << HighestShift) | ((uint)MigrateType.Movable << MobilityShift));

    /// <summary>A page below 4 GiB, unmovable. <b>Linux:</b> GFP_KERNEL | GFP_DMA32.</summary>
    public static AllocationRequest Dma32 => default;

    /// <summary>The order: 2^order pages, contiguous and aligned; in [0, 10].</summary>
    /// <exception cref="ArgumentOutOfRangeException">The order is not in [0, 10].</exception>
    public int Order
    {
        get => (int)(Bits & OrderMask);
        init
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(value, MaxOrder);
            Bits = (Bits & ~OrderMask) | (uint)value;
        }
    }

    /// <summary>What can be done with the page later: unmovable, movable or reclaimable.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The type is one of a pageblock only.</exception>
    public MigrateType Mobility
    {
        get => (MigrateType)((Bits >> MobilityShift) & 3);
        init
        {
            ArgumentOutOfRangeException.ThrowIfNegative((int)value, nameof(value));
            ArgumentOutOfRangeException.ThrowIfGreaterThan((int)value, (int)MigrateType.Reclaimable, nameof(value));
            Bits = (Bits & ~(3u << MobilityShift)) | ((uint)value << MobilityShift);
        }
    }

    /// <summary>The highest zone that will do; lower ones do too. <see cref="ZoneKind.Movable"/> is for movable pages.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The zone is the device zone, which allocates nothing.</exception>
    public ZoneKind HighestZone
    {
        get => (ZoneKind)((Bits >> HighestShift) & 3);
        init
        {
            ArgumentOutOfRangeException.ThrowIfNegative((int)value, nameof(value));
            ArgumentOutOfRangeException.ThrowIfGreaterThan((int)value, (int)ZoneKind.Movable, nameof(value));
            Bits = (Bits & ~(3u << HighestShift)) | ((uint)value << HighestShift);
        }
    }

    /// <summary>The node to look on first, then by distance from it; <see cref="NodeId.None"/>: the allocator's home node.</summary>
    public NodeId Node
    {
        get => (Bits & NodeMask) == 0 ? NodeId.None : new NodeId((int)(Bits >> NodeShift) - 1);
        init => Bits = (Bits & ~NodeMask) | (value.IsKnown ? (uint)(value.Index + 1) << NodeShift : 0);
    }

    /// <summary>Whether no other node will do.</summary>
    public bool IsThisNodeOnly
    {
        get => (Bits & ThisNodeBit) != 0;
        init => Bits = value ? Bits | ThisNodeBit : Bits & ~ThisNodeBit;
    }

    /// <summary>Whether the bytes must be zero.</summary>
    public bool IsZeroed
    {
        get => (Bits & ZeroedBit) != 0;
        init => Bits = value ? Bits | ZeroedBit : Bits & ~ZeroedBit;
    }

    /// <summary>Whether the caller cannot wait: pages on other processors' stacks are not called in, but a zone's reserve may be used.</summary>
    public bool IsAtomic
    {
        get => (Bits & AtomicBit) != 0;
        init => Bits = value ? Bits | AtomicBit : Bits & ~AtomicBit;
    }

    /// <summary>The raw word.</summary>
    internal uint Bits { get; private init; }

    /// <summary>The number of the zone list and stack: node + 1, highest zone and mobility.</summary>
    internal int Plan => unchecked((int)(Bits >> PlanShift)); // 22 bits

    /// <summary>The same inside a pin scope: no longer movable, hence neither from MOVABLE nor from what is lent out.</summary>
    /// <returns>The request.</returns>
    /// <remarks><b>Linux:</b> current_gfp_context clears __GFP_MOVABLE (include/linux/sched/mm.h, v6.12).</remarks>
    internal AllocationRequest ForPinScope()
    {
        AllocationRequest request = Mobility == MigrateType.Movable
            ? this with { Mobility = MigrateType.Unmovable }
            : this;
        return request.HighestZone == ZoneKind.Movable ? request with { HighestZone = ZoneKind.Normal } : request;
    }

    /// <summary>As <c>order 0 movable, up to Movable, no node</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() =>
        $"order {Order} {Mobility}, up to {HighestZone}, {Node}"
        + $"{(IsThisNodeOnly ? " only" : "")}{(IsZeroed ? ", zeroed" : "")}{(IsAtomic ? ", atomic" : "")}";
}
