using Mm.Core;
using Mm.Core.Dma;
using Mm.Core.Frames;
using Mm.Core.Pagemaps;
using Mm.Core.Spaces;
using Mm.Devices.Iommufd;
using static Mm.Devices.Tests.Iommufd.IommufdRig;

namespace Mm.Devices.Tests.Iommufd;

/// <summary>A process's memory in I/O address spaces.</summary>
internal sealed class ProcessPagesTests
{
    private IommufdRig rig = null!;
    private AddressSpace process = null!;
    private ProcessPages user = null!;

    [SetUp]
    public void SetUp()
    {
        rig = new IommufdRig(domains: 2);
        rig.Machine.Spaces.TryCreate(out AddressSpace? made).ThrowIfError();
        process = made!;
        user = new ProcessPages(process);
    }

    [TearDown]
    public void TearDown()
    {
        process.Dispose();
        rig.Dispose();
    }

    [Test]
    public void Contract_OfAProcess_Holds()
    {
        VirtRange range = MapMemory(2);
        UserPagesContract.Require(user, range.Start, new VirtAddr(0x1000));
        process.Dispose();
        var pins = new UserPin[1];
        Assert.That(user.TryPin(range.Start, isWritable: false, pins, out _), Is.EqualTo(Errno.EFAULT), "the process has ended");
        Assert.That((user.TryRead(range.Start, new byte[1]), user.TryWrite(range.Start, [1])), Is.EqualTo((Errno.EFAULT, Errno.EFAULT)));
    }

    [Test] // V1
    public void Page_InTwoDomainsAndAnAccess_IsPinnedOnceUntilTheLastOfThem()
    {
        VirtRange range = MapMemory(3);
        DmaAddr at = Map(range);
        Pfn page = FrameOf(at);
        Assert.That(PinsOf(page), Is.EqualTo(1));
        var keeper = new PinKeeper();
        using SpaceAccess access = rig.OpenAccess(keeper);
        access.TryPin(at, new ByteCount(Page), isWrite: true, out AccessPin? pin).ThrowIfError();
        Assert.That(PinsOf(page), Is.EqualTo(1), "once, whoever needs it");
        keeper.Drop(pin!);
        Assert.That(PinsOf(page), Is.EqualTo(1));
        rig.Space.TryUnmap(at, range.Length, out _).ThrowIfError();
        Assert.That(PinsOf(page), Is.Zero);
    }

    [Test]
    public void Bytes_WrittenByEitherSide_AreSeenByTheOther_AcrossAFork()
    {
        VirtRange range = MapMemory(2);
        DmaAddr at = Map(range);
        Assert.That(process.Write(range.Start, [5]), Is.EqualTo(FaultResult.Done));
        byte[] seen = new byte[1];
        rig.Domain.TryRead(at, seen).ThrowIfError();
        Assert.That(seen[0], Is.EqualTo(5));
        process.TryFork(out AddressSpace? child).ThrowIfError();
        using (child)
        {
            Assert.That(process.Write(range.Start, [6]), Is.EqualTo(FaultResult.Done));
            rig.Domain.TryRead(at, seen).ThrowIfError();
            Assert.That(seen[0], Is.EqualTo(6), "the pinned page stays the parent's");
            rig.Domain.TryWrite(at, [7]).ThrowIfError();
            Assert.That((process.Read(range.Start, seen), seen[0]), Is.EqualTo((FaultResult.Done, (byte)7)));
            Assert.That((child!.Read(range.Start, seen), seen[0]), Is.EqualTo((FaultResult.Done, (byte)5)), "the child has a copy from the fork");
        }

        rig.Space.TryUnmap(at, range.Length, out _).ThrowIfError();
    }

    [Test]
    public void Pages_OutliveTheMappingAndTheProcess()
    {
        VirtRange range = MapMemory(1);
        Assert.That(process.Write(range.Start, [9]), Is.EqualTo(FaultResult.Done));
        DmaAddr at = Map(range);
        process.TryUnmap(range.Start, range.Length).ThrowIfError();
        process.Dispose();
        byte[] seen = new byte[1];
        rig.Domain.TryRead(at, seen).ThrowIfError();
        Assert.That(seen[0], Is.EqualTo(9));
        rig.Space.TryUnmap(at, range.Length, out _).ThrowIfError();
    }

    [Test]
    public void Map_OfWhatCannotBePinned_SaysWhyAndKeepsNothing()
    {
        VirtRange memory = MapMemory(2);
        process.TryUnmap(memory.Start.AddChecked(new ByteCount(Page)), new ByteCount(Page)).ThrowIfError();
        Assert.That(TryMap(memory), Is.EqualTo(Errno.EFAULT), "a hole");
        VirtRange readOnly = MapMemory(1, AreaAccess.Read);
        Assert.That(TryMap(readOnly), Is.EqualTo(Errno.EFAULT), "not to be written");
        Assert.That(TryMap(readOnly, IoAccess.Read), Is.EqualTo(Errno.Ok));
        var registers = new AreaBacking(AreaKind.DeviceMemory, new Nothing());
        process.TryMap(new AreaRequest(new ByteCount(Page), registers.Describe(AreaAccess.ReadWrite)), out VirtRange bare).ThrowIfError();
        Assert.That(TryMap(bare), Is.EqualTo(Errno.EFAULT), "frames that nobody counts");
        Assert.That(PinsOf(FrameOfProcess(memory.Start)), Is.Zero);
        rig.Context.Validate();
    }

