namespace Mm.Core.PhysRanges;

/// <summary>Why a <see cref="PhysRangeCursor"/> gives no further segment.</summary>
public enum CursorStop
{
    /// <summary>It gave one, or was not asked yet.</summary>
    None = 0,

    /// <summary>Every byte of the list was given.</summary>
    End = 1,

    /// <summary>The batch has as many segments as the limits allow: <see cref="PhysRangeCursor.StartBatch"/> goes on.</summary>
    BatchFull = 2,

    /// <summary>The next range starts or ends off the alignment; the cursor does not pass it.</summary>
    Misaligned = 3,
}
