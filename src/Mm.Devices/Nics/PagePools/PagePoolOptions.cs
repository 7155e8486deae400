using Mm.Core;
using Mm.Core.Dma;

namespace Mm.Devices.Nics.PagePools;

/// <summary>What a page pool is made for.</summary>
/// <remarks>
/// <para><b>Linux:</b> struct page_pool_params (include/net/page_pool/types.h, v6.12). Difference: PP_FLAG_DMA_MAP is
/// that a device is given.</para>
/// <para>Immutable.</para>
/// </remarks>
public sealed record PagePoolOptions
{
    /// <summary>How many pages the ring holds; 0 is 1024, and more than 16384 are 16384.</summary>
    public int RingSize { get; init; }

    /// <summary>The order of each page, in [0, 10].</summary>
    public int Order { get; init; }

    /// <summary>The node that pages come from; no wish where left out.</summary>
    public NodeId Node { get; init; } = NodeId.None;

    /// <summary>The device that pages are mapped for, once for their whole life in the pool; not mapped where null.</summary>
    public DmaDevice? Device { get; init; }

    /// <summary>Which way bytes flow.</summary>
    public DmaDirection Direction { get; init; } = DmaDirection.FromDevice;

    /// <summary>Whether pages are given back to the device when they are recycled.</summary>
    public bool SyncsForDevice { get; init; }

    /// <summary>Where in a page the device begins to write.</summary>
    public ByteCount Offset { get; init; }

    /// <summary>How many bytes the device writes at most; asked for where pages are synced.</summary>
    public ByteCount MaxLength { get; init; }

    /// <summary>The context that alone allocates and recycles without a lock; none where null.</summary>
    public NapiContext? Napi { get; init; }

    /// <summary>Where memory comes from instead of the page allocator; null for pages.</summary>
    public IMemoryProvider? Provider { get; init; }
}
