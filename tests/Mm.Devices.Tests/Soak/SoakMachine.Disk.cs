using Mm.Core;
using Mm.Core.Dma;
using Mm.Core.Frames;
using Mm.Core.Native;
using Mm.Core.PhysRanges;
using Mm.Core.Spaces;
using Mm.Devices.Gpus.Objects;
using Mm.Devices.Iommufd;
using Mm.Devices.Nvme;
using Mm.Devices.Tests.Gpus;
using Mm.Devices.Vfio;
using Mm.DmaBuf.Attachments;
using Mm.DmaBuf.Buffers;
using Mm.P2pDma.Pools;
using Mm.P2pDma.Topologies;

namespace Mm.Devices.Tests.Soak;

/// <content>The drive on a real file, and the function that user space drives.</content>
internal sealed partial class SoakMachine
{
    private const int DiskPages = 64;
    private const int BarPages = 8;
    private static readonly PciPlace DrivePlace = PciAddress.Parse("0000:08:00.0");
    private static readonly PciPlace VfioPlace = PciAddress.Parse("0000:07:00.0");

    private readonly string diskPath = Path.Combine(Path.GetTempPath(), $"mm-soak-{Guid.NewGuid():n}");
    private readonly byte[] disk = new byte[DiskPages * Page];
    private readonly byte[] bar = new byte[BarPages * Page];
    private readonly List<(DmaAddr At, SoakProcess Process, int Page)> ioMaps = [];
    private NvmeController drive = null!;
    private NvmeNamespace blocksOfDisk = null!;
    private NvmeQueuePair queue = null!;
    private VfioPciDevice vfio = null!;
    private IommufdContext io = null!;
    private IoAddressSpace ioSpace = null!;
    private VfioRegionMap barMap = null!;

    private void StartDrive()
    {
        if (!File.Exists(diskPath))
        {
            File.WriteAllBytes(diskPath, disk);
        }

        var options = new NvmeOptions { BufferBar = 4, BufferSize = ByteCount.FromMiB(4) };
        NvmeController.TryCreate(Pci, DrivePlace, options, out NvmeController? made).ThrowIfError();
        drive = made!;
        drive.TryAddNamespace(diskPath, new ByteCount(512), out NvmeNamespace? space).ThrowIfError();
        drive.TryCreateQueuePair(16, out NvmeQueuePair? pair, isInBuffer: random.OneIn(2)).ThrowIfError();
        (blocksOfDisk, queue) = (space!, pair!);
        StartPeer();
    }

    private void StopDrive()
    {
        peer.TakeAway?.Invoke();
        bool isLate = random.OneIn(2); // what is given back after the drive is gone
        if (!isLate)
        {
            peer.Memory.Dispose();
        }

        drive.Remove();
        if (isLate)
        {
            peer.Memory.Dispose();
        }

        Assert.That(queue.TryFlush(blocksOfDisk, out _), Is.EqualTo(Errno.ENODEV), "a queue of a drive that is gone");
        Assert.That(drive.View.LiveMappings, Is.Zero, "a mapping of the drive is left");
        Assert.That(File.ReadAllBytes(diskPath).AsSpan().SequenceEqual(disk), Is.True, "the file");
        if (isEnding)
        {
            File.Delete(diskPath);
        }
    }

    // Random bytes of the target go to a page of the disk, and another page of the disk comes there.
    private void MoveDisk(PhysRangeList list, Action<byte[]> fill, Func<byte[]> read, bool mayFail)
    {
        byte[] bytes = Bytes(Page);
        fill(bytes);
        (int to, int from) = (Below(DiskPages) * Page, Below(DiskPages) * Page);
        Errno errno = queue.TryTransfer(NvmeOpcode.Write, blocksOfDisk, new ByteCount((ulong)to), list);
        Note($"written to disk: {errno}");
        Assert.That(errno.IsOk || mayFail, Is.True, $"{errno}");
        if (errno.IsOk)
        {
            bytes.CopyTo(disk, to);
            queue.TryTransfer(NvmeOpcode.Read, blocksOfDisk, new ByteCount((ulong)from), list).ThrowIfError();
            Assert.That(read().AsSpan().SequenceEqual(disk.AsSpan(from, Page)), Is.True, "what the drive brought");
        }
    }

    private void MoveDisk(PhysRange range)
    {
        PhysRangeListBuilder builder = Pci.CreateListBuilder();
        builder.TryAppend(range).ThrowIfError();
        MoveDisk(builder.Build(), bytes => Fill(range, bytes), () => Read(range), mayFail: false);
    }

    private void MoveDiskAndRam()
    {
        Machine.Allocator.TryAllocateBlock(AllocationRequest.Kernel, out PageBlock block).ThrowIfError();
        using (block)
        {
            MoveDisk(new PhysRange(block.Frames.Start.Address, block.Frames.Count.ToBytes()));
        }
    }

