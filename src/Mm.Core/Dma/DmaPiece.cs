using Mm.Core.PhysRanges;

namespace Mm.Core.Dma;

/// <summary>One entry of a list that is being mapped: a run of physical addresses with one owner, cut to the device's limits.</summary>
/// <remarks>
/// <b>Linux:</b> a struct scatterlist entry while iommu_dma_map_sg works on it (v6.12).
/// <para>A scratch value of one call; caller's locking.</para>
/// </remarks>
internal struct DmaPiece
{
    /// <summary>The first physical address.</summary>
    public PhysAddr Start;

    /// <summary>How many bytes; below 2^32.</summary>
    public uint Bytes;

    /// <summary>Whether the device uses the provider's bus address.</summary>
    public bool IsBusAddress;

    /// <summary>Whether another device's memory lies here, which is never bounced.</summary>
    public bool IsPeer;

    /// <summary>Whether slots of low memory, at <see cref="BusAddress"/>, stand for it.</summary>
    public bool IsBounced;

    /// <summary>The address on the device's bus, where <see cref="IsBusAddress"/> or not translated.</summary>
    public DmaAddr BusAddress;

    /// <summary>How many bytes of the I/O window it takes: whole pages, plus the padding before the next boundary.</summary>
    public ulong WindowBytes;

    /// <summary>The provider, where <see cref="IsPeer"/>.</summary>
    public IP2pProvider? Provider;

    /// <summary>The offset of the first byte in its page.</summary>
    public readonly uint PageOffset => (uint)(Start.Value & PageSize.Small.OffsetMask);

    /// <summary>The bytes of all pages that it touches.</summary>
    public readonly ulong PageSpan =>
        ((ulong)PageOffset + Bytes + PageSize.Small.OffsetMask) & ~PageSize.Small.OffsetMask;
}