    [Test]
    public void Map_EachAllocationFails_LeavesNoPin([Range(1, 3)] int nth)
    {
        VirtRange range = MapMemory(4);
        rig.Machine.Faults.FailNth(FaultPoint.PageAlloc, (ulong)nth);
        Assert.That(TryMap(range), Is.EqualTo(Errno.ENOMEM));
        rig.Machine.Faults.Clear();
        for (ulong page = 0; page < 4; page++)
        {
            VirtAddr at = range.Start.AddChecked(new PageCount(page).ToBytes());
            Assert.That(process.Read(at, new byte[1]), Is.EqualTo(FaultResult.Done));
        }

        DmaAddr mapped = Map(range);
        rig.Space.TryUnmap(mapped, range.Length, out _).ThrowIfError();
        Assert.That(PinsOf(FrameOfProcess(range.Start)), Is.Zero);
    }

    [Test]
    public void Map_OfCoherentDeviceMemoryThatCannotMove_IsEBUSY()
    {
        using var device = new CoherentPage(rig.Machine);
        process.TryMap(new AreaRequest(new ByteCount(Page), device.Backing.Describe(AreaAccess.ReadWrite)), out VirtRange range).ThrowIfError();
        Assert.That(TryMap(range), Is.EqualTo(Errno.EBUSY), "a driver's page is not the process's to move");
        process.TryUnmap(range.Start, range.Length).ThrowIfError();
        Assert.That(device.IsFree, Is.True, "nobody has kept it");
    }

    [Test] // museum 25
    public void ZeroPage_PinnedAndUnpinnedManyTimes_KeepsItsCount()
    {
        VirtRange range = MapMemory(1, AreaAccess.Read);
        Assert.That(process.Read(range.Start, new byte[1]), Is.EqualTo(FaultResult.Done));
        var pins = new PagePin[1];
        process.TryPin(range.Start, PinFlags.None, pins, out _).ThrowIfError();
        Pfn zero = pins[0].Page;
        uint before = rig.Machine.Frames.Describe(zero).References;
        for (int time = 0; time < 1 << 12; time++)
        {
            process.TryPin(range.Start, time % 2 == 0 ? PinFlags.None : PinFlags.Fast, pins, out _).ThrowIfError();
            Assert.That((pins[0].Page, pins[0].IsEmpty), Is.EqualTo((zero, true)));
            pins[0].Dispose();
        }

        Assert.That(rig.Machine.Frames.Describe(zero).References, Is.EqualTo(before), "neither pinned nor unpinned");
        var longTerm = new UserPin[1];
        user.TryPin(range.Start, isWritable: false, longTerm, out _).ThrowIfError();
        Assert.That(longTerm[0].Page, Is.Not.EqualTo(zero), "for long it becomes the process's own page first");
        Assert.That(PinsOf(longTerm[0].Page), Is.EqualTo(1));
        longTerm[0].Dispose();
        Assert.That(PinsOf(FrameOfProcess(range.Start)), Is.Zero);
    }

    private VirtRange MapMemory(ulong pages, AreaAccess access = AreaAccess.ReadWrite)
    {
        var request = new AreaRequest(new PageCount(pages).ToBytes(), new AreaTraits(AreaKind.AnonymousPrivate, access));
        process.TryMap(request, out VirtRange range).ThrowIfError();
        return range;
    }

    private DmaAddr Map(VirtRange range)
    {
        rig.Space.TryMap(user, range.Start, range.Length, IoAccess.ReadWrite, out DmaAddr at).ThrowIfError();
        return at;
    }

    private Errno TryMap(VirtRange range, IoAccess access = IoAccess.ReadWrite) =>
        rig.Space.TryMap(user, range.Start, range.Length, access, out _);

    private Pfn FrameOf(DmaAddr at)
    {
        Assert.That(rig.Domain.TryTranslate(at, out PhysAddr target), Is.True);
        return target.Pfn;
    }

    private Pfn FrameOfProcess(VirtAddr at)
    {
        var pins = new PagePin[1];
        process.TryPin(at, PinFlags.None, pins, out _).ThrowIfError();
        Pfn page = pins[0].Page;
        pins[0].Dispose();
        return page;
    }

    private uint PinsOf(Pfn page) => rig.Machine.Frames.Describe(page).References / 1024;

    private sealed class Nothing : IAreaOperations
    {
    }

    // One page of coherent device memory, which its driver maps as it is.
    private sealed class CoherentPage : IPagemapOps, IAreaOperations, IDisposable
    {
        private readonly Pagemap map;

        internal CoherentPage(Machine machine)
        {
            var window = new PhysRange(new PhysAddr(4UL << 30), ByteCount.FromMiB(2));
            machine.TryAddDeviceWindow("coherent", window, out _).ThrowIfError();
            var request = new PagemapRequest { Kind = PagemapKind.DeviceCoherent, Ranges = [window], Owner = this, Ops = this };
            machine.Pagemaps.TryAdd(request, out Pagemap? made).ThrowIfError();
            map = made!;
            Backing = new AreaBacking(AreaKind.Mixed, this);
        }

        internal AreaBacking Backing { get; }

        internal bool IsFree { get; private set; }

        public void OnPageFree(Pagemap map, Pfn page) => IsFree = true;

        public Errno TryMap(AreaFilling filling)
        {
            map.TryHandOut(map.Ranges[0].Start, out PageRef page, out PageLock pageLock).ThrowIfError();
            pageLock.Dispose();
            Errno errno = filling.TryInsertPage(filling.Area.Start, page.Page);
            page.Dispose();
            return errno;
        }

        public void Dispose() => map.Unmap();
    }
}
