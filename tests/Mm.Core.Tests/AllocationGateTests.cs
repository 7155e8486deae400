using Mm.Core.Dma;
using Mm.Core.Frames;
using Mm.Core.Native;
using Mm.Core.PhysRanges;
using Mm.Core.Spaces;
using Mm.Core.Tests.Dma;
using Mm.Core.Tests.Spaces;

namespace Mm.Core.Tests;

/// <summary>Hot paths give the garbage collector nothing to do: exactly 0 bytes after warm-up, counted by the runtime.</summary>
public sealed class AllocationGateTests
{
    private const int WarmUps = 64;
    private const int Repetitions = 256;

    [TestCase(0)]
    [TestCase(9)]
    public void TryAllocateAndDispose_OfAnOrder_AllocateNothing(int order)
    {
        using var rig = new DmaRig();
        AllocationRequest request = AllocationRequest.User with { Order = order };
        Assert.That(
            BytesOf(() =>
            {
                rig.Machine.Allocator.TryAllocate(request, out PageRef page).ThrowIfError();
                page.Dispose();
            }),
            Is.Zero);
    }

    [Test]
    public void TryAllocateManyAndRelease_ThroughTheZone_AllocateNothing()
    {
        using var rig = new DmaRig();
        var pages = new PageRef[1024]; // more than stacks hold: refills and returns are in it
        Assert.That(
            BytesOf(() =>
            {
                rig.Machine.Allocator.TryAllocateMany(AllocationRequest.User, pages).ThrowIfError();
                rig.Machine.Allocator.Release(pages);
            }),
            Is.Zero);
    }

    [Test]
    public void TryAllocateBlockAndSplit_OfSixteenPages_AllocateNothing()
    {
        using var rig = new DmaRig();
        AllocationRequest request = AllocationRequest.Kernel with { Order = 4 };
        var pages = new PageRef[16];
        Assert.That(
            BytesOf(() =>
            {
                rig.Machine.Allocator.TryAllocateBlock(request, out PageBlock block).ThrowIfError();
                block.Split(pages);
                rig.Machine.Allocator.Release(pages);
            }),
            Is.Zero);
    }

    [Test]
    public void TryGetAndTryPin_OfAPage_AllocateNothing()
    {
        using var rig = new DmaRig();
        FrameTable frames = rig.Machine.Frames;
        rig.Machine.Allocator.TryAllocate(AllocationRequest.User, out PageRef page).ThrowIfError();
        Pfn frame = page.Page;
        Assert.That(
            BytesOf(() =>
            {
                frames.TryGet(frame, out PageRef reference).ThrowIfError();
                frames.TryPin(frame, out PagePin pin).ThrowIfError();
                pin.Dispose();
                reference.Dispose();
            }),
            Is.Zero);
        page.Dispose();
    }

    [TestCase(0)]
    [TestCase(50)]
    [TestCase(100)]
    public void AppendAndBuild_OfAListLikeTheLast_AllocateNothing(int percent)
    {
        using var rig = new DmaRig();
        Pfn[] frames = Frames(percent);
        var builder = new PhysRangeListBuilder(rig.Machine.RangeOwners);
        Assert.That(
            BytesOf(() =>
            {
                builder.TryAppendFrames(frames).ThrowIfError();
                builder.Build().Dispose();
            }),
            Is.Zero);
    }

    [Test]
    public void IterationCursorAndMeasure_OfAList_AllocateNothing()
    {
        using var rig = new DmaRig();
        using PhysRangeList list = MakeList(rig);
        ulong sum = 0;
        Assert.That(
            BytesOf(() =>
            {
                foreach (PhysRange range in list)
                {
                    sum += range.Length.Value;
                }

                var cursor = new PhysRangeCursor(list, new SegmentLimits(ByteCount.FromKiB(64)));
                while (cursor.TryNext(out PhysRange piece))
                {
                    sum += piece.Length.Value;
                }

                sum += list.Measure().LongestRange.Value;
            }),
            Is.Zero);
        Assert.That(sum, Is.GreaterThan(list.Length.Value));
    }

    [Test]
    public void FindAndFindOwner_OfAProvider_AllocateNothing()
    {
        using var rig = new DmaRig();
        ProviderMap map = rig.Machine.Providers;
        map.TryRegister([rig.Near, rig.Far], out ProviderRegistration? registration).ThrowIfError();
        PhysAddr inside = DmaRig.FarWindow.Start.AddChecked(new ByteCount(0x1234));
        int found = 0;
        Assert.That(
            BytesOf(() =>
            {
                found += map.Find(inside) is not null ? 1 : 0;
                found += rig.Machine.RangeOwners.FindOwner(inside, out _) is not null ? 1 : 0;
                found += map.Find(PhysAddr.Zero) is not null ? 1 : 0;
            }),
            Is.Zero);
        Assert.That(found, Is.EqualTo(2 * (WarmUps + Repetitions)));
        registration!.Dispose();
    }

