using Mm.DmaBuf.Fences;

namespace Mm.DmaBuf.Tests.Fences;

internal sealed class DmaFenceProperties
{
    [FsCheck.NUnit.Property]
    public bool Wait_OfZero_NeverBlocks(bool[] signaled, bool any)
    {
        var points = new SteppingPoints();
        var rig = new FenceRig(points);
        DmaFence[] members = [rig.Fence(), .. signaled.Select(_ => rig.Fence())];
        for (int index = 0; index < signaled.Length; index++)
        {
            if (signaled[index])
            {
                members[index + 1].Signal().ThrowIfError();
            }
        }

        DmaFence array = any ? rig.Any(members) : rig.Array(members);
        bool expected = any && signaled.Contains(true);
        return array.Wait(0, out _).IsOk == expected && points.Waits == 0 && rig.Clock.NowNs == 0;
    }

    [FsCheck.NUnit.Property]
    public bool Wait_WithinATimeout_TakesUntilTheSignalOrTheEnd(byte timeout, byte signalsAt)
    {
        var points = new SteppingPoints();
        var rig = new FenceRig(points);
        points.Clock = rig.Clock;
        DmaFence fence = rig.Fence();
        points.Tick = now => _ = now == signalsAt ? fence.Signal() : default;
        bool isOk = fence.Wait(timeout, out ulong remaining).IsOk;
        return rig.Clock.NowNs + remaining == timeout && isOk == (signalsAt > 0 && signalsAt <= timeout);
    }
}
