using Mm.Core;
using Mm.Core.Checks;
using Mm.DmaBuf.Fences;

namespace Mm.DmaBuf.Tests;

/// <summary>A clock and contexts without a machine around them, and fences by the dozen.</summary>
internal sealed class FenceRig
{
    public FenceRig(IYieldPoints? points = null) => Contexts = new FenceContexts(Clock, points);

    public MachineClock Clock { get; } = new();

    public FenceContexts Contexts { get; }

    public DmaFence Fence() => new(Contexts, Contexts.Next(), seqno: 1);

    public DmaFence Fence(FenceContext context, ulong seqno) => new(Contexts, context, seqno);

    public FenceArray Array(params DmaFence[] members) => new(members, Contexts.Next(), seqno: 1, signalsOnAny: false);

    public FenceArray Any(params DmaFence[] members) => new(members, Contexts.Next(), seqno: 1, signalsOnAny: true);
}
