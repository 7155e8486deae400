using Mm.Core;
using Mm.Core.Frames;
using Mm.Core.Native;
using Mm.Core.Spaces;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Exporters;

namespace Mm.DmaBuf.Tests.Buffers;

/// <summary>Buffers in address spaces.</summary>
internal sealed class BufferAreaTests
{
    private const int Page = BufferRig.Page;

    [Test]
    public void Map_OfEachExporter_ReadsAndWritesTheBuffersBytes()
    {
        using var rig = new PeerRig();
        using MemoryFile file = rig.Ram.SealedFile(4);
        using AddressSpace space = Space(rig.Machine);
        BufferHandle[] buffers = [rig.Ram.Heap(2 * Page), rig.Ram.Udmabuf(file, 1, 2), rig.Moving(out _, 2), Bar(rig, out _)];
        foreach (BufferHandle handle in buffers)
        {
            DmaBuffer buffer = handle.Buffer;
            VirtRange range = Map(space, buffer, 2);
            byte[] bytes = BufferRig.Bytes(2 * Page, seed: 3);
            Assert.That(space.Write(range.Start, bytes), Is.EqualTo(FaultResult.Done));
            byte[] seen = new byte[2 * Page];
            buffer.TryMapPages(PageCount.Zero, new PageCount(2), out BufferCpuMap? map).ThrowIfError();
            using (map)
            {
                map!.TryRead(ByteCount.Zero, seen).ThrowIfError();
                Assert.That(seen, Is.EqualTo(bytes), buffer.ExporterName);
                map.TryWrite(new ByteCount(5), [99]).ThrowIfError();
            }

            Assert.That(space.Read(range.Start, seen), Is.EqualTo(FaultResult.Done));
            Assert.That(seen[5], Is.EqualTo(99));
            handle.Dispose();
            Assert.That(buffer.HandleCount, Is.EqualTo(1), "the space holds it");
            space.TryUnmap(range.Start, range.Length).ThrowIfError();
            Assert.That(buffer.HandleCount, Is.Zero);
        }
    }

    [Test]
    public void Map_WhatCannotBe_SaysWhy()
    {
        using var rig = new PeerRig();
        using AddressSpace space = Space(rig.Machine);
        using BufferHandle heap = rig.Ram.Heap(2 * Page);
        using BufferHandle moving = rig.Moving(out _, 2);
        using BufferHandle bar = rig.Bar(out _, PeerRig.Piece(0, Page));
        Assert.That(TryMap(space, heap.Buffer, first: 1, count: 2), Is.EqualTo(Errno.EINVAL), "beyond the end");
        Assert.That(TryMap(space, heap.Buffer, first: 2, count: 1), Is.EqualTo(Errno.EINVAL), "behind the end");
        Assert.That(TryMap(space, heap.Buffer, first: ulong.MaxValue, count: 2), Is.EqualTo(Errno.EOVERFLOW));
        Assert.That(TryMap(space, heap.Buffer, first: 0, count: 0), Is.EqualTo(Errno.EINVAL));
        Assert.That(TryMap(space, bar.Buffer, first: 0, count: 1), Is.EqualTo(Errno.EINVAL), "not mapped by processes");
        Assert.That(TryMapPrivately(space, moving.Buffer, 1), Is.EqualTo(Errno.EINVAL));
        Assert.That(TryMapPrivately(space, heap.Buffer, 2), Is.EqualTo(Errno.EINVAL), "as page by page only whole areas are");
        Assert.That(TryMapPrivately(space, heap.Buffer, 1), Is.EqualTo(Errno.Ok));
        Assert.That(space.Areas, Has.Count.EqualTo(1));
    }

    [Test]
    public void Pin_OfABuffersPages_IsEFAULT()
    {
        using var rig = new PeerRig();
        using AddressSpace space = Space(rig.Machine);
        using BufferHandle moving = rig.Moving(out _, 1);
        using BufferHandle heap = rig.Ram.Heap();
        var pins = new PagePin[1];
        foreach (DmaBuffer buffer in new[] { moving.Buffer, heap.Buffer })
        {
            VirtRange range = Map(space, buffer, 1);
            Assert.That(space.Write(range.Start, [1]), Is.EqualTo(FaultResult.Done));
            Assert.That(space.TryPin(range.Start, PinFlags.Fast | PinFlags.Write, pins, out _), Is.EqualTo(Errno.EFAULT));
        }
    }

    [Test]
    public void Move_UnderAProcess_KeepsBytesAndFaultsAgain()
    {
        using var rig = new PeerRig();
        using AddressSpace space = Space(rig.Machine);
        using BufferHandle handle = rig.Moving(out MovingBuffer exporter, 2);
        VirtRange range = Map(space, handle.Buffer, 2);
        Assert.That(space.Write(range.Start, [1, 2, 3]), Is.EqualTo(FaultResult.Done));
        rig.Fill(rig.Vram(0, 1), [7]);
        Assert.That(Read(space, range.Start), Is.EqualTo(7), "it lies in the device");
        exporter.TryMoveToRam().ThrowIfError();
        rig.Fill(rig.Vram(0, 1), [8]);
        Assert.That(Read(space, range.Start), Is.EqualTo(7), "it lies there no more");
        Assert.That(space.Write(range.Start, [9]), Is.EqualTo(FaultResult.Done));
        exporter.TryMoveToDevice([rig.Vram(4, 2)]).ThrowIfError();
        using (SpanLease lease = rig.Machine.Lease(rig.Vram(4, 1)))
        {
            Assert.That(lease.Bytes[..3].ToArray(), Is.EqualTo(new byte[] { 9, 2, 3 }));
        }

        Assert.That(Read(space, range.Start), Is.EqualTo(9));
    }

