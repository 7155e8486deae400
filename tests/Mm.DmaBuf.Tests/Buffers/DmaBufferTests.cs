using Mm.Core;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Fences;
using Mm.DmaBuf.Reservations;

namespace Mm.DmaBuf.Tests.Buffers;

[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class DmaBufferTests : IDisposable
{
    private readonly BufferRig rig = new();

    public void Dispose() => rig.Dispose();

    [Test]
    public void Export_OfMovingMemoryWithKeptMappings_IsEinvalAndReleasesNothing()
    {
        var exporter = new FakeExporter(rig.Machine) { Traits = new BufferTraits { Moves = true, KeepsMappings = true } };
        Assert.That(Export(exporter, out BufferHandle? handle), Is.EqualTo(Errno.EINVAL));
        Assert.That((handle, exporter.Releases, rig.System.Buffers.Count), Is.EqualTo(((BufferHandle?)null, 0, 0)));
    }

    [Test]
    public void Export_WithoutMemory_LeavesTheMemoryWithTheExporter([Values(1UL, 2UL)] ulong nth)
    {
        var exporter = new FakeExporter(rig.Machine);
        rig.Machine.Faults.FailNth(FaultPoint.Slab, nth);
        Assert.That(Export(exporter, out _), Is.EqualTo(Errno.ENOMEM));
        Assert.That((exporter.Releases, rig.System.Buffers.Count), Is.EqualTo((0, 0)));
    }

    [Test]
    public void LastHandle_Gone_ReleasesOnce()
    {
        var exporter = new FakeExporter(rig.Machine);
        Export(exporter, out BufferHandle? first).ThrowIfError();
        BufferHandle second = first!.Duplicate();
        Assert.That((first.Buffer.HandleCount, rig.System.Buffers.Count), Is.EqualTo((2, 1)));
        first.Dispose();
        first.Dispose();
        Assert.That((exporter.Releases, second.Buffer.HandleCount), Is.EqualTo((0, 1)));
        second.Dispose();
        Assert.That((exporter.Releases, rig.System.Buffers.Count), Is.EqualTo((1, 0)));
        Assert.That(() => second.Buffer, Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(second.Duplicate, Throws.InstanceOf<ObjectDisposedException>());
    }

    [TestCase(0, SeekOrigin.Begin, 0)]
    [TestCase(0, SeekOrigin.End, 8192)]
    public void Seek_OfNothing_TellsTheSize(int distance, SeekOrigin origin, int expected)
    {
        using BufferHandle handle = rig.Heap(2 * BufferRig.Page);
        Assert.That(handle.Buffer.TrySeek(distance, origin, out ByteCount at), Is.EqualTo(Errno.Ok));
        Assert.That(at, Is.EqualTo(new ByteCount((ulong)expected)));
    }

    [TestCase(0, SeekOrigin.Current)]
    [TestCase(1, SeekOrigin.Begin)]
    [TestCase(-1, SeekOrigin.End)]
    [TestCase(0, (SeekOrigin)7)]
    public void Seek_OfAnythingElse_IsEinval(int distance, SeekOrigin origin)
    {
        using BufferHandle handle = rig.Heap();
        Assert.That(handle.Buffer.TrySeek(distance, origin, out ByteCount at), Is.EqualTo(Errno.EINVAL));
        Assert.That(at, Is.EqualTo(ByteCount.Zero));
    }

    [Test]
    public void Name_UpTo31Characters_IsTaken()
    {
        using BufferHandle handle = rig.Heap();
        DmaBuffer buffer = handle.Buffer;
        Assert.That(buffer.TrySetName(new string('n', DmaBuffer.MaxNameLength)), Is.EqualTo(Errno.Ok));
        Assert.That(buffer.TrySetName(new string('n', DmaBuffer.MaxNameLength + 1)), Is.EqualTo(Errno.EINVAL));
        Assert.That(buffer.Name, Has.Length.EqualTo(31));
        Assert.That(buffer.ToString(), Does.StartWith($"buffer {buffer.Number} of system, 4 KiB \"nnn"));
    }

    [TestCase(CpuAccessFlags.None)]
    [TestCase(CpuAccessFlags.End)]
    [TestCase((CpuAccessFlags)8)]
    [TestCase(CpuAccessFlags.Read | (CpuAccessFlags)16)]
    public void Sync_WithoutAccessOrWithUnknownFlags_IsEinval(CpuAccessFlags flags)
    {
        using BufferHandle handle = rig.Heap();
        Assert.That(handle.Buffer.TrySync(flags, timeoutNs: 0), Is.EqualTo(Errno.EINVAL));
    }

    [Test]
    public void Sync_Beginning_WaitsForWhatItsAccessWaitsFor()
    {
        using BufferHandle handle = rig.Heap();
        DmaBuffer buffer = handle.Buffer;
        DmaFence read = rig.Fence();
        BufferRig.Add(buffer, read, FenceUsage.Read);
        Assert.That(buffer.TrySync(CpuAccessFlags.Read, timeoutNs: 0), Is.EqualTo(Errno.Ok), "a reader does not wait for readers");
        Assert.That(buffer.TrySync(CpuAccessFlags.Write, timeoutNs: 0), Is.EqualTo(Errno.ETIME));
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.That(buffer.TrySync(CpuAccessFlags.Write, timeoutNs: 9, cancelled.Token), Is.EqualTo(Errno.EINTR));
        Assert.That(buffer.TrySync(CpuAccessFlags.Write | CpuAccessFlags.End, timeoutNs: 0), Is.EqualTo(Errno.Ok), "an end does not wait");
        read.Signal().ThrowIfError();
        Assert.That(buffer.TrySync(CpuAccessFlags.Write, timeoutNs: 0), Is.EqualTo(Errno.Ok));
    }

    [Test]
    public void MapPages_OverflowAndSize_AreTold()
    {
        using BufferHandle handle = rig.Heap(3 * BufferRig.Page);
        DmaBuffer buffer = handle.Buffer;
        Assert.That(buffer.TryMapPages(new PageCount(1), new PageCount(2), out BufferCpuMap? map), Is.EqualTo(Errno.Ok));
        map!.Dispose();
        Assert.That(buffer.TryMapPages(new PageCount(1), new PageCount(3), out map), Is.EqualTo(Errno.EINVAL));
        Assert.That(buffer.TryMapPages(new PageCount(ulong.MaxValue), PageCount.One, out map), Is.EqualTo(Errno.EOVERFLOW));
        Assert.That((map, buffer.HandleCount), Is.EqualTo(((BufferCpuMap?)null, 1)));
    }

    [Test]
    public void MapAndView_WhereTheExporterHasNone_AreEinval()
    {
        Export(new FakeExporter(rig.Machine) { Traits = new BufferTraits() }, out BufferHandle? handle).ThrowIfError();
        using (handle)
        {
            Assert.That(handle!.Buffer.TryMapPages(PageCount.Zero, PageCount.One, out _), Is.EqualTo(Errno.EINVAL));
            using ReservationLock held = handle.Buffer.Reservation.Lock();
            Assert.That(handle.Buffer.TryView(held, out _), Is.EqualTo(Errno.EINVAL));
            Assert.That(handle.Buffer.TryGetFrames(held, PageCount.Zero, [default]), Is.EqualTo(Errno.EINVAL));
        }
    }

    [Test]
    public void GetFrames_OutsideOrOfNoWholeFrame_IsEfault()
    {
        Export(new FakeExporter(rig.Machine) { Start = new PhysAddr(0x100800) }, out BufferHandle? odd).ThrowIfError();
        using (odd)
        using (BufferHandle handle = rig.Heap(2 * BufferRig.Page))
        {
            Pfn[] frames = new Pfn[2];
            using (ReservationLock held = handle.Buffer.Reservation.Lock())
            {
                Assert.That(handle.Buffer.TryGetFrames(held, PageCount.Zero, frames), Is.EqualTo(Errno.Ok));
                Assert.That(handle.Buffer.TryGetFrames(held, PageCount.One, frames), Is.EqualTo(Errno.EFAULT));
                Assert.That(handle.Buffer.TryGetFrames(held, new PageCount(3), []), Is.EqualTo(Errno.EFAULT));
            }

            using ReservationLock other = odd!.Buffer.Reservation.Lock();
            Assert.That(odd.Buffer.TryGetFrames(other, PageCount.Zero, frames), Is.EqualTo(Errno.EFAULT));
        }
    }

    [Test]
    public void Token_OfAnotherBuffer_IsTheCallersMistake()
    {
        using BufferHandle one = rig.Heap();
        using BufferHandle other = rig.Heap();
        using ReservationLock held = other.Buffer.Reservation.Lock();
        string? message = null;
        try
        {
            _ = one.Buffer.TryView(held, out _);
        }
        catch (InvalidOperationException mistake)
        {
            message = mistake.Message;
        }

        Assert.That(message, Does.Contain("another buffer's reservation"));
    }

    [Test]
    public void Poll_WithoutFences_IsReadyAndArmsNothing()
    {
        using BufferHandle handle = rig.Heap();
        int calls = 0;
        Assert.That(handle.Buffer.Poll(SyncAccess.Read | SyncAccess.Write, () => calls++), Is.EqualTo(SyncAccess.Read | SyncAccess.Write));
        Assert.That((handle.Buffer.HandleCount, calls), Is.EqualTo((1, 0)));
        Assert.That(() => handle.Buffer.Poll((SyncAccess)4), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void Poll_ForWriting_FollowsOneFenceAfterAnother()
    {
        using BufferHandle handle = rig.Heap();
        DmaBuffer buffer = handle.Buffer;
        DmaFence first = rig.Fence();
        DmaFence second = rig.Fence();
        BufferRig.Add(buffer, first, FenceUsage.Read);
        BufferRig.Add(buffer, second, FenceUsage.Read);
        int calls = 0;
        Assert.That(buffer.Poll(SyncAccess.Write, () => calls++), Is.EqualTo(SyncAccess.None));
        Assert.That(buffer.HandleCount, Is.EqualTo(2), "the armed callback holds the buffer");
        Assert.That(buffer.Poll(SyncAccess.Read | SyncAccess.Write), Is.EqualTo(SyncAccess.Read), "busy is not ready");
        first.Signal().ThrowIfError();
        Assert.That((calls, buffer.HandleCount), Is.EqualTo((1, 1)));
        Assert.That(buffer.Poll(SyncAccess.Write, () => calls++), Is.EqualTo(SyncAccess.None));
        second.Signal().ThrowIfError();
        Assert.That((calls, buffer.Poll(SyncAccess.Write)), Is.EqualTo((2, SyncAccess.Write)));
    }

    [Test]
    public void Poll_ThatFindsNothingPending_WakesTheOthers()
    {
        using BufferHandle handle = rig.Heap();
        DmaFence read = rig.Fence();
        BufferRig.Add(handle.Buffer, read, FenceUsage.Read);
        int others = 0;
        Assert.That(handle.Buffer.Poll(SyncAccess.Write, () => others++), Is.EqualTo(SyncAccess.None));
        Assert.That(handle.Buffer.Poll(SyncAccess.Read, () => Assert.Fail("its answer was a result")), Is.EqualTo(SyncAccess.Read));
        Assert.That(others, Is.EqualTo(1));
        read.Signal().ThrowIfError();
    }

    [Test]
    public void Close_WithAPollArmed_ReleasesWhenTheFenceSignals()
    {
        var exporter = new FakeExporter(rig.Machine);
        Export(exporter, out BufferHandle? handle).ThrowIfError();
        DmaFence fence = rig.Fence();
        BufferRig.Add(handle!.Buffer, fence, FenceUsage.Write);
        Assert.That(handle.Buffer.Poll(SyncAccess.Read), Is.EqualTo(SyncAccess.None));
        handle.Dispose();
        Assert.That(exporter.Releases, Is.Zero, "museum 19");
        fence.Signal().ThrowIfError();
        Assert.That(exporter.Releases, Is.EqualTo(1));
    }

    [Test]
    public void Export_ByABrokenExporter_IsItsAuthorsMistake()
    {
        Assert.That(() => Export(new FakeExporter(rig.Machine) { Name = "" }, out _), Throws.ArgumentException);
        Assert.That(() => Export(new FakeExporter(rig.Machine) { Size = ByteCount.Zero }, out _), Throws.ArgumentException);
    }

    private Errno Export(FakeExporter exporter, out BufferHandle? handle) =>
        DmaBuffer.TryExport(rig.System.Buffers, exporter, reservation: null, out handle);
}
