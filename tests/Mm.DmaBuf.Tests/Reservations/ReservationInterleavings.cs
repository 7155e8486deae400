using Mm.Core.Checks;
using Mm.DmaBuf.Fences;
using Mm.DmaBuf.Reservations;
using Mm.Testing.Interleavings;

namespace Mm.DmaBuf.Tests.Reservations;

/// <summary>Readers without the lock against its holder, in every order of their steps.</summary>
internal sealed class ReservationInterleavings
{
    [Test]
    public void Reader_AgainstAdd_SeesTheSlotBeforeTheCount()
    {
        Exploration result = Readers(points => (capacity => new FenceSlots(capacity, points)));
        result.ThrowIfFailed();
        Assert.That(result.Schedules, Is.GreaterThanOrEqualTo(10));
    }

    /// <summary>The fault of 72c7d62583eb, put back: the count is published before the slot.</summary>
    [Test]
    public void Reader_AgainstAddThatPublishesTheCountFirst_IsCaught()
    {
        Exploration result = Readers(points => (capacity => new CountFirstSlots(capacity, points)));
        Assert.That(result.Failure, Is.Not.Null);
        Assert.That(result.Failure!.Message, Does.Contain("is empty"));
    }

    [Test]
    public void Reader_AgainstGrowth_LosesNoPendingFence()
    {
        new Explorer { MaxInterruptions = 2 }.Explore(points =>
        {
            var rig = new FenceRig(points);
            var reservation = new Reservation(rig.Contexts);
            DmaFence[] pending = [.. Enumerable.Range(0, 4).Select(_ => rig.Fence())];
            Add(reservation, pending);
            IReadOnlyList<DmaFence> found = [];
            return new Scenario()
                .Actor("reader", () => found = reservation.GetFences(FenceUsage.Bookkeep))
                .Actor("writer", () => Add(reservation, [rig.Fence()]))
                .Finally("all that were pending are found, once", () => pending.All(fence => found.Count(fence.Equals) == 1))
                .Finally("nothing else but the new one", () => found.Count <= 5);
        }).ThrowIfFailed();
    }

    private static Exploration Readers(Func<IYieldPoints, Func<int, FenceSlots>> slots) =>
        new Explorer { MaxInterruptions = 4 }.Explore(points =>
        {
            var rig = new FenceRig(points);
            var reservation = new Reservation(rig.Contexts, slots(points));
            DmaFence first = rig.Fence();
            Add(reservation, [first]);
            IReadOnlyList<DmaFence> found = [];
            return new Scenario()
                .Actor("reader", () => found = reservation.GetFences(FenceUsage.Bookkeep))
                .Actor("writer", () => Add(reservation, [rig.Fence()]))
                .Finally("the fence of before is found", () => found.Contains(first) && found.Count <= 2);
        });

    private static void Add(Reservation reservation, DmaFence[] fences)
    {
        using ReservationLock held = reservation.Lock();
        held.TryReserve(fences.Length).ThrowIfError();
        foreach (DmaFence fence in fences)
        {
            held.Add(fence, FenceUsage.Read);
        }
    }

    private sealed class CountFirstSlots(int capacity, IYieldPoints? points) : FenceSlots(capacity, points)
    {
        internal override void Append(ReservationSlot slot)
        {
            int end = Count;
            PublishCount(end + 1);
            Points?.Reach("count-before-slot");
            Replace(end, slot);
        }
    }
}
