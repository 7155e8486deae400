namespace Mm.DmaBuf.Buffers;

/// <summary>What a process says of its CPU's access to a buffer that it has mapped.</summary>
/// <remarks><b>Linux:</b> the flags of DMA_BUF_IOCTL_SYNC, with their numbers (v6.12).</remarks>
[Flags]
public enum CpuAccessFlags
{
    /// <summary>Nothing, which no call takes.</summary>
    None = 0,

    /// <summary>It reads.</summary>
    Read = 1,

    /// <summary>It writes.</summary>
    Write = 2,

    /// <summary>It has ended; without this it begins.</summary>
    End = 4,
}
