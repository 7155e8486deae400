namespace Mm.Core.Dma;

/// <summary>What one segment, and one list of them, may look like for a device.</summary>
/// <remarks>
/// <b>Linux:</b> struct device_dma_parameters (max_segment_size, segment_boundary_mask) and the segment count of
/// the queue above it (v6.12). The boundary is a size here, not a mask.
/// <para><b>Invariants:</b> (1) the boundary is a power of two of at least 4 KiB; (2) the segment size is in
/// [4 KiB, 2^32), since a scatterlist entry counts bytes in 32 bits and is never cut below a page;
/// (3) at least one segment is allowed.</para>
/// <para><c>default</c> is Linux's default: 64 KiB segments that cross no 4 GiB boundary, any number of them.
/// Immutable.</para>
/// </remarks>
public readonly record struct DmaLimits
{
    // Zero stands for the default in each, so that default(DmaLimits) is legal.
    private readonly uint maxSegmentBytes;
    private readonly ulong boundaryBytes;
    private readonly int maxSegments;

    /// <summary>Sets the limits.</summary>
    /// <param name="maxSegmentSize">The longest segment in bytes, in [4 KiB, 4 GiB).</param>
    /// <param name="boundary">No segment crosses a multiple of this; a power of two of at least 4 KiB.</param>
    /// <param name="maxSegments">The most segments of one mapping, at least 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">A limit is out of its range.</exception>
    public DmaLimits(ByteCount maxSegmentSize, ByteCount boundary, int maxSegments = int.MaxValue)
    {
        if (maxSegmentSize < PageSize.Small.Bytes || maxSegmentSize.Value > uint.MaxValue)
        {
            throw new ArgumentOutOfRangeException(
                nameof(maxSegmentSize), maxSegmentSize, "maxSegmentSize must be in [4 KiB, 4 GiB)");
        }

        if (boundary < PageSize.Small.Bytes || !ulong.IsPow2(boundary.Value))
        {
            throw new ArgumentOutOfRangeException(
                nameof(boundary), boundary, "boundary must be a power of two in [4 KiB, 2^64)");
        }

        ArgumentOutOfRangeException.ThrowIfLessThan(maxSegments, 1);
        maxSegmentBytes = (uint)maxSegmentSize.Value;
        boundaryBytes = boundary.Value;
        this.maxSegments = maxSegments;
    }

    /// <summary>The longest segment in bytes.</summary>
    public ByteCount MaxSegmentSize => new(maxSegmentBytes == 0 ? 1UL << 16 : maxSegmentBytes);

    /// <summary>No segment crosses a multiple of this many bytes.</summary>
    public ByteCount Boundary => new(boundaryBytes == 0 ? 1UL << 32 : boundaryBytes);

    /// <summary>The most segments of one mapping.</summary>
    public int MaxSegments => maxSegments == 0 ? int.MaxValue : maxSegments;

    /// <summary>The limits in words.</summary>
    /// <returns>The text.</returns>
    public override string ToString() =>
        $"segments of at most {MaxSegmentSize}, none across {Boundary}"
        + (MaxSegments == int.MaxValue ? "" : $", at most {MaxSegments}");
}
