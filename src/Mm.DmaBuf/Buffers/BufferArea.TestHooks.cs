namespace Mm.DmaBuf.Buffers;

/// <content>A fault of the past that tests put back in, to show that it would be caught.</content>
internal sealed partial class BufferArea
{
    /// <summary>
    /// Whether a fault takes an offset equal to the size, as the CMA heap did before CVE-2024-46852 was mended: the process
    /// sees a page behind the buffer (museum 23).
    /// </summary>
    internal bool FaultsReachBehindEnd { get; set; }
}