    [Test]
    public void Lease_OfRamAndOfARegion_AllocatesNothing()
    {
        using var rig = new DmaRig();
        using NativeRegion region = rig.Machine.CreateDeviceMemory(ByteCount.FromKiB(64));
        Assert.That(
            BytesOf(() =>
            {
                using SpanLease ram = rig.Machine.Lease(DmaRig.Range(DmaRig.LowRam.Start.Value, 0x2000));
                using SpanLease own = region.Lease(default, new ByteCount(0x2000));
                ByteCopy.NonTemporal(ram.Bytes, own.Bytes);
            }),
            Is.Zero);
    }

    [Test]
    public void ReadWriteAndCollectPagemap_OfMappedPages_AllocateNothing()
    {
        using var rig = new SpaceRig();
        rig.Map(0, 4);
        Assert.That(rig.Space.TryPopulateWrite(SpaceRig.At(0), SpaceRig.Pages(4)), Is.EqualTo(Errno.Ok));
        var bytes = new byte[6000];
        var views = new PageView[4];
        Assert.That(
            BytesOf(() =>
            {
                _ = rig.Space.Write(SpaceRig.At(0, 100), bytes);
                _ = rig.Space.Read(SpaceRig.At(1, 100), bytes);
                rig.Space.CollectPagemap(SpaceRig.At(0), views);
            }),
            Is.Zero);
    }

    [TestCase(PinFlags.Write)]
    [TestCase(PinFlags.Write | PinFlags.Fast)]
    [TestCase(PinFlags.LongTerm)]
    public void TryPin_OfMappedPages_AllocatesNothing(PinFlags flags)
    {
        using var rig = new SpaceRig();
        rig.Map(0, 4);
        Assert.That(rig.Space.TryPopulateWrite(SpaceRig.At(0), SpaceRig.Pages(4)), Is.EqualTo(Errno.Ok));
        var pins = new PagePin[4];
        Assert.That(
            BytesOf(() =>
            {
                rig.Space.TryPin(SpaceRig.At(0), flags, pins, out _).ThrowIfError();
                foreach (PagePin pin in pins)
                {
                    pin.Dispose();
                }
            }),
            Is.Zero);
    }

    [Test]
    public void Write_ThatBringsAPage_AllocatesNothing()
    {
        // A page of its own for each run; the tables that they lie in are there before.
        using var rig = new SpaceRig();
        const ulong Count = WarmUps + Repetitions;
        rig.Map(0, Count + 1);
        rig.Write(Count, 1);
        ulong page = 0;
        Assert.That(BytesOf(() => _ = rig.Space.Write(SpaceRig.At(page++), [1])), Is.Zero);
        Assert.That(rig.Resident(), Is.EqualTo(Count + 1));
    }

    [Test]
    public void TryMapAndUnmap_OfAReusedList_AllocateTheSameEachTime()
    {
        // The lease of a mapping is an object with its segments: what is asked is that nothing grows from map to map.
        using var rig = new DmaRig();
        using PhysRangeList list = MakeList(rig);
        DmaDevice device = rig.Direct();
        Action map = () =>
        {
            device.TryMap(list, DmaDirection.ToDevice, out DmaMapping? mapping).ThrowIfError();
            mapping!.Dispose();
        };
        long first = BytesOf(map);
        Assert.That((BytesOf(map), first % Repetitions), Is.EqualTo((first, 0L)));
    }

    [Test]
    public void BytesOf_AnArray_CountsIt()
    {
        object? kept = null;
        Assert.That(BytesOf(() => kept = new byte[100]), Is.EqualTo(Repetitions * 128L));
        Assert.That(kept, Is.Not.Null);
    }

    private static PhysRangeList MakeList(DmaRig rig)
    {
        var builder = new PhysRangeListBuilder(rig.Machine.RangeOwners);
        builder.TryAppendFrames(Frames(50)).ThrowIfError();
        return builder.Build();
    }

    // A thousand frames of the rig's lower RAM, of which a share does not follow its predecessor.
    private static Pfn[] Frames(int percent)
    {
        ulong frame = DmaRig.LowRam.Start.Value >> 12;
        var frames = new Pfn[1000];
        for (int index = 0; index < frames.Length; index++)
        {
            frame += index % 100 < percent ? 2UL : 1UL;
            frames[index] = new Pfn(frame);
        }

        return frames;
    }

    private static long BytesOf(Action operation)
    {
        for (int i = 0; i < WarmUps; i++)
        {
            operation();
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < Repetitions; i++)
        {
            operation();
        }

        return GC.GetAllocatedBytesForCurrentThread() - before;
    }
}
