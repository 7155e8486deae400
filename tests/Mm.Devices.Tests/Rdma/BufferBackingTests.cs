using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.PhysRanges;
using Mm.Devices.Gpus;
using Mm.Devices.Gpus.Objects;
using Mm.Devices.Rdma;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Exporters;
using Mm.DmaBuf.Fences;
using Mm.DmaBuf.Reservations;

namespace Mm.Devices.Tests.Rdma;

/// <summary>Regions on shared buffers: what moves, what is pinned, what is taken away.</summary>
internal sealed class BufferBackingTests
{
    [Test]
    public void Dynamic_BufferThatMoved_IsMappedAnewOnceAndBytesFollow()
    {
        using var rig = new RdmaRig();
        using BufferHandle handle = rig.Moving(out MovingBuffer exporter);
        MemoryRegion region = RdmaRig.RegisterBuffer(rig.Across, handle, RegionContract.Buffer);
        MemoryRegion local = rig.Near.Register(rig.Near.Map(4, 5));
        Assert.That(region.TableLoads, Is.Zero, "nothing is mapped before the first use");
        Assert.That(rig.Near.Do(WorkOpcode.Write, RdmaEnd.Piece(local), region), Is.EqualTo(WorkStatus.Success));
        Assert.That(rig.ReadVram(0, 4).AsSpan().ContainsAnyExcept((byte)5), Is.False);

        exporter.TryMoveToRam().ThrowIfError();
        rig.Near.Write(local.Range, 6);
        Assert.That(rig.Near.Do(WorkOpcode.Write, RdmaEnd.Piece(local), region), Is.EqualTo(WorkStatus.Success));
        exporter.TryMoveToDevice([rig.VramPart(64, 4)]).ThrowIfError();

        Assert.That(region.TableLoads, Is.EqualTo(2));
        Assert.That(rig.ReadVram(64, 4).AsSpan().ContainsAnyExcept((byte)6), Is.False);
        Assert.That(rig.ReadVram(0, 4).AsSpan().ContainsAnyExcept((byte)5), Is.False, "the old place was not touched any more");
        region.Dispose();
    }

    [Test]
    public void Dynamic_KernelFenceThatHasNotSignaled_IsEtimedout()
    {
        using var rig = new RdmaRig(new RdmaOptions { FenceTimeoutNs = 0 });
        using BufferHandle handle = rig.Moving(out _);
        MemoryRegion region = RdmaRig.RegisterBuffer(rig.Near, handle, RegionContract.Buffer);
        var fence = new DmaFence(rig.System.Contexts, rig.System.Contexts.Next(), 1);
        using (ReservationLock held = handle.Buffer.Reservation.Lock())
        {
            held.TryReserve(1).ThrowIfError();
            held.Add(fence, FenceUsage.Kernel);
        }

        byte[] bytes = new byte[8];
        Assert.That(region.Backing.TryAccess(default, bytes, isWrite: false), Is.EqualTo(Errno.ETIMEDOUT));
        fence.Signal().ThrowIfError();
        Assert.That(region.Backing.TryAccess(default, bytes, isWrite: false), Is.EqualTo(Errno.Ok));
        region.Dispose();
    }

    // The table is there for nobody before the bytes are: not for who waits, and not for who comes meanwhile.
    [Test]
    public void Dynamic_TwoUsersBeforeTheKernelsFence_BothWaitForIt()
    {
        using var rig = new RdmaRig();
        using BufferHandle handle = rig.Moving(out _);
        MemoryRegion region = RdmaRig.RegisterBuffer(rig.Near, handle, RegionContract.Buffer);
        bool hasSignaled = false;
        bool isEarly = false;
        var second = new Thread(() =>
        {
            region.Backing.TryAccess(default, new byte[8], isWrite: false).ThrowIfError();
            isEarly = !Volatile.Read(ref hasSignaled);
        });
        using (ReservationLock held = handle.Buffer.Reservation.Lock())
        {
            held.TryReserve(1).ThrowIfError();
            held.Add(new WaitedFor(rig.System.Contexts, () =>
            {
                second.Start();
                Waiting.UntilWaits(second);
                Volatile.Write(ref hasSignaled, true);
            }), FenceUsage.Kernel);
        }

        region.Backing.TryAccess(default, new byte[8], isWrite: false).ThrowIfError();
        second.Join();
        Assert.That((hasSignaled, isEarly), Is.EqualTo((true, false)));
        region.Dispose();
    }

