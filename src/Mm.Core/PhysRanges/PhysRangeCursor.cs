namespace Mm.Core.PhysRanges;

/// <summary>A position in a list that yields it piece by piece, each piece within a device's segment limits.</summary>
/// <remarks>
/// The pieces, in order, are the list's bytes: none lost, none twice. It cuts ranges and never joins them, so a piece
/// has one owner. It may rest between two pieces for any time, and a copy of it is a second position.
/// <para><b>Linux:</b> blk_rq_map_sg() and bvec_split_segs(), and the segment loop of iommu_dma_map_sg() (v6.12).</para>
/// <para><b>Locking:</b> the caller's; the list below is immutable.</para>
/// <para><c>default</c> stands at the end of no list. Copying copies the position.</para>
/// </remarks>
public struct PhysRangeCursor
{
    private readonly PhysRangeList? list;
    private readonly SegmentLimits limits;
    private int rangeIndex;
    private ulong offsetBytes; // in the range at rangeIndex
    private int batchCount;
    private int ownerIndex; // the range of the piece given last, or -1

    /// <summary>Makes a cursor at the start of a list.</summary>
    /// <param name="list">The list; it must not be disposed while the cursor is used.</param>
    /// <param name="limits">What a piece may look like.</param>
    public PhysRangeCursor(PhysRangeList list, SegmentLimits limits)
    {
        ArgumentNullException.ThrowIfNull(list);
        this.list = list;
        this.limits = limits;
        ownerIndex = -1;
    }

    /// <summary>How many bytes were given so far: the position in the list.</summary>
    public ByteCount Position { get; private set; }

    /// <summary>Why the last <see cref="TryNext"/> gave nothing; <see cref="CursorStop.None"/> if it gave a piece.</summary>
    public CursorStop Stop { get; private set; }

    /// <summary>How many pieces were given since the start or the last <see cref="StartBatch"/>.</summary>
    public readonly int BatchCount => batchCount;

    /// <summary>Whether every byte of the list was given.</summary>
    /// <exception cref="ObjectDisposedException">The list was disposed.</exception>
    public readonly bool IsAtEnd => list is null || rangeIndex == list.Count;

    /// <summary>The owner of the piece that was given last.</summary>
    /// <exception cref="InvalidOperationException">No piece was given yet.</exception>
    /// <exception cref="ObjectDisposedException">The list was disposed.</exception>
    public readonly RangeOwner Owner => list is not null && ownerIndex >= 0
        ? list.OwnerOf(ownerIndex)
        : throw new InvalidOperationException("Owner is that of the last piece; none was given yet");

    /// <summary>Gives the next piece and moves behind it.</summary>
    /// <param name="segment">The piece, never empty; empty when there is none.</param>
    /// <returns>Whether there is one; if not, <see cref="Stop"/> says why, and the position has not moved.</returns>
    /// <exception cref="ObjectDisposedException">The list was disposed.</exception>
    public bool TryNext(out PhysRange segment)
    {
        segment = default;
        if (IsAtEnd)
        {
            Stop = CursorStop.End;
            return false;
        }

        if (batchCount == limits.MaxSegments)
        {
            Stop = CursorStop.BatchFull;
            return false;
        }

        PhysRange range = list!.Ranges[rangeIndex];
        if (!limits.IsAligned(range))
        {
            Stop = CursorStop.Misaligned;
            return false;
        }

        ulong left = range.Length.Value - offsetBytes;
        ulong size = limits.Cut(range.Start.Value + offsetBytes, left);
        segment = range.Slice(new ByteCount(offsetBytes), new ByteCount(size));
        ownerIndex = rangeIndex;
        offsetBytes = size == left ? 0 : offsetBytes + size;
        rangeIndex += size == left ? 1 : 0;
        batchCount++;
        Position = Position.AddChecked(segment.Length);
        Stop = CursorStop.None;
        return true;
    }

    /// <summary>Begins a new batch of <see cref="SegmentLimits.MaxSegments"/> pieces at this position.</summary>
    public void StartBatch() => batchCount = 0;
}