    private void MoveDiskAndBuffer()
    {
        drive.Buffer!.TryAllocate(new ByteCount(Page), out P2pMemory? memory).ThrowIfError();
        using (memory)
        {
            MoveDisk(memory!.Range);
        }
    }

    private void MoveDiskAndGpu()
    {
        if (objects.Count == 0)
        {
            return;
        }

        (GpuObject target, byte[] model) = objects[Below(objects.Count)];
        using BufferHandle handle = GpuRig.Export(target);
        using BufferAttachment attachment = GpuRig.Attach(handle, drive.View, new TellingImporter());
        Errno errno = attachment.TryMap(DmaDirection.Bidirectional, out BufferMapping? mapping);
        Note($"drive maps: {errno}");
        if (!errno.IsOk)
        {
            return;
        }

        using (mapping)
        {
            PhysRange first = default;
            foreach (PhysRange range in mapping!.List)
            {
                first = range;
                break;
            }

            var page = new PhysRange(first.Start, new ByteCount(Page));
            MoveDisk(page);
            Read(page).CopyTo(model, 0);
        }

        Check((target, model));
    }

    private byte[] Read(PhysRange range)
    {
        using SpanLease lease = Machine.Lease(range);
        return lease.Bytes.ToArray();
    }

    private void Fill(PhysRange range, byte[] bytes)
    {
        using SpanLease lease = Machine.Lease(range);
        bytes.CopyTo(lease.Bytes);
    }

    private void StartVfio()
    {
        VfioPciDevice.TryOpen(Pci, VfioPlace, System.Buffers, out VfioPciDevice? opened).ThrowIfError();
        vfio = opened!;
        io = new IommufdContext(Machine);
        io.TryCreateSpace(out IoAddressSpace? space).ThrowIfError();
        ioSpace = space!;
        vfio.TryAttach(ioSpace).ThrowIfError();
        vfio.TryMap(VfioRegion.Bar1, ByteCount.Zero, new PageCount(BarPages).ToBytes(), isShared: true, out VfioRegionMap? map).ThrowIfError();
        barMap = map!;
    }

    private void StopVfio()
    {
        vfio.Remove();
        Assert.That(vfio.TryDmaRead(new DmaAddr(0x1000), new byte[1]), Is.EqualTo(Errno.EFAULT), "DMA of a function that is gone");
        Assert.That(barMap.Read(ByteCount.Zero, new byte[1]), Is.EqualTo(FaultResult.BusError));
        barMap.Dispose();
        io.Dispose();
        ioMaps.Clear();
    }

    private void MapIo()
    {
        if (ioMaps.Count > 4)
        {
            DmaAddr old = ioMaps[0].At;
            ioSpace.TryUnmap(old, new ByteCount(Page), out _).ThrowIfError();
            ioMaps.RemoveAt(0);
            Assert.That(vfio.TryDmaWrite(old, [1]), Is.EqualTo(Errno.EFAULT), "what was unmapped");
        }

        SoakProcess process = AnyProcess();
        int page = Below(ArrayPages);
        ioSpace.TryMap(
            new ProcessPages(process.Space), process.At(page * Page), new ByteCount(Page), IoAccess.ReadWrite, out DmaAddr at).ThrowIfError();
        ioMaps.Add((at, process, page));
    }

    private void MoveByVfio()
    {
        if (ioMaps.Count > 0)
        {
            (DmaAddr at, SoakProcess process, int page) = ioMaps[Below(ioMaps.Count)];
            byte[] seen = new byte[Page];
            vfio.TryDmaRead(at, seen).ThrowIfError();
            Assert.That(seen.AsSpan().SequenceEqual(process.Model.AsSpan(page * Page, Page)), Is.True, "what the function reads by DMA");
            byte[] bytes = Bytes(1 + Below(Page));
            vfio.TryDmaWrite(at, bytes).ThrowIfError();
            bytes.CopyTo(process.Model, page * Page);
            Note("DMA by user space");
        }
    }

    private void MoveBar()
    {
        (int offset, byte[] bytes) = Piece(BarPages);
        FaultResult result = barMap.Write(new ByteCount((ulong)offset), bytes);
        Assert.That(result, Is.EqualTo(vfio.IsDecoding ? FaultResult.Done : FaultResult.BusError));
        if (result == FaultResult.Done)
        {
            bytes.CopyTo(bar, offset);
            byte[] seen = new byte[bar.Length];
            Assert.That(barMap.Read(ByteCount.Zero, seen), Is.EqualTo(FaultResult.Done));
            Assert.That(seen.AsSpan().SequenceEqual(bar), Is.True, "the BAR");
        }
    }

    private void SwitchDecoding() => vfio.TrySetDecoding(!vfio.IsDecoding).ThrowIfError();
}