    [Test]
    public void Revoke_UnderAProcess_IsABusErrorUntilItComesBack([Values] bool isForGood)
    {
        using var rig = new PeerRig();
        using AddressSpace space = Space(rig.Machine);
        using BufferHandle handle = Bar(rig, out BarBuffer exporter);
        VirtRange range = Map(space, handle.Buffer, 2);
        Assert.That(space.Write(range.Start, [5]), Is.EqualTo(FaultResult.Done));
        exporter.TryRevoke(isForGood).ThrowIfError();
        Assert.That(space.Read(range.Start, new byte[1]), Is.EqualTo(FaultResult.BusError));
        Assert.That(space.Write(range.Start, [6]), Is.EqualTo(FaultResult.BusError));
        Assert.That(TryMap(space, handle.Buffer, 0, 1), Is.EqualTo(Errno.Ok), "a map of what is taken away is made, and faults later");
        Assert.That(exporter.TryRestore(), Is.EqualTo(isForGood ? Errno.ENODEV : Errno.Ok));
        Assert.That(space.Read(range.Start, new byte[1]), Is.EqualTo(isForGood ? FaultResult.BusError : FaultResult.Done));
    }

    [Test]
    public void Unbind_OfTheDevice_IsABusErrorOnceItsDriverHasRevoked()
    {
        using var rig = new PeerRig();
        using AddressSpace space = Space(rig.Machine);
        using BufferHandle handle = Bar(rig, out BarBuffer exporter);
        VirtRange range = Map(space, handle.Buffer, 1);
        Assert.That(space.Write(range.Start, [5]), Is.EqualTo(FaultResult.Done));
        exporter.TryRevoke(isForGood: true).ThrowIfError();
        rig.Pci.TryUnbind(PeerRig.Gpu).ThrowIfError();
        Assert.That(space.Read(range.Start, new byte[1]), Is.EqualTo(FaultResult.BusError));
    }

    [Test]
    public void Fork_AndExit_HoldTheBufferOnceForEachSpace()
    {
        using var rig = new BufferRig();
        AddressSpace parent = Space(rig.Machine);
        BufferHandle handle = rig.Heap(2 * Page);
        DmaBuffer buffer = handle.Buffer;
        VirtRange range = Map(parent, buffer, 2);
        _ = Map(parent, buffer, 1);
        Assert.That(parent.Write(range.Start, [4]), Is.EqualTo(FaultResult.Done));
        parent.TryFork(out AddressSpace? child).ThrowIfError();
        Assert.That((buffer.HandleCount, Read(child!, range.Start)), Is.EqualTo((3, (byte)4)));
        parent.Dispose();
        handle.Dispose();
        Assert.That((buffer.HandleCount, Read(child!, range.Start)), Is.EqualTo((1, (byte)4)));
        child!.Dispose();
        Assert.That((buffer.HandleCount, rig.System.Buffers.Count), Is.EqualTo((0, 0)));
    }

    [Test]
    public void Map_EachEntryFails_LeavesNoHoldAndNoArea([Range(1, 3)] int nth)
    {
        using var rig = new PeerRig();
        using AddressSpace space = Space(rig.Machine);
        using BufferHandle heap = rig.Ram.Heap(3 * Page);
        rig.Machine.Faults.FailNth(AreaBacking.InsertFault, (ulong)nth);
        Assert.That(TryMap(space, heap.Buffer, 0, 3), Is.EqualTo(Errno.ENOMEM));
        rig.Machine.Faults.Clear();
        Assert.That((space.Areas.Count, heap.Buffer.HandleCount), Is.EqualTo((0, 1)));
        using BufferHandle moving = rig.Moving(out _, 3);
        VirtRange range = Map(space, moving.Buffer, 3);
        rig.Machine.Faults.FailNth(AreaBacking.InsertFault, (ulong)nth);
        FaultResult[] seen = [.. Enumerable.Range(0, 3).Select(page => Touch(space, range, (ulong)page))];
        Assert.That(seen[nth - 1], Is.EqualTo(FaultResult.OutOfMemory));
        Assert.That(Touch(space, range, (ulong)nth - 1), Is.EqualTo(FaultResult.Done), "touched again, it is there");
    }

