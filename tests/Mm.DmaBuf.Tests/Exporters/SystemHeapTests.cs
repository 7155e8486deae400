using Mm.Core;
using Mm.Core.PhysRanges;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Exporters;
using Mm.DmaBuf.Reservations;

namespace Mm.DmaBuf.Tests.Exporters;

[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class SystemHeapTests : IDisposable
{
    private readonly BufferRig rig = new();

    public void Dispose() => rig.Dispose();

    [Test]
    public void Allocate_TakesLargeFoliosFirst()
    {
        RamStore.TryAllocate(rig.Machine, new PageCount(256 + 16 + 16 + 3).ToBytes(), out RamStore? store).ThrowIfError();
        using (store)
        {
            int[] orders = [.. store!.List.Ranges.ToArray().Select(range => (int)range.Length.ToPagesRoundDown().Value)];
            Assert.That(orders.Sum(), Is.EqualTo(291));
            Assert.That(store.List[0].Start.Value % (1 << 20), Is.Zero, "the first folio is of order 8");
        }
    }

    [Test]
    public void Allocate_WithoutLargeFolios_TakesSmallOnes()
    {
        rig.Machine.Faults.FailNth(FaultPoint.PageAlloc, 1, 2);
        RamStore.TryAllocate(rig.Machine, new PageCount(256).ToBytes(), out RamStore? store).ThrowIfError();
        Assert.That(store!.List.Length, Is.EqualTo(ByteCount.FromMiB(1)));
        store.Dispose();
    }

    [Test]
    public void Allocate_FailedAtEachAllocation_LeavesNothing()
    {
        PageCount before = rig.InUse;
        for (ulong nth = 1; nth <= 8; nth++)
        {
            foreach (FaultPoint point in (FaultPoint[])[FaultPoint.Slab, FaultPoint.PageAlloc])
            {
                rig.Machine.Faults.FailNth(point, nth, 100);
                Errno errno = new SystemHeap(rig.System.Buffers).TryAllocate(new PageCount(5).ToBytes(), out BufferHandle? handle);
                rig.Machine.Faults.Clear();
                handle?.Dispose();
                Assert.That(errno.IsOk || errno == Errno.ENOMEM, Is.True, $"{point} {nth}: {errno}");
                Assert.That((rig.InUse, rig.System.Buffers.Count), Is.EqualTo((before, 0)), $"{point} {nth}");
            }
        }
    }

    [Test]
    public void Allocate_MoreThanThereIs_IsEnomemAndGivesAllBack()
    {
        PageCount before = rig.InUse;
        Assert.That(new SystemHeap(rig.System.Buffers).TryAllocate(ByteCount.FromMiB(64), out _), Is.EqualTo(Errno.ENOMEM));
        Assert.That(rig.InUse, Is.EqualTo(before));
    }

    [Test]
    public void Buffer_Stays_AndIsGivenBackAtItsEnd()
    {
        PageCount before = rig.InUse;
        BufferHandle handle = rig.Heap(3 * BufferRig.Page);
        using (ReservationLock held = handle.Buffer.Reservation.Lock())
        {
            handle.Buffer.TryGetList(held, DmaBuffer.Kernel, out PhysRangeList? first).ThrowIfError();
            handle.Buffer.TryGetList(held, DmaBuffer.Kernel, out PhysRangeList? again).ThrowIfError();
            Assert.That(again, Is.SameAs(first));
        }

        Assert.That(rig.InUse.Value, Is.EqualTo(before.Value + 3));
        handle.Dispose();
        Assert.That(rig.InUse, Is.EqualTo(before));
    }
}