    // R2.
    [Test]
    public void Pinned_Notice_UnmapsNothingAndIsCounted()
    {
        using var rig = new RdmaRig();
        using BufferHandle handle = rig.Moving(out MovingBuffer exporter);
        MemoryRegion region = RdmaRig.RegisterBuffer(rig.Near, handle, RegionContract.BufferPinned);
        var backing = (BufferBacking)region.Backing;
        using (ReservationLock held = handle.Buffer.Reservation.Lock())
        {
            handle.Buffer.NotifyMove(held, MoveNotice.MayMove);
        }

        Assert.That((backing.Warnings, exporter.PinCount, exporter.TryMoveToRam()), Is.EqualTo((1L, 1, Errno.EBUSY)));
        Assert.That(backing.TryAccess(default, new byte[8], isWrite: true), Is.EqualTo(Errno.Ok));
        Assert.That(rig.Near.Ledger().Select(static entry => entry.Kind), Is.SupersetOf(
            new[] { HoldingKind.Attachment, HoldingKind.Pin, HoldingKind.Mapping }));
        region.Dispose();
        Assert.That((exporter.PinCount, handle.Buffer.AttachmentCount), Is.EqualTo((0, 0)));
    }

    // R1.
    [Test]
    public void Revocable_TakenAway_IsToldOnceUnmappedUnpinnedAndItsKeyStays()
    {
        using var rig = new RdmaRig();
        using BufferHandle handle = rig.Revocable(out BarBuffer exporter);
        MemoryRegion region = RdmaRig.RegisterBuffer(rig.Near, handle, RegionContract.BufferRevocable);
        var backing = (BufferBacking)region.Backing;
        Assert.That(exporter.PinCount, Is.EqualTo(1));

        exporter.TryRevoke(timeoutNs: 0).ThrowIfError();
        exporter.TryRestore().ThrowIfError();
        exporter.TryRevoke(timeoutNs: 0).ThrowIfError();

        Assert.That((backing.Revocations, exporter.PinCount, region.State), Is.EqualTo((1, 0, RegionState.Revoked)));
        Assert.That(backing.TryAccess(default, new byte[8], isWrite: false), Is.EqualTo(Errno.EINVAL));
        Assert.That(rig.Near.Nic.View.LiveMappings, Is.Zero);
        MemoryRegion next = rig.Near.Register(rig.Near.Map(1, 1));
        Assert.That(next.Key, Is.Not.EqualTo(region.Key));
        region.Dispose();
        Assert.That((backing.Revocations, region.State), Is.EqualTo((1, RegionState.Deregistered)), "the release does not tell again");
        next.Dispose();
    }

    [Test]
    public void Revocable_TakenAwayBeforeItsRegionIsMade_IsARevokedRegion()
    {
        using var rig = new RdmaRig();
        using BufferHandle handle = rig.Revocable(out BarBuffer exporter);
        BufferBacking.TryCreate(
            rig.Near.Context, handle, RegionContract.BufferRevocable, default, new ByteCount(4096), out BufferBacking? backing).ThrowIfError();
        exporter.TryRevoke().ThrowIfError();
        var region = new MemoryRegion(
            rig.Near.Domain, RegionContract.BufferRevocable, RdmaEnd.All, new VirtRange(default, new ByteCount(4096)), backing!);

        Assert.That((region.State, exporter.PinCount), Is.EqualTo((RegionState.Revoked, 0)));
        backing!.Release();
    }

    // What a pin itself brings within reach has not been pinned before: nothing is taken away, and nothing is warned of.
    [Test]
    public void Pinned_PinThatBringsTheBufferWithinReach_IsNoRevocation(
        [Values(RegionContract.BufferPinned, RegionContract.BufferRevocable)] RegionContract contract)
    {
        using var rig = new RdmaRig();
        var options = new GpuOptions { Memory = ByteCount.FromMiB(4), Visible = ByteCount.FromMiB(1) };
        Gpu.TryCreate(rig.Pci, rig.System, RdmaRig.Gpu, options, out Gpu? gpu).ThrowIfError();
        using (gpu)
        {
            var request = new GpuObjectRequest(new ByteCount(4096)) { Preferred = GpuPlaces.HiddenVram };
            gpu!.TryCreateObject(request, out GpuObject? hidden).ThrowIfError();
            hidden!.TryExport(out BufferHandle? handle).ThrowIfError();
            MemoryRegion region = RdmaRig.RegisterBuffer(rig.Near, handle!, contract);
            var backing = (BufferBacking)region.Backing;

            Assert.That((hidden.Place, hidden.PinCount, region.State), Is.EqualTo((GpuPlaces.VisibleVram, 1, RegionState.Valid)));
            Assert.That((backing.Warnings, backing.Revocations), Is.EqualTo((0L, 0)));
            Assert.That(backing.TryAccess(default, new byte[8], isWrite: true), Is.EqualTo(Errno.Ok));
            region.Dispose();
            handle!.Dispose();
            hidden.Dispose();
        }
    }

    [Test]
    public void Revocable_ReleasedWithoutARevocation_TellsNobodyAndUnpins()
    {
        using var rig = new RdmaRig();
        using BufferHandle handle = rig.Revocable(out BarBuffer exporter);
        MemoryRegion region = RdmaRig.RegisterBuffer(rig.Near, handle, RegionContract.BufferRevocable);
        region.Dispose();

        Assert.That((exporter.PinCount, handle.Buffer.AttachmentCount), Is.EqualTo((0, 0)));
    }

