using Mm.Core;
using Mm.Core.Checks;
using Mm.DmaBuf.Fences;
using Mm.DmaBuf.Reservations;

namespace Mm.DmaBuf.Tests.Reservations;

internal sealed class ReservationTests
{
    private readonly FenceRig rig = new();

    [TestCase(FenceUsage.Kernel, 1)]
    [TestCase(FenceUsage.Write, 2)]
    [TestCase(FenceUsage.Read, 3)]
    [TestCase(FenceUsage.Bookkeep, 4)]
    public void Question_ForAUsage_GivesThatAndAllBefore(FenceUsage usage, int expected)
    {
        Reservation reservation = OneOfEach(out DmaFence[] fences);
        Assert.That(reservation.GetFences(usage), Is.EqualTo(fences[..expected]));
    }

    [Test]
    public void Usage_OutOfRange_IsTheCallersMistake()
    {
        var reservation = new Reservation(rig.Contexts);
        Assert.That(() => reservation.GetFences((FenceUsage)4), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => reservation.TestSignaled((FenceUsage)(-1)), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void Readiness_WaitsForWritesToReadAndForReadsToWrite()
    {
        Reservation reservation = OneOfEach(out DmaFence[] fences);
        Assert.That((reservation.IsReadable, reservation.IsWritable), Is.EqualTo((false, false)));
        fences[0].Signal().ThrowIfError();
        fences[1].Signal().ThrowIfError();
        Assert.That((reservation.IsReadable, reservation.IsWritable), Is.EqualTo((true, false)));
        fences[2].Signal().ThrowIfError();
        Assert.That((reservation.IsReadable, reservation.IsWritable), Is.EqualTo((true, true)), "bookkeeping keeps nobody waiting");
    }

    [Test]
    public void Singleton_OfNoneOneAndSeveral()
    {
        Assert.That(new Reservation(rig.Contexts).GetSingleton(FenceUsage.Bookkeep), Is.Null);
        Reservation reservation = OneOfEach(out DmaFence[] fences);
        Assert.That(reservation.GetSingleton(FenceUsage.Kernel), Is.SameAs(fences[0]));
        var array = reservation.GetSingleton(FenceUsage.Read) as FenceArray;
        Assert.That(array!.Members, Is.EqualTo(fences[..3]));
        Assert.That(array.SignalsOnAny, Is.False);
    }

    [Test]
    public void Wait_OfZero_AsksOnly()
    {
        Reservation reservation = OneOfEach(out DmaFence[] fences);
        Assert.That(reservation.Wait(FenceUsage.Kernel, 0, out ulong remaining), Is.EqualTo(Errno.ETIME));
        fences[0].Signal().ThrowIfError();
        Assert.That(reservation.Wait(FenceUsage.Kernel, 0, out remaining), Is.EqualTo(Errno.Ok));
        Assert.That(remaining, Is.Zero);
    }

    [Test]
    public void Wait_Cancelled_IsInterrupted()
    {
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.That(
            OneOfEach(out _).Wait(FenceUsage.Read, 10, out _, cancelled.Token), Is.EqualTo(Errno.EINTR));
    }

    [Test]
    public void Deadline_OfAUsage_ReachesItsPendingFences()
    {
        OneOfEach(out DmaFence[] fences).SetDeadline(FenceUsage.Write, 8);
        Assert.That(fences.Select(fence => fence.DeadlineNs), Is.EqualTo(new ulong?[] { 8, 8, null, null }));
    }

    [TestCase(SyncAccess.None)]
    [TestCase((SyncAccess)4)]
    [TestCase((SyncAccess)5)]
    public void SyncFile_OfNoAccessOrAnUnknownOne_IsRefused(SyncAccess access)
    {
        var reservation = new Reservation(rig.Contexts);
        Assert.That(reservation.TryExportSyncFile(access, out SyncFile? file), Is.EqualTo(Errno.EINVAL));
        Assert.That(file, Is.Null);
        using var fence = new SyncFile(rig.Fence());
        Assert.That(reservation.TryImportSyncFile(access, fence), Is.EqualTo(Errno.EINVAL));
        Assert.That(reservation.GetFences(FenceUsage.Bookkeep), Is.Empty);
    }

    [Test]
    public void Import_OfNoOpenFile_IsRefused()
    {
        var reservation = new Reservation(rig.Contexts);
        var closed = new SyncFile(rig.Fence());
        closed.Dispose();
        Assert.That(reservation.TryImportSyncFile(SyncAccess.Read, file: null), Is.EqualTo(Errno.EINVAL));
        Assert.That(reservation.TryImportSyncFile(SyncAccess.Read, closed), Is.EqualTo(Errno.EINVAL));
    }

    [TestCase(SyncAccess.Read, FenceUsage.Read)]
    [TestCase(SyncAccess.Write, FenceUsage.Write)]
    [TestCase(SyncAccess.Read | SyncAccess.Write, FenceUsage.Write)]
    public void Import_OfAMergedFile_AddsEachOfItsFences(SyncAccess access, FenceUsage usage)
    {
        var reservation = new Reservation(rig.Contexts);
        DmaFence[] fences = [rig.Fence(), rig.Fence(), rig.Fence(), rig.Fence(), rig.Fence()];
        using var file = new SyncFile(rig.Array(fences));
        reservation.TryImportSyncFile(access, file).ThrowIfError();
        using ReservationLock held = reservation.Lock();
        Assert.That(held.GetAll(FenceUsage.Bookkeep), Is.EqualTo(fences.Select(fence => (fence, usage))));
    }

    [Test]
    public void Export_WaitsForWhatTheAccessWaitsFor()
    {
        Reservation reservation = OneOfEach(out DmaFence[] fences);
        reservation.TryExportSyncFile(SyncAccess.Read, out SyncFile? reads).ThrowIfError();
        reservation.TryExportSyncFile(SyncAccess.Read | SyncAccess.Write, out SyncFile? writes).ThrowIfError();
        Assert.That(FenceUnwrap.Enumerate(reads!.Fence), Is.EqualTo(fences[..2]));
        Assert.That(FenceUnwrap.Enumerate(writes!.Fence), Is.EqualTo(fences[..3]));
    }

    [Test]
    public void Export_WithNothingPending_IsReady()
    {
        new Reservation(rig.Contexts).TryExportSyncFile(SyncAccess.Write, out SyncFile? file).ThrowIfError();
        Assert.That(file!.IsReady, Is.True);
    }

    [Test]
    public void Lock_TakenTwiceByOneThread_IsCaught()
    {
        var reservation = new Reservation(rig.Contexts);
        using ReservationLock held = reservation.Lock();
        Assert.That(
            () =>
            {
                using ReservationLock again = reservation.Lock();
            },
            Throws.InstanceOf<MmBugException>());
    }

    [Test]
    public void TryLock_WhileAnotherThreadHolds_IsRefused()
    {
        var reservation = new Reservation(rig.Contexts);
        bool entered = true;
        using (reservation.Lock())
        {
            var other = new Thread(() => entered = Tries(reservation));
            other.Start();
            other.Join();
        }

        Assert.That(entered, Is.False);
        Assert.That(Tries(reservation), Is.True);
    }

    private static bool Tries(Reservation reservation)
    {
        bool entered = reservation.TryLock(out ReservationLock held);
        held.Dispose();
        return entered;
    }

    private Reservation OneOfEach(out DmaFence[] fences)
    {
        var reservation = new Reservation(rig.Contexts);
        fences = [rig.Fence(), rig.Fence(), rig.Fence(), rig.Fence()];
        using ReservationLock held = reservation.Lock();
        held.TryReserve(4).ThrowIfError();
        for (int usage = 0; usage < 4; usage++)
        {
            held.Add(fences[usage], (FenceUsage)usage);
        }

        return reservation;
    }
}
