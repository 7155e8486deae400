using Mm.Core;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Reservations;

namespace Mm.DmaBuf.Tests.Buffers;

[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class KernelViewTests : IDisposable
{
    private readonly BufferRig rig = new();

    public void Dispose() => rig.Dispose();

    [Test]
    public void View_AcrossRanges_SeesAllBytes()
    {
        using BufferHandle handle = rig.Udmabuf(rig.SealedFile(4), 0, 4);
        using KernelView view = BufferRig.View(handle.Buffer);
        byte[] written = BufferRig.Bytes(3 * BufferRig.Page, seed: 1);
        Assert.That(view.TryWrite(new ByteCount(77), written), Is.EqualTo(Errno.Ok));
        byte[] read = new byte[written.Length];
        Assert.That(view.TryRead(new ByteCount(77), read), Is.EqualTo(Errno.Ok));
        Assert.That(read, Is.EqualTo(written));
        Assert.That(view.TryRead(new ByteCount(4 * BufferRig.Page), new byte[1]), Is.EqualTo(Errno.EFAULT));
        Assert.That(view.TryWrite(new ByteCount((4 * BufferRig.Page) - 1), new byte[2]), Is.EqualTo(Errno.EFAULT));
    }

    [Test]
    public void View_OfMemoryThatMoves_PinsItUntilTheLastIsGone()
    {
        var exporter = new FakeExporter(rig.Machine) { Traits = new BufferTraits { Moves = true, HasKernelView = true } };
        DmaBuffer.TryExport(rig.System.Buffers, exporter, reservation: null, out BufferHandle? handle).ThrowIfError();
        KernelView first = BufferRig.View(handle!.Buffer);
        KernelView second = BufferRig.View(handle.Buffer);
        handle.Dispose();
        Assert.That((exporter.Pins, exporter.Releases), Is.EqualTo((2, 0)));
        first.Dispose();
        first.Dispose();
        Assert.That((exporter.Pins, exporter.Releases), Is.EqualTo((1, 0)));
        second.Dispose();
        Assert.That((exporter.Pins, exporter.Releases), Is.EqualTo((0, 1)));
        Assert.That(() => second.TryRead(ByteCount.Zero, new byte[1]), Throws.InstanceOf<ObjectDisposedException>());
    }

    [Test]
    public void View_Ends_InsideTheLockToo()
    {
        using BufferHandle handle = rig.Heap();
        using ReservationLock held = handle.Buffer.Reservation.Lock();
        handle.Buffer.TryView(held, out KernelView? view).ThrowIfError();
        view!.Dispose();
        Assert.That(held.TryReserve(1), Is.EqualTo(Errno.Ok), "the lock is still held");
    }

    [Test]
    public void View_Refused_LeavesNoPin()
    {
        var exporter = new FakeExporter(rig.Machine) { Traits = new BufferTraits { Moves = true, HasKernelView = true } };
        DmaBuffer.TryExport(rig.System.Buffers, exporter, reservation: null, out BufferHandle? handle).ThrowIfError();
        using (handle)
        {
            exporter.Refusal = Errno.ENODEV;
            using (ReservationLock held = handle!.Buffer.Reservation.Lock())
            {
                Assert.That(handle.Buffer.TryView(held, out _), Is.EqualTo(Errno.ENODEV));
                rig.Machine.Faults.FailNth(FaultPoint.Slab, 1);
                Assert.That(handle.Buffer.TryView(held, out _), Is.EqualTo(Errno.ENOMEM));
            }

            Assert.That((exporter.Pins, handle.Buffer.HandleCount), Is.EqualTo((0, 1)));
        }
    }
}
