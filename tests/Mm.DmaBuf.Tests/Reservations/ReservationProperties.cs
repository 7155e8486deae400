using Mm.DmaBuf.Fences;
using Mm.DmaBuf.Reservations;

namespace Mm.DmaBuf.Tests.Reservations;

internal sealed class ReservationProperties
{
    /// <summary>Whatever is added in whatever order: a question for a usage waits, for each context, for all that was added.</summary>
    [FsCheck.NUnit.Property]
    public bool Question_AfterAnyAdds_CoversEachPendingFence((byte Context, byte Seqno, byte Usage)[] adds)
    {
        var rig = new FenceRig();
        var reservation = new Reservation(rig.Contexts);
        FenceContext[] contexts = [.. Enumerable.Range(0, 4).Select(_ => rig.Contexts.Next())];
        var added = new List<(DmaFence Fence, FenceUsage Usage)>();
        foreach ((byte context, byte seqno, byte usage) in adds)
        {
            (DmaFence Fence, FenceUsage Usage) add = (rig.Fence(contexts[context % 4], seqno), (FenceUsage)(usage % 4));
            using ReservationLock held = reservation.Lock();
            held.TryReserve(1).ThrowIfError();
            held.Add(add.Fence, add.Usage);
            added.Add(add);
        }

        return Enum.GetValues<FenceUsage>().All(usage =>
        {
            IReadOnlyList<DmaFence> found = reservation.GetFences(usage);
            return added.Where(add => add.Usage <= usage).All(add =>
                found.Any(fence => fence.Context == add.Fence.Context && fence.Seqno >= add.Fence.Seqno));
        });
    }

    /// <summary>Waiting for several fences takes the time of the last, and never more than the time-out.</summary>
    [FsCheck.NUnit.Property]
    public bool Wait_ForSeveral_StaysWithinOneTimeout(byte[] signalTimes, byte timeout)
    {
        var points = new SteppingPoints();
        var rig = new FenceRig(points);
        points.Clock = rig.Clock;
        var reservation = new Reservation(rig.Contexts);
        DmaFence[] fences = [.. signalTimes.Select(_ => rig.Fence())];
        using (ReservationLock held = reservation.Lock())
        {
            held.TryReserve(fences.Length + 1).ThrowIfError();
            foreach (DmaFence fence in fences)
            {
                held.Add(fence, FenceUsage.Read);
            }
        }

        points.Tick = now =>
        {
            for (int index = 0; index < fences.Length; index++)
            {
                _ = signalTimes[index] == now ? fences[index].Signal() : default;
            }
        };
        bool isOk = reservation.Wait(FenceUsage.Read, timeout, out ulong remaining).IsOk;
        bool isDue = signalTimes.All(time => time > 0 && time <= timeout);
        ulong passed = rig.Clock.NowNs;
        return isOk == isDue && passed <= timeout && (!isOk || passed + remaining == timeout)
            && (timeout > 0 || points.Waits == 0);
    }
}
