using Mm.Core;
using Mm.DmaBuf.Fences;
using Mm.DmaBuf.Reservations;

namespace Mm.DmaBuf.Tests.Reservations;

internal sealed class ReservationLockTests
{
    private readonly FenceRig rig = new();

    [Test]
    public void Reserve_OfNone_IsRefused()
    {
        var reservation = new Reservation(rig.Contexts);
        using ReservationLock held = reservation.Lock();
        Assert.That(held.TryReserve(0), Is.EqualTo(Errno.EINVAL));
        Assert.That(reservation.Slots, Is.Null, "a refused call changes nothing");
    }

    [Test]
    public void Reserve_OfLessThanNone_IsTheCallersMistake()
    {
        Assert.That(() => Do(held => _ = held.TryReserve(-1)), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [TestCase(1, 4)]
    [TestCase(4, 4)]
    [TestCase(5, 8)]
    public void Reserve_TheFirst_TakesFourOrThePowerOfTwoAbove(int count, int capacity)
    {
        var reservation = new Reservation(rig.Contexts);
        using ReservationLock held = reservation.Lock();
        held.TryReserve(count).ThrowIfError();
        Assert.That(reservation.Slots!.Capacity, Is.EqualTo(capacity));
    }

    [Test]
    public void Reserve_BeyondTheRoom_DoublesAndDropsWhatHasSignaled()
    {
        var reservation = new Reservation(rig.Contexts);
        DmaFence[] fences = [rig.Fence(), rig.Fence(), rig.Fence(), rig.Fence()];
        using ReservationLock held = reservation.Lock();
        held.TryReserve(4).ThrowIfError();
        foreach (DmaFence fence in fences)
        {
            held.Add(fence, FenceUsage.Read);
        }

        fences[1].Signal().ThrowIfError();
        held.TryReserve(1).ThrowIfError();
        Assert.That(reservation.Slots!.Capacity, Is.EqualTo(8));
        Assert.That(held.GetAll(FenceUsage.Read).Select(entry => entry.Fence), Is.EqualTo([fences[0], fences[2], fences[3]]));
    }

    [Test]
    public void Add_WithoutRoom_IsTheCallersMistake()
    {
        Assert.That(() => Do(held => held.Add(rig.Fence(), FenceUsage.Read)), Throws.InvalidOperationException);
        Assert.That(
            () => Do(held =>
            {
                held.TryReserve(4).ThrowIfError();
                for (int each = 0; each < 5; each++)
                {
                    held.Add(rig.Fence(), FenceUsage.Read);
                }
            }),
            Throws.InvalidOperationException);
    }

    [Test]
    public void Add_OfAContainer_IsTheCallersMistake()
    {
        Assert.That(() => Do(held => held.Add(rig.Array(rig.Fence()), FenceUsage.Read)), Throws.ArgumentException);
    }

    [TestCase(FenceUsage.Read, FenceUsage.Read, 2UL, true)]
    [TestCase(FenceUsage.Read, FenceUsage.Write, 2UL, true)]
    [TestCase(FenceUsage.Write, FenceUsage.Read, 2UL, false, Description = "a reader must not hide a writer")]
    [TestCase(FenceUsage.Read, FenceUsage.Read, 1UL, false, Description = "another fence of the same place")]
    [TestCase(FenceUsage.Read, FenceUsage.Read, 0UL, false, Description = "an earlier fence")]
    public void Add_OfTheSameContext_ReplacesWhatItCovers(FenceUsage old, FenceUsage added, ulong seqno, bool isReplaced)
    {
        FenceContext context = rig.Contexts.Next();
        DmaFence first = rig.Fence(context, 1);
        DmaFence second = rig.Fence(context, seqno);
        Do(held =>
        {
            held.TryReserve(2).ThrowIfError();
            held.Add(first, old);
            held.Add(second, added);
            Assert.That(
                held.GetAll(FenceUsage.Bookkeep),
                Is.EqualTo(isReplaced ? [(second, added)] : new[] { (first, old), (second, added) }));
        });
    }

    [Test]
    public void Add_OfTheVeryFence_ReplacesItself()
    {
        DmaFence fence = rig.Fence();
        Do(held =>
        {
            held.TryReserve(2).ThrowIfError();
            held.Add(fence, FenceUsage.Read);
            held.Add(fence, FenceUsage.Write);
            Assert.That(held.GetAll(FenceUsage.Bookkeep), Is.EqualTo([(fence, FenceUsage.Write)]));
        });
    }

    [Test]
    public void Add_OverASignaledFence_TakesItsSlot()
    {
        DmaFence first = rig.Fence();
        DmaFence second = rig.Fence();
        Do(held =>
        {
            held.TryReserve(1).ThrowIfError();
            held.Add(first, FenceUsage.Kernel);
            first.Signal().ThrowIfError();
            held.Add(second, FenceUsage.Bookkeep);
            Assert.That(held.GetAll(FenceUsage.Bookkeep), Is.EqualTo([(second, FenceUsage.Bookkeep)]));
        });
    }

    [Test]
    public void Replace_OfAContext_PutsTheFenceInEachOfItsSlots()
    {
        FenceContext context = rig.Contexts.Next();
        DmaFence other = rig.Fence();
        DmaFence end = rig.Fence();
        Do(held =>
        {
            Assert.That(held.Replace(context, end, FenceUsage.Kernel), Is.Zero, "of nothing");
            held.TryReserve(3).ThrowIfError();
            held.Add(rig.Fence(context, 1), FenceUsage.Write);
            held.Add(rig.Fence(context, 2), FenceUsage.Read);
            held.Add(other, FenceUsage.Read);
            Assert.That(held.Replace(context, end, FenceUsage.Kernel), Is.EqualTo(2));
            Assert.That(
                held.GetAll(FenceUsage.Bookkeep),
                Is.EqualTo([(end, FenceUsage.Kernel), (end, FenceUsage.Kernel), (other, FenceUsage.Read)]));
        });
    }

    [Test]
    public void Copy_OfAnother_TakesItsPendingFencesAndDropsOnesOwn()
    {
        var source = new Reservation(rig.Contexts);
        DmaFence pending = rig.Fence();
        DmaFence signaled = rig.Fence();
        using (ReservationLock held = source.Lock())
        {
            held.TryReserve(2).ThrowIfError();
            held.Add(signaled, FenceUsage.Write);
            held.Add(pending, FenceUsage.Bookkeep);
            signaled.Signal().ThrowIfError();
        }

        Do(held =>
        {
            held.TryReserve(1).ThrowIfError();
            held.Add(rig.Fence(), FenceUsage.Kernel);
            held.CopyFrom(source);
            Assert.That(held.GetAll(FenceUsage.Bookkeep), Is.EqualTo([(pending, FenceUsage.Bookkeep)]));
            held.TryReserve(1).ThrowIfError();
            held.Add(rig.Fence(), FenceUsage.Read);
        });
    }

    [Test]
    public void Token_AfterLeaving_ChangesNothing()
    {
        var reservation = new Reservation(rig.Contexts);
        Assert.That(
            () =>
            {
                ReservationLock held = reservation.Lock();
                held.Dispose();
                _ = held.TryReserve(1);
            },
            Throws.InvalidOperationException);
        Assert.That(() => _ = default(ReservationLock).TryReserve(1), Throws.InvalidOperationException);
    }

    private void Do(Change change)
    {
        var reservation = new Reservation(rig.Contexts);
        using ReservationLock held = reservation.Lock();
        change(held);
    }

    private delegate void Change(ReservationLock held);
}
