namespace Mm.DmaBuf.Fences;

/// <summary>A fence that signals when its software timeline reaches its value.</summary>
internal sealed class TimelineFence(FenceTimeline timeline, FenceContext context, uint value)
    : DmaFence(timeline.Contexts, context, value)
{
    public override string DriverName => "sw_sync";

    public override string TimelineName => timeline.Name;

    internal uint Value { get; } = value;

    protected override bool HasCompleted() => timeline.HasReached(Value);
}