    // R5.
    [Test]
    public void Window_InsideTheBuffer_IsCutAndTheListIsTheExportersStill()
    {
        using var rig = new RdmaRig();
        MovingBuffer.TryExport(
            rig.System.Buffers, rig.Pci.Owners, rig.Vram, [rig.VramPart(0, 2), rig.VramPart(8, 2)], out _, out BufferHandle? handle).ThrowIfError();
        using (handle)
        {
            PhysRange[] before = Locate(handle!);
            rig.Near.Domain.TryRegisterBuffer(
                handle!, new ByteCount(4100), new ByteCount(5000), new VirtAddr(0x5004), RdmaEnd.All, RegionContract.BufferPinned,
                out MemoryRegion? region).ThrowIfError();
            byte[] bytes = new byte[5000];
            bytes.AsSpan().Fill(0xee);
            region!.Backing.TryAccess(default, bytes, isWrite: true).ThrowIfError();

            byte[] there = [.. rig.ReadVram(0, 2), .. rig.ReadVram(8, 2)];
            Assert.That((there[4099], there[4100], there[9099], there[9100]), Is.EqualTo(((byte)0, (byte)0xee, (byte)0xee, (byte)0)));
            region.Dispose();
            Assert.That(Locate(handle!), Is.EqualTo(before));
        }
    }

    // R6, with every failing step.
    [TestCase(RegionContract.BufferPinned)]
    [TestCase(RegionContract.BufferRevocable)]
    public void Pinned_EachAllocationFailing_UnpinsOnce(RegionContract contract)
    {
        using var rig = new RdmaRig(isTranslated: true);
        using BufferHandle handle = rig.Moving(out MovingBuffer exporter);
        Errno errno = Errno.ENOMEM;
        int refusals = 0;
        for (ulong nth = 1; !errno.IsOk; nth++)
        {
            rig.Machine.Faults.FailNth(FaultPoint.Slab, nth);
            errno = rig.Across.Domain.TryRegisterBuffer(
                handle, default, new ByteCount(4096), default, RdmaEnd.All, contract, out MemoryRegion? region);
            rig.Machine.Faults.Clear();
            region?.Dispose();
            refusals += errno.IsOk ? 0 : 1;
            Assert.That((exporter.PinCount, handle.Buffer.AttachmentCount, rig.Across.Nic.View.LiveMappings), Is.EqualTo((0, 0, 0)), $"{nth}");
        }

        Assert.That(refusals, Is.GreaterThanOrEqualTo(3));
    }

    // Museum 18: the failing path unpins, and the release does again. A pin that is a lease swallows the second; without that it shows.
    [Test]
    public void Pinned_FailingPathThatUnpinsToo_IsSwallowedByALease()
    {
        using var rig = new RdmaRig();
        using BufferHandle handle = rig.Moving(out MovingBuffer exporter);
        Assert.That(FailAfterThePin(rig, handle), Is.EqualTo(Errno.ENOMEM));
        Assert.That((exporter.PinCount, handle.Buffer.AttachmentCount), Is.EqualTo((0, 0)));
    }

    [Test]
    public void Pinned_FailingPathThatUnpinsTooWherePinsAreNoLeases_IsCaught()
    {
        var rig = new RdmaRig(); // not disposed: what a broken registration leaves cannot be cleared away
        BufferHandle handle = rig.Moving(out _);
        handle.Buffer.LosesTrackOfPins = true;
        Assert.That(() => FailAfterThePin(rig, handle), Throws.InstanceOf<MmBugException>());
    }

    private static Errno FailAfterThePin(RdmaRig rig, BufferHandle handle)
    {
        rig.Near.Nic.UnpinsTwice = true;
        rig.Machine.Faults.FailNth(FaultPoint.Slab, 3); // the backing, the attachment, then the mapping that follows the pin
        Errno errno = rig.Near.Domain.TryRegisterBuffer(
            handle, default, new ByteCount(4096), default, RdmaEnd.All, RegionContract.BufferPinned, out _);
        rig.Machine.Faults.Clear();
        return errno;
    }

    /// <summary>A fence that signals when it is waited for, after something else.</summary>
    private sealed class WaitedFor(FenceContexts contexts, Action before) : DmaFence(contexts, contexts.Next(), 1)
    {
        protected override bool StartSignaling()
        {
            before();
            return false;
        }
    }

    private static PhysRange[] Locate(BufferHandle handle)
    {
        using ReservationLock held = handle.Buffer.Reservation.Lock();
        handle.Buffer.TryLocate(held, out PhysRangeList? list).ThrowIfError();
        return [.. list!.Ranges];
    }
}
