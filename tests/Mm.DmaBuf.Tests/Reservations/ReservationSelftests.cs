using Mm.DmaBuf.Fences;
using Mm.DmaBuf.Reservations;

namespace Mm.DmaBuf.Tests.Reservations;

/// <summary>The tests of drivers/dma-buf/st-dma-resv.c (v6.12), under their names, each for each usage.</summary>
[TestFixture(FenceUsage.Kernel)]
[TestFixture(FenceUsage.Write)]
[TestFixture(FenceUsage.Read)]
[TestFixture(FenceUsage.Bookkeep)]
internal sealed class ReservationSelftests(FenceUsage usage)
{
    private readonly FenceRig rig = new();

    [Test]
    public void sanitycheck()
    {
        DmaFence fence = rig.Fence();
        fence.EnableSignaling();
        fence.Signal().ThrowIfError();
        var reservation = new Reservation(rig.Contexts);
        using ReservationLock held = reservation.Lock();
        Assert.That(held.GetAll(usage), Is.Empty);
    }

    [Test]
    public void test_signaling()
    {
        DmaFence fence = rig.Fence();
        Reservation reservation = Holding(fence);
        Assert.That(reservation.TestSignaled(usage), Is.False, "signaled too early");
        fence.Signal().ThrowIfError();
        Assert.That(reservation.TestSignaled(usage), Is.True);
    }

    [Test]
    public void test_for_each()
    {
        DmaFence fence = rig.Fence();
        Reservation reservation = Holding(fence);
        using ReservationLock held = reservation.Lock();
        Assert.That(held.GetAll(usage), Is.EqualTo([(fence, usage)]));
        fence.Signal().ThrowIfError();
    }

    [Test]
    public void test_for_each_unlocked()
    {
        DmaFence fence = rig.Fence();
        ReservationReader reader = Holding(fence).Read(usage);
        for (int round = 0; round < 2; round++)
        {
            Assert.That(reader.MoveNext(), Is.True);
            Assert.That(reader.IsRestarted, Is.True);
            Assert.That(reader.Current, Is.SameAs(fence));
            Assert.That(reader.CurrentUsage, Is.EqualTo(usage));
            if (round == 0)
            {
                reader.ForceRestart();
            }
        }

        Assert.That(reader.MoveNext(), Is.False);
        fence.Signal().ThrowIfError();
    }

    [Test]
    public void test_get_fences()
    {
        DmaFence fence = rig.Fence();
        Assert.That(Holding(fence).GetFences(usage), Is.EqualTo([fence]));
        fence.Signal().ThrowIfError();
    }

    private Reservation Holding(DmaFence fence)
    {
        fence.EnableSignaling();
        var reservation = new Reservation(rig.Contexts);
        using ReservationLock held = reservation.Lock();
        held.TryReserve(1).ThrowIfError();
        held.Add(fence, usage);
        return reservation;
    }
}
