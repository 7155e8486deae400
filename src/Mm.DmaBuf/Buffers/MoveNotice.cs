namespace Mm.DmaBuf.Buffers;

/// <summary>What an exporter tells its importers of a buffer's memory.</summary>
/// <remarks><b>Linux:</b> dma_buf_move_notify has one message for all (v6.12); importers find out by mapping again.</remarks>
public enum MoveNotice
{
    /// <summary>The memory may move: map again before the next use; where nothing moved that costs nothing.</summary>
    MayMove = 0,

    /// <summary>The memory is taken away: mapping again is refused until it is restored, if ever.</summary>
    Revoked = 1,

    /// <summary>The memory is there again: mapping works.</summary>
    Restored = 2,
}
