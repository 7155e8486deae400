namespace Mm.DmaBuf.Fences;

/// <summary>A fence that has signaled from the start: for interfaces that want a fence where there is nothing to wait for.</summary>
/// <remarks>
/// <para><b>Linux:</b> dma_fence_get_stub, dma_fence_allocate_private_stub (v6.12).</para>
/// <para><b>Invariants:</b> (1) signaled, context and sequence number 0.</para>
/// Immutable.
/// </remarks>
public sealed class StubFence : DmaFence
{
    internal StubFence(FenceContexts contexts, ulong timestampNs)
        : base(contexts, default, seqno: 0)
    {
        // New, so nobody can have signaled it.
        _ = SignalAt(Mm.Core.Errno.Ok, timestampNs);
    }

    /// <inheritdoc/>
    public override string DriverName => "stub";

    /// <inheritdoc/>
    public override string TimelineName => "stub";
}
