using System.Numerics;

namespace Mm.Core.PhysRanges;

/// <summary>What one DMA segment of a device may look like, and how many it takes at once.</summary>
/// <remarks>
/// <para><b>Linux:</b> dma_get_max_seg_size(), dma_get_seg_boundary(), queue_max_segments() and queue_dma_alignment()
/// (v6.12). Deliberate difference: a boundary is a size, not a mask one below it.</para>
/// <para><b>Invariants:</b> (1) boundary and alignment are powers of two; (2) the alignment is at most the boundary
/// and at most the largest segment.</para>
/// <para><c>default</c> is <see cref="None"/>. Immutable.</para>
/// </remarks>
public readonly record struct SegmentLimits
{
    // Stored less one or less the maximum, so that default is no limit.
    private readonly ulong belowMaximumSize;
    private readonly ulong alignmentMask;
    private readonly int belowMaximumCount;

    /// <summary>Makes limits.</summary>
    /// <param name="maxSegmentSize">The most bytes of a segment; at least 1. Cuts are made at multiples of the alignment below it.</param>
    /// <param name="boundary">No segment has bytes on both sides of a multiple of this; a power of two, or zero for none.</param>
    /// <param name="maxSegments">How many segments make a batch; at least 1.</param>
    /// <param name="alignment">Every segment's start and length must be a multiple of this; a power of two, or zero for any.</param>
    /// <exception cref="ArgumentOutOfRangeException">A limit is not in its legal range.</exception>
    public SegmentLimits(
        ByteCount maxSegmentSize, ByteCount boundary = default, int maxSegments = int.MaxValue, ByteCount alignment = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxSegments, 1);
        ThrowIfNotPowerOfTwo(boundary, nameof(boundary));
        ThrowIfNotPowerOfTwo(alignment, nameof(alignment));
        ulong granule = Math.Max(alignment.Value, 1);
        if (maxSegmentSize.Value < granule)
        {
            throw new ArgumentOutOfRangeException(
                nameof(maxSegmentSize), maxSegmentSize, $"maxSegmentSize must be at least 1 and the alignment, 0x{granule:x}");
        }

        if (!boundary.IsZero && boundary.Value < granule)
        {
            throw new ArgumentOutOfRangeException(
                nameof(boundary), boundary, $"boundary must be zero or at least the alignment, 0x{granule:x}");
        }

        belowMaximumSize = ulong.MaxValue - maxSegmentSize.Value;
        Boundary = boundary;
        belowMaximumCount = int.MaxValue - maxSegments;
        alignmentMask = granule - 1;
    }

    /// <summary>No limits: each range is a segment.</summary>
    public static SegmentLimits None => default;

    /// <summary>The most bytes of a segment.</summary>
    public ByteCount MaxSegmentSize => new(ulong.MaxValue - belowMaximumSize);

    /// <summary>No segment has bytes on both sides of a multiple of this; zero for none.</summary>
    public ByteCount Boundary { get; }

    /// <summary>How many segments make a batch.</summary>
    public int MaxSegments => int.MaxValue - belowMaximumCount;

    /// <summary>Every segment's start and length is a multiple of this; 1 for any.</summary>
    public ByteCount Alignment => new(alignmentMask + 1);

    /// <summary>Whether a piece of memory starts and ends on multiples of the alignment.</summary>
    internal bool IsAligned(PhysRange range) => ((range.Start.Value | range.Length.Value) & alignmentMask) == 0;

    /// <summary>The bytes of the segment that starts at an aligned address and has at most so many bytes left.</summary>
    internal ulong Cut(ulong address, ulong left)
    {
        ulong size = Math.Min(left, (ulong.MaxValue - belowMaximumSize) & ~alignmentMask);
        return Boundary.IsZero ? size : Math.Min(size, Boundary.Value - (address & (Boundary.Value - 1)));
    }

    private static void ThrowIfNotPowerOfTwo(ByteCount value, string name)
    {
        if (!value.IsZero && !BitOperations.IsPow2(value.Value))
        {
            throw new ArgumentOutOfRangeException(name, value, $"{name} must be zero or a power of two; it is 0x{value.Value:x}");
        }
    }
}
