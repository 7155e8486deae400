namespace Mm.DmaBuf.Buffers;

/// <content>Faults of the past that tests put back in, to show that they would be caught.</content>
public sealed partial class DmaBuffer
{
    /// <summary>
    /// Whether a pin that is dropped twice is taken off twice, as where pins are calls and not leases: then "RDMA/umem: Fix
    /// double dma_buf_unpin in failure path" (2026, museum 18) takes a pin off that is nobody's, or somebody else's.
    /// </summary>
    internal bool LosesTrackOfPins { get; set; }
}
