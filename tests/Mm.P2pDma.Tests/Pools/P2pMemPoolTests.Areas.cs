using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.Dma;
using Mm.Core.Frames;
using Mm.Core.PhysRanges;
using Mm.Core.Spaces;
using Mm.P2pDma.Pools;
using Mm.P2pDma.Providers;
using static Mm.P2pDma.Tests.PciRig;

namespace Mm.P2pDma.Tests.Pools;

/// <summary>Memory of a pool in a process: what mmap of p2pmem/allocate gives.</summary>
public sealed partial class P2pMemPoolTests
{
    private const ulong Page = 4096;

    private static readonly LinuxProfile[] Profiles = [LinuxProfile.V612, LinuxProfile.V619];

    [Test]
    public void Map_GivesPagesOfThePool_ThatGoBackOneByOne()
    {
        using var rig = new PciRig();
        P2pMemPool pool = Pool(rig);
        using AddressSpace space = Space(rig);
        AreaOperationsContract.Require(space, pool.Backing, new PageCount(5));
        VirtRange range = Map(space, pool, 3);
        Assert.That((pool.Available.Value, References(rig)), Is.EqualTo((NvmeBar.Length.Value - (3 * Page), 3L)));
        Assert.That(space.Write(range.Start.AddChecked(new ByteCount(Page)), [7]), Is.EqualTo(FaultResult.Done));
        using (Core.Native.SpanLease lease = rig.Machine.Lease(Range(NvmeBar.Start.Value + Page, 1)))
        {
            Assert.That(lease.Bytes[0], Is.EqualTo(7), "the BAR's own bytes");
        }

        Assert.That(space.TryUnmap(range.Start.AddChecked(new ByteCount(Page)), new ByteCount(Page)), Is.EqualTo(Errno.Ok));
        Assert.That((pool.Available.Value, References(rig)), Is.EqualTo((NvmeBar.Length.Value - (2 * Page), 2L)));
        using P2pMemory reused = Take(pool, Page);
        Assert.That(reused.Range.Start.Value, Is.EqualTo(NvmeBar.Start.Value + Page));
    }

    [Test]
    public void Map_WhatCannotBe_SaysWhy()
    {
        using var rig = new PciRig();
        P2pMemPool pool = Pool(rig, 0x20_0000, 0);
        using AddressSpace space = Space(rig);
        Assert.That(TryMap(space, pool, 1, isPrivate: true), Is.EqualTo(Errno.EINVAL));
        Assert.That(TryMap(space, pool, 1, offset: 1), Is.EqualTo(Errno.EINVAL));
        Assert.That(TryMap(space, pool, 513), Is.EqualTo(Errno.ENOMEM));
        rig.System.TryUnbind(Nvme).ThrowIfError();
        Assert.That(TryMap(space, pool, 1), Is.EqualTo(Errno.ENODEV));
        Assert.That((space.Areas.Count, pool.Backing.SpaceCount), Is.EqualTo((0, 0)));
    }

    [Test] // D1, D2
    public void Pin_OfMappedPeerMemory_WantsLeaveAndKeepsThePage()
    {
        using var rig = new PciRig();
        P2pMemPool pool = Pool(rig);
        using AddressSpace space = Space(rig);
        VirtRange range = Map(space, pool, 1);
        var pins = new PagePin[1];
        Assert.That(space.TryPin(range.Start, PinFlags.Write, pins, out _), Is.EqualTo(Errno.EREMOTEIO));
        Assert.That(space.TryPin(range.Start, PinFlags.PeerMemory | PinFlags.LongTerm, pins, out _), Is.EqualTo(Errno.EINVAL));
        Assert.That(space.TryPin(range.Start, PinFlags.PeerMemory | PinFlags.Write, pins, out _), Is.EqualTo(Errno.Ok));
        Assert.That(space.TryUnmap(range.Start, range.Length), Is.EqualTo(Errno.Ok));
        Assert.That(pool.Available.Value, Is.EqualTo(NvmeBar.Length.Value - Page), "pinned: not given again");
        pins[0].Dispose();
        Assert.That((pool.Available, References(rig)), Is.EqualTo((pool.Size, 0L)));
    }

