namespace Mm.DmaBuf.Reservations;

/// <summary>How a buffer is accessed, for those who exchange its fences as sync files.</summary>
/// <remarks><b>Linux:</b> DMA_BUF_SYNC_READ, DMA_BUF_SYNC_WRITE, DMA_BUF_SYNC_RW (v6.12).</remarks>
[Flags]
public enum SyncAccess
{
    /// <summary>No access, which no call takes.</summary>
    None = 0,

    /// <summary>It reads.</summary>
    Read = 1,

    /// <summary>It writes.</summary>
    Write = 2,
}
