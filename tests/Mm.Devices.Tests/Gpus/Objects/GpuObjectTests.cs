using Mm.Core;
using Mm.Core.Dma;
using Mm.Devices.Gpus.Objects;
using Mm.DmaBuf.Attachments;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Fences;
using Mm.DmaBuf.Reservations;
using Mm.Hmm.Copying;
using static Mm.Devices.Tests.Gpus.GpuRig;

namespace Mm.Devices.Tests.Gpus.Objects;

[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class GpuObjectTests : IDisposable
{
    private readonly GpuRig rig = new();

    public void Dispose() => rig.Dispose();

    [Test]
    public void New_WithoutAWish_LiesInHiddenMemoryAndHoldsZeros()
    {
        using GpuObject target = rig.Create(3);
        Assert.That((target.Place, target.Size.Value), Is.EqualTo((GpuPlaces.HiddenVram, 3UL * Page)));
        Assert.That(Read(target), Is.All.Zero);
        Assert.That(rig.Gpu.Memory.UsedPages, Is.EqualTo(new PageCount(3)));
    }

    [Test]
    public void Removal_WhileWorkWaitsToBegin_EndsThatWork()
    {
        GpuObject target = rig.Create(1);
        var before = new DmaFence(rig.System.Contexts, rig.System.Contexts.Next(), seqno: 1);
        using (ReservationLock held = target.Reservation.Lock())
        {
            held.TryReserve(1).ThrowIfError();
            held.Add(before, FenceUsage.Write);
        }

        GpuWork? work = null;
        var worker = new Thread(() => _ = target.TryBeginWork(SyncAccess.Write, out work));
        worker.Start();
        Waiting.UntilWaits(worker); // with the reservation locked
        var remover = new Thread(rig.Gpu.Remove);
        remover.Start();
        Waiting.UntilWaits(remover); // for the reservation
        before.Signal().ThrowIfError();
        worker.Join();
        remover.Join();

        Assert.That(work!.Fence.GetStatus(), Is.EqualTo(FenceStatus.Failed(Errno.ENODEV)));
        Assert.That(work.TryWrite(ByteCount.Zero, [1]), Is.EqualTo(Errno.ENODEV));
        target.Dispose();
    }

    [Test]
    public void New_InPagesThatOthersUsed_HoldsZeros()
    {
        using (GpuObject first = rig.Create(4))
        {
            Write(first, 0, Bytes(4 * Page, 7));
        }

        using GpuObject second = rig.Create(4);
        Assert.That(Read(second), Is.All.Zero);
    }

    [TestCase(0, GpuPlaces.Any, GpuPlaces.Vram)]
    [TestCase(1, GpuPlaces.None, GpuPlaces.Vram)]
    [TestCase(1, GpuPlaces.Ram, GpuPlaces.Vram)]
    [TestCase(1, (GpuPlaces)8, (GpuPlaces)8)]
    public void New_WithoutBytesOrPlace_IsRefused(int pages, GpuPlaces allowed, GpuPlaces preferred)
    {
        var request = new GpuObjectRequest(new PageCount((ulong)pages).ToBytes()) { Allowed = allowed, Preferred = preferred };
        Assert.That((rig.Gpu.TryCreateObject(request, out GpuObject? made), made), Is.EqualTo((Errno.EINVAL, (GpuObject?)null)));
    }

    [Test]
    public void Move_ToEachPlace_KeepsTheBytesAndIsDoneByTheEngine()
    {
        using GpuObject target = rig.Create(5);
        byte[] bytes = Bytes(5 * Page, 3);
        Write(target, 0, bytes);
        ulong copied = rig.Gpu.Copier.Counters.Copied.Value;
        foreach (GpuPlaces place in (GpuPlaces[])[GpuPlaces.VisibleVram, GpuPlaces.Ram, GpuPlaces.HiddenVram, GpuPlaces.Ram, GpuPlaces.VisibleVram])
        {
            target.TrySetPreferred(place).ThrowIfError();
            Assert.That((target.TryMoveTo(place), target.Place), Is.EqualTo((Errno.Ok, place)));
            Assert.That(Read(target), Is.EqualTo(bytes));
        }

        Assert.That((target.Moves, rig.Gpu.Copier.Counters.Copied.Value - copied), Is.EqualTo((5L, 25UL)));
    }

    [Test]
    public void Move_ToIllegalPlaces_IsRefused()
    {
        using GpuObject target = rig.Create(1, allowed: GpuPlaces.Vram);
        Assert.That(target.TryMoveTo(GpuPlaces.Ram), Is.EqualTo(Errno.EINVAL));
        Assert.That(target.TryMoveTo(GpuPlaces.Vram), Is.EqualTo(Errno.EINVAL));
        Assert.That(target.TrySetPreferred(GpuPlaces.Ram), Is.EqualTo(Errno.EINVAL));
        Assert.That(target.TryMoveTo(GpuPlaces.HiddenVram), Is.EqualTo(Errno.Ok), "it lies there");
    }

    [Test]
    public void Map_ByAPeerThatReachesIt_BringsItBehindTheBar()
    {
        using GpuObject target = rig.Create(2);
        byte[] bytes = Bytes(2 * Page, 9);
        Write(target, 0, bytes);
        using BufferHandle handle = Export(target);
        using BufferAttachment near = Attach(handle, rig.Near, new TellingImporter());
        using BufferAttachment far = Attach(handle, rig.Far, new TellingImporter());
        Assert.That((near.Terms.Reason, far.Terms.Reason), Is.EqualTo((PeerReason.Agreed, PeerReason.NoWay)));
        using (BufferMapping direct = Map(near))
        {
            Assert.That((direct.Segments[0].IsBusAddress, target.Place), Is.EqualTo((true, GpuPlaces.VisibleVram)));
        }

        Assert.That(Read(near), Is.EqualTo(bytes));
        Assert.That(Read(far), Is.EqualTo(bytes), "who does not reach it gets it in RAM");
        Assert.That(target.Place, Is.EqualTo(GpuPlaces.Ram));
        target.TryMoveTo(GpuPlaces.HiddenVram).ThrowIfError();
        Assert.That(Read(near), Is.EqualTo(bytes));
        Assert.That(near.Rebuilds, Is.EqualTo(2), "it mapped where it was first, and where it is now");
    }

    [Test]
    public void Attach_WhereOnlyTheGpusMemoryIsAllowed_RefusesWhoDoesNotReachIt()
    {
        using GpuObject target = rig.Create(1, allowed: GpuPlaces.Vram);
        using BufferHandle handle = Export(target);
        Errno errno = BufferAttachment.TryAttach(handle, rig.Far, new TellingImporter(), out _, out PeerTerms terms);
        Assert.That((errno, terms.Reason), Is.EqualTo((Errno.EOPNOTSUPP, PeerReason.NoWay)));
        errno = BufferAttachment.TryAttach(handle, rig.Near, importer: null, out _, out terms);
        Assert.That((errno, terms.Reason), Is.EqualTo((Errno.EOPNOTSUPP, PeerReason.ImporterDeclines)));
    }

    [Test]
    public void Pin_KeepsItWherePeersReachIt()
    {
        using GpuObject target = rig.Create(1);
        using BufferHandle handle = Export(target);
        using BufferAttachment near = Attach(handle, rig.Near, new TellingImporter());
        using BufferAttachment far = Attach(handle, rig.Far, new TellingImporter());
        using (ReservationLock held = target.Reservation.Lock())
        {
            near.TryPin(held, out AttachmentPin? pin).ThrowIfError();
            Assert.That(target.Place, Is.EqualTo(GpuPlaces.VisibleVram));
            Assert.That(far.TryMap(held, DmaDirection.ToDevice, out _), Is.EqualTo(Errno.EBUSY));
            pin!.Dispose();
        }

        using (BufferAttachment fixedOne = Attach(handle, rig.Near, importer: null))
        {
            Assert.That((target.Place, target.PinCount), Is.EqualTo((GpuPlaces.Ram, 1)));
            Assert.That(target.TryMoveTo(GpuPlaces.HiddenVram), Is.EqualTo(Errno.EBUSY));
            Assert.That(rig.Ledger().Any(static entry => entry is { Kind: HoldingKind.Pin, Count: 1 }), Is.True);
        }

        Assert.That((target.PinCount, target.TryMoveTo(GpuPlaces.HiddenVram)), Is.EqualTo((0, Errno.Ok)));
    }

    [Test]
    public void Hint_MovesNothingUntilTheGpuWorks()
    {
        using GpuObject target = rig.Create(4, preferred: GpuPlaces.Ram);
        target.TrySetPreferred(GpuPlaces.Vram).ThrowIfError();
        Assert.That((target.Place, rig.Gpu.Memory.UsedPages.Value), Is.EqualTo((GpuPlaces.Ram, 0UL)));
        Write(target, 0, [1]);
        Assert.That((target.Place, rig.Gpu.Memory.UsedPages.Value), Is.EqualTo((GpuPlaces.HiddenVram, 4UL)));
    }

    [Test]
    public void Pressure_MakesWhoWasUsedLongestAgoLeave()
    {
        using GpuObject oldest = rig.Create(300);
        using GpuObject middle = rig.Create(300);
        byte[] bytes = Bytes(300 * Page, 1);
        Write(oldest, 0, bytes);
        using GpuObject newest = rig.Create(400); // 768 hidden pages: 168 of them are free
        Assert.That((oldest.Place, middle.Place, newest.Place), Is.EqualTo((GpuPlaces.HiddenVram, GpuPlaces.Ram, GpuPlaces.HiddenVram)));
        Assert.That((rig.Gpu.Memory.Evictions, Read(oldest).AsSpan().SequenceEqual(bytes)), Is.EqualTo((1L, true)));
    }

    [Test]
    public void Pressure_SparesWhatIsPinnedOrAtWork()
    {
        using GpuObject pinned = rig.Create(200, preferred: GpuPlaces.VisibleVram);
        using BufferHandle handle = Export(pinned);
        using BufferAttachment near = Attach(handle, rig.Near, new TellingImporter());
        using GpuObject working = rig.Create(56, preferred: GpuPlaces.VisibleVram);
        working.TryBeginWork(SyncAccess.Read, out GpuWork? work).ThrowIfError();
        using (ReservationLock held = pinned.Reservation.Lock())
        {
            near.TryPin(held, out _).ThrowIfError();
        }

        var request = new GpuObjectRequest(new ByteCount(Page)) { Allowed = GpuPlaces.VisibleVram, Preferred = GpuPlaces.VisibleVram };
        Assert.That(rig.Gpu.TryCreateObject(request, out _), Is.EqualTo(Errno.ENOMEM));
        work!.Dispose();
        Assert.That(rig.Gpu.TryCreateObject(request, out GpuObject? made), Is.EqualTo(Errno.Ok));
        Assert.That(working.Place, Is.EqualTo(GpuPlaces.HiddenVram), "what leaves the BAR's part need not leave the GPU");
        made!.Dispose();
    }

    [Test]
    public void Work_UnderWay_KeepsTheBufferWhereItIs()
    {
        using GpuObject target = rig.Create(1);
        target.TryBeginWork(SyncAccess.Write, out GpuWork? work).ThrowIfError();
        Assert.That(target.TryMoveTo(GpuPlaces.Ram, timeoutNs: 0), Is.EqualTo(Errno.ETIME));
        Assert.That((target.Place, rig.Gpu.Memory.UsedPages.Value, rig.InUse.Value), Is.EqualTo((GpuPlaces.HiddenVram, 1UL, 0UL)));
        Assert.That(work!.TryRead(ByteCount.Zero, new byte[1]), Is.EqualTo(Errno.EPERM));
        Assert.That(work.TryWrite(new ByteCount(Page - 1), new byte[2]), Is.EqualTo(Errno.EFAULT));
        Assert.That(target.TryBeginWork(SyncAccess.Read, out _, timeoutNs: 0), Is.EqualTo(Errno.ETIME), "a reader waits for a writer");
        work.Dispose();
        Assert.That(work.TryWrite(ByteCount.Zero, new byte[1]), Is.EqualTo(Errno.ECANCELED));
        Assert.That(target.TryMoveTo(GpuPlaces.Ram, timeoutNs: 0), Is.EqualTo(Errno.Ok));
        Assert.That(target.TryBeginWork(SyncAccess.None, out _), Is.EqualTo(Errno.EINVAL));
    }

    [Test]
    public void Close_WhileShared_LeavesItToWhoSharesIt()
    {
        GpuObject target = rig.Create(2);
        byte[] bytes = Bytes(2 * Page, 4);
        Write(target, 0, bytes);
        BufferHandle handle = Export(target);
        using (BufferHandle again = Export(target))
        {
            Assert.That(again.Buffer, Is.SameAs(handle.Buffer));
        }

        target.Dispose();
        target.Dispose();
        Assert.That(() => target.TryExport(out _), Throws.InstanceOf<ObjectDisposedException>());
        using (BufferAttachment near = Attach(handle, rig.Near, new TellingImporter()))
        {
            Assert.That(Read(near), Is.EqualTo(bytes));
            Assert.That(rig.Gpu.Memory.UsedPages.Value, Is.EqualTo(2));
        }

        handle.Dispose();
        Assert.That((rig.Gpu.Memory.UsedPages.Value, rig.Ledger().Count), Is.EqualTo((0UL, 0)));
    }

    [Test]
    public void CopyThatFails_MovesNothingAndLosesNothing([Values] bool isQueueFull)
    {
        using GpuObject target = rig.Create(600); // two jobs
        byte[] bytes = Bytes(600 * Page, 5);
        Write(target, 0, bytes);
        rig.Machine.Faults.FailNth(isQueueFull ? CopyFaults.Queue : CopyFaults.Page, isQueueFull ? 2UL : 580UL);
        Assert.That(target.TryMoveTo(GpuPlaces.Ram), Is.EqualTo(isQueueFull ? Errno.EAGAIN : Errno.EIO));
        rig.Machine.Faults.Clear();
        Assert.That((target.Place, rig.InUse.Value, Read(target).AsSpan().SequenceEqual(bytes)), Is.EqualTo((GpuPlaces.HiddenVram, 0UL, true)));
    }

    [Test]
    public void EachAllocation_FailedOnce_ChangesNothing()
    {
        FaultPoint[] points = [FaultPoint.Slab, FaultPoint.DevicePage, FaultPoint.PageAlloc, CopyFaults.Page, CopyFaults.Queue];
        foreach (FaultPoint point in points)
        {
            for (ulong nth = 1; FailOnce(point, nth); nth++)
            {
                rig.Gpu.Validate();
                Assert.That((rig.Gpu.Memory.UsedPages.Value, rig.InUse.Value, rig.System.Buffers.Count), Is.EqualTo((0UL, 0UL, 0)), $"{point} {nth}");
            }
        }
    }

    // Create, export, map, move: refused at most once, and closed again. False: nothing was left to fail.
    private bool FailOnce(FaultPoint point, ulong nth)
    {
        rig.Machine.Faults.FailNth(point, nth);
        var request = new GpuObjectRequest(new ByteCount(3 * Page)) { Allowed = GpuPlaces.Any };
        BufferHandle? handle = null;
        BufferAttachment? far = null;
        BufferMapping? mapping = null;
        Errno errno = rig.Gpu.TryCreateObject(request, out GpuObject? target);
        errno = errno.IsOk ? target!.TryExport(out handle) : errno;
        errno = errno.IsOk ? BufferAttachment.TryAttach(handle!, rig.Far, new TellingImporter(), out far) : errno;
        errno = errno.IsOk ? far!.TryMap(DmaDirection.Bidirectional, out mapping) : errno;
        errno = errno.IsOk ? target!.TryMoveTo(GpuPlaces.VisibleVram) : errno;
        bool hasFailed = rig.Machine.Faults.FailureCount(point) != 0;
        rig.Machine.Faults.Clear();
        Assert.That(errno.IsOk || hasFailed, Is.True, $"{errno} without a failure of {point}");
        mapping?.Dispose();
        far?.Dispose();
        handle?.Dispose();
        target?.Dispose();
        return hasFailed;
    }
}