    [Test]
    public void Dma_OfAPeerToPinnedPages_ReachesTheProcess()
    {
        using var rig = new PciRig();
        P2pMemPool pool = Pool(rig);
        using AddressSpace space = Space(rig);
        VirtRange range = Map(space, pool, 2);
        var pins = new PagePin[2];
        space.TryPin(range.Start, PinFlags.PeerMemory | PinFlags.Write, pins, out _).ThrowIfError();
        DmaDevice nic = rig.Attach(Nic);
        using (PhysRangeList list = rig.List([.. pins.Select(pin => new PhysRange(pin.Page.Address, new ByteCount(Page)))]))
        {
            nic.TryMap(list, DmaDirection.FromDevice, out DmaMapping? mapping).ThrowIfError();
            using (mapping)
            {
                Assert.That(mapping!.Segments[0].Address.Value, Is.EqualTo(NvmeBar.Start.Value - (BusOffset / 16)), "a bus address: no root port sees it");
                byte[] sent = [.. Enumerable.Range(0, (int)Page).Select(static i => unchecked((byte)i))];
                nic.Port.TryWrite(mapping.Segments[0].Address, sent, out _).ThrowIfError();
                var seen = new byte[Page];
                Assert.That(space.Read(range.Start, seen), Is.EqualTo(FaultResult.Done));
                Assert.That(seen, Is.EqualTo(sent));
            }
        }

        Array.ForEach(pins, static pin => pin.Dispose());
    }

    [Test]
    public void Fork_OfMappedPeerMemory_KeepsPagesUntilBothHaveLetGo()
    {
        using var rig = new PciRig();
        P2pMemPool pool = Pool(rig);
        AddressSpace parent = Space(rig);
        VirtRange range = Map(parent, pool, 2);
        parent.TryFork(out AddressSpace? child).ThrowIfError();
        parent.Dispose();
        Assert.That(pool.Available.Value, Is.EqualTo(NvmeBar.Length.Value - (2 * Page)));
        Assert.That(child!.Write(range.Start, [1]), Is.EqualTo(FaultResult.Done));
        child.Dispose();
        Assert.That((pool.Available, References(rig)), Is.EqualTo((pool.Size, 0L)));
    }

    [Test]
    public void Unbind_WithPagesMapped_TakesThemAwayAndEnds()
    {
        using var rig = new PciRig();
        P2pMemPool pool = Pool(rig);
        using AddressSpace space = Space(rig);
        VirtRange range = Map(space, pool, 2);
        PeerPagemap map = rig.System.Pagemaps.Collect()[0];
        rig.System.TryUnbind(Nvme).ThrowIfError();
        Assert.That((map.IsDead, space.Read(range.Start, new byte[1])), Is.EqualTo((true, FaultResult.BusError)));
    }

    [Test]
    public void Unbind_WithAPinLeft_EndsWithThePin()
    {
        using var rig = new PciRig();
        P2pMemPool pool = Pool(rig);
        using AddressSpace space = Space(rig);
        VirtRange range = Map(space, pool, 2);
        var pins = new PagePin[1];
        space.TryPin(range.Start, PinFlags.PeerMemory, pins, out _).ThrowIfError();
        PeerPagemap map = rig.System.Pagemaps.Collect()[0];
        rig.System.TryUnbind(Nvme).ThrowIfError();
        Assert.That((map.IsLive, map.IsDead), Is.EqualTo((false, false)));
        pins[0].Dispose();
        Assert.That(map.IsDead, Is.True);
    }

    [Test] // M5
    public void Map_NthInsertFails_GivesEveryPageAndReferenceBack([Range(1, 4)] int nth, [ValueSource(nameof(Profiles))] LinuxProfile profile)
    {
        using var rig = new PciRig(profile: profile);
        P2pMemPool pool = Pool(rig);
        Assert.That(UnbindAfterFailing(rig, pool, nth), Is.True, "unbind does not wait for ever");
        Assert.That(pool.Available, Is.EqualTo(pool.Size));
    }

    [Test]
    public void Map_NthInsertFails_WithTheReferenceKept_IsCaught([Range(1, 4)] int nth)
    {
        using var rig = new PciRig();
        P2pMemPool pool = Pool(rig);
        pool.KeepsReferenceOfRefused = true;
        Assert.That(UnbindAfterFailing(rig, pool, nth), Is.False, "museum 2: the page map never dies");
        rig.System.Pagemaps.Collect()[0].PutReference(); // so that the machine can end
    }