    [Test] // museum 23
    public void Fault_AtTheSize_IsABusErrorOfEveryHandler()
    {
        using var rig = new PeerRig();
        using MemoryFile file = rig.Ram.SealedFile(2);
        using AddressSpace space = Space(rig.Machine);
        BufferHandle[] buffers = [rig.Ram.Heap(2 * Page), rig.Ram.Udmabuf(file, 0, 2), rig.Moving(out _, 2), Bar(rig, out _)];
        foreach (BufferHandle handle in buffers)
        {
            using (handle)
            {
                VirtRange range = MapUnchecked(space, handle.Buffer, 4);
                FaultResult last = handle.Buffer.Traits.MapsAtOnce ? FaultResult.BusError : FaultResult.Done;
                Assert.That(Touch(space, range, 1), Is.EqualTo(last), $"{handle.Buffer}: the last page");
                Assert.That(Touch(space, range, 2), Is.EqualTo(FaultResult.BusError), $"{handle.Buffer}: an offset equal to the size");
                Assert.That(Touch(space, range, 3), Is.EqualTo(FaultResult.BusError), $"{handle.Buffer}: beyond");
                space.TryUnmap(range.Start, range.Length).ThrowIfError();
            }
        }
    }

    [Test]
    public void Contract_OfEachExporter_Holds()
    {
        using var rig = new PeerRig();
        using MemoryFile file = rig.Ram.SealedFile(2);
        using AddressSpace space = Space(rig.Machine);
        BufferHandle[] buffers = [rig.Ram.Heap(2 * Page), rig.Ram.Udmabuf(file, 0, 2), rig.Moving(out _, 2), Bar(rig, out _)];
        foreach (BufferHandle handle in buffers)
        {
            using (handle)
            {
                AreaOperationsContract.Require(space, handle.Buffer.Backing, new PageCount(2));
            }
        }
    }

    [Test]
    public void Fault_AtTheSize_WithTheFaultPutBackIn_ShowsAnothersPage()
    {
        using var rig = new PeerRig();
        using AddressSpace space = Space(rig.Machine);
        using BufferHandle handle = rig.Moving(out _, 2);
        handle.Buffer.Areas.FaultsReachBehindEnd = true;
        rig.Fill(rig.Vram(2, 1), [66]);
        VirtRange range = MapUnchecked(space, handle.Buffer, 4);
        Assert.That(Touch(space, range, 2), Is.EqualTo(FaultResult.Done), "museum 23");
        Assert.That(Read(space, range.Start.AddChecked(new ByteCount(2 * Page))), Is.EqualTo(66), "what is not the buffer's");
        Assert.That(
            () => AreaOperationsContract.Require(space, handle.Buffer.Backing, new PageCount(2)),
            Throws.ArgumentException.With.Message.Contains("behind the end"));
    }

    internal static AddressSpace Space(Machine machine)
    {
        machine.Spaces.TryCreate(out AddressSpace? space).ThrowIfError();
        return space!;
    }

    internal static VirtRange Map(AddressSpace space, DmaBuffer buffer, ulong pages)
    {
        buffer.TryMap(space, PageCount.Zero, new PageCount(pages), AreaAccess.ReadWrite, out VirtRange range).ThrowIfError();
        return range;
    }

    /// <summary>Two pages of a BAR that processes may map.</summary>
    internal static BufferHandle Bar(PeerRig rig, out BarBuffer exporter)
    {
        new BarExporter(rig.System.Buffers, rig.Pci) { AllowsCpuMap = true }
            .TryExport(PeerRig.Gpu, 1, [PeerRig.Piece(16 * Page, 2 * Page)], out BarBuffer? made, out BufferHandle? handle).ThrowIfError();
        exporter = made!;
        return handle!;
    }

    private static Errno TryMap(AddressSpace space, DmaBuffer buffer, ulong first, ulong count) =>
        buffer.TryMap(space, new PageCount(first), new PageCount(count), AreaAccess.ReadWrite, out _);

    private static Errno TryMapPrivately(AddressSpace space, DmaBuffer buffer, ulong pages) =>
        space.TryMap(new AreaRequest(new PageCount(pages).ToBytes(), buffer.Backing.Describe(AreaAccess.ReadWrite, isPrivate: true)), out _);

    // A map that nobody has checked against the size, as one that had grown would be.
    private static VirtRange MapUnchecked(AddressSpace space, DmaBuffer buffer, ulong pages)
    {
        var backing = new AreaBacking(buffer.Backing.Kind, new Unchecked(buffer.Backing.Operations));
        space.TryMap(new AreaRequest(new PageCount(pages).ToBytes(), backing.Describe(AreaAccess.ReadWrite)), out VirtRange range).ThrowIfError();
        return range;
    }

    private static FaultResult Touch(AddressSpace space, VirtRange range, ulong page) =>
        space.Read(range.Start.AddChecked(new PageCount(page).ToBytes()), new byte[1]);

    private static byte Read(AddressSpace space, VirtAddr at)
    {
        byte[] one = new byte[1];
        Assert.That(space.Read(at, one), Is.EqualTo(FaultResult.Done));
        return one[0];
    }

    private sealed class Unchecked(IAreaOperations operations) : IAreaOperations
    {
        public FaultResult Fault(AreaFilling filling, AreaFault fault) => operations.Fault(filling, fault);
    }
}