    [Test] // museum 3
    public void Pages_AtEachStateOfTheirLife_HaveTheReferencesOfTheKernel([ValueSource(nameof(Profiles))] LinuxProfile profile)
    {
        using var rig = new PciRig(profile: profile);
        P2pMemPool pool = Pool(rig);
        using AddressSpace space = Space(rig);
        uint idle = profile.IdleDevicePagesHoldReference ? 1U : 0U;
        var first = new Pfn(NvmeBar.Start.Pfn.Value);
        Assert.That(Count(), Is.EqualTo((idle, 0U)), "free");
        using (P2pMemory block = Take(pool, Page))
        {
            Assert.That(Count(), Is.EqualTo((idle, 0U)), "a block of a driver counts no page");
        }

        VirtRange range = Map(space, pool, 1);
        Assert.That(Count(), Is.EqualTo((1U, 1U)), "mapped: the entry's");
        var pins = new PagePin[1];
        space.TryPin(range.Start, PinFlags.PeerMemory, pins, out _).ThrowIfError();
        Assert.That(Count(), Is.EqualTo((1025U, 1U)), "pinned");
        space.TryUnmap(range.Start, range.Length).ThrowIfError();
        Assert.That(Count(), Is.EqualTo((1024U, 0U)), "unmapped");
        pins[0].Dispose();
        Assert.That(Count(), Is.EqualTo((idle, 0U)), "free again");
        range = Map(space, pool, 1);
        Assert.That(Count(), Is.EqualTo((1U, 1U)), "and mapped again");

        (uint References, uint Maps) Count()
        {
            PageInfo info = rig.Machine.Frames.Describe(first);
            return (info.References, info.MapCount);
        }
    }

    [Test]
    public void Map_WithTheOldIdeaOfFreePages_IsCaught([ValueSource(nameof(Profiles))] LinuxProfile profile)
    {
        using var rig = new PciRig(profile: profile);
        P2pMemPool pool = Pool(rig);
        using AddressSpace space = Space(rig);
        pool.ExpectsIdleReference = true;
        if (profile.IdleDevicePagesHoldReference)
        {
            _ = Map(space, pool, 1);
            return;
        }

        Assert.That(() => TryMap(space, pool, 1), Throws.TypeOf<MmBugException>(), "museum 3");
    }

    // Whether the page map dies once its driver is gone.
    private static bool UnbindAfterFailing(PciRig rig, P2pMemPool pool, int nth)
    {
        using AddressSpace space = Space(rig);
        rig.Machine.Faults.FailNth(AreaBacking.InsertFault, (ulong)nth);
        Assert.That(TryMap(space, pool, 4), Is.EqualTo(Errno.ENOMEM));
        rig.Machine.Faults.Clear();
        Assert.That(space.Areas, Is.Empty);
        PeerPagemap map = rig.System.Pagemaps.Collect()[0];
        rig.System.TryUnbind(Nvme).ThrowIfError();
        return map.IsDead;
    }

    private static AddressSpace Space(PciRig rig)
    {
        rig.Machine.Spaces.TryCreate(out AddressSpace? space).ThrowIfError();
        return space!;
    }

    private static VirtRange Map(AddressSpace space, P2pMemPool pool, ulong pages)
    {
        space.TryMap(Request(pool, pages), out VirtRange range).ThrowIfError();
        return range;
    }

    private static Errno TryMap(AddressSpace space, P2pMemPool pool, ulong pages, ulong offset = 0, bool isPrivate = false)
    {
        AreaRequest request = Request(pool, pages);
        return space.TryMap(
            request with { Offset = new PageCount(offset), Traits = pool.Backing.Describe(AreaAccess.ReadWrite, isPrivate) }, out _);
    }

    private static AreaRequest Request(P2pMemPool pool, ulong pages) =>
        new(new PageCount(pages).ToBytes(), pool.Backing.Describe(AreaAccess.ReadWrite));

    private static long References(PciRig rig) => rig.System.Pagemaps.Collect()[0].References;
}
