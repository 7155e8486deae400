using Mm.Core.Frames;
using static Mm.Core.Tests.Frames.FrameMachines;

namespace Mm.Core.Tests.Frames;

public sealed class PageAllocatorTests
{
    private static readonly int[] Orders = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

    [TestCaseSource(nameof(Orders))]
    public void Allocate_OfEveryOrder_IsAlignedInUseAndReferencedOnce(int order)
    {
        using Machine machine = OneNode();
        using (PageRef page = machine.Take(AllocationRequest.Kernel with { Order = order }))
        {
            Assert.That(page.Page.IsAligned(order), Is.True);
            Assert.That(page.Frames.Count, Is.EqualTo(PageCount.OfOrder(order)));
            PageInfo info = page.Info;
            Assert.That(info.References, Is.EqualTo(1u));
            Assert.That(info.IsCompound, Is.EqualTo(order > 0));
            Assert.That(info.State, Is.EqualTo(PageState.InUse));
            machine.Validate();
        }

        Assert.That(machine.Allocator.Statistics.InUse.IsZero, Is.True);
        machine.Validate();
    }

    // B1 of the facts.
    [TestCaseSource(nameof(Orders))]
    public void AllocateThenFree_RestoresTheFreeListPicture(int order)
    {
        using Machine machine = OneNode();
        machine.Take(AllocationRequest.User with { Order = 3 }).Dispose();
        machine.Allocator.DrainStacks();
        IReadOnlyList<string> before = machine.Picture();
        machine.Take(AllocationRequest.User with { Order = order }).Dispose();
        machine.Allocator.DrainStacks();
        Assert.That(machine.Picture(), Is.EqualTo(before));
        machine.Validate();
    }

    [TestCaseSource(nameof(Orders))]
    public void Memory_OfEveryOrder_RunsOutExactlyAndComesBack(int order)
    {
        using Machine machine = OneNode();
        AllocationRequest request = AllocationRequest.User with { Order = order };
        List<PageRef> pages = machine.TakeAll(request);
        Assert.That(pages, Has.Count.EqualTo(4096 >> order));
        Assert.That(pages.Select(page => page.Page.Value).Distinct().Count(), Is.EqualTo(pages.Count));
        Assert.That(machine.Allocator.TryAllocate(request, out PageRef none), Is.EqualTo(Errno.ENOMEM));
        Assert.That(none.IsEmpty, Is.True);
        machine.Validate();
        pages.PutAll();
        machine.Validate();
        machine.Allocator.DrainStacks();
        Assert.That(machine.Picture(), Is.EqualTo(OneNode().Picture()), "everything has merged again");
    }

    [Test]
    public void Memory_IncludesFrameZeroAndTheLastFrame()
    {
        using Machine machine = OneNode();
        List<PageRef> pages = machine.TakeAll(AllocationRequest.User);
        Assert.That(pages.Select(page => page.Page), Does.Contain(Pfn.Zero).And.Contain(new Pfn(4095)));
        pages.PutAll();
        machine.Validate();
    }

    [TestCase(0x1000UL, 0x5000UL)]
    [TestCase(0x3ff000UL, 0x802000UL)]
    [TestCase(0x0UL, 0x1000UL)]
    public void RamWithRaggedEnds_IsAllAllocatable(ulong start, ulong length)
    {
        var range = new PhysRange(new PhysAddr(start), new ByteCount(length));
        using Machine machine = Machine.CreateBuilder().AddRam(Node0, range).Build();
        machine.Validate();
        List<PageRef> pages = machine.TakeAll(AllocationRequest.User);
        Assert.That(pages, Has.Count.EqualTo((int)(length >> 12)));
        Assert.That(pages.TrueForAll(page => range.Contains(page.Page.Address)), Is.True);
        pages.PutAll();
        machine.Validate();
    }

    [Test]
    public void RamAtTheTopOfPhysicalSpace_IsAllocatable()
    {
        var range = new PhysRange(new PhysAddr((1UL << 46) - (4UL << 20)), ByteCount.FromMiB(4));
        using Machine machine = Machine.CreateBuilder().AddRam(Node0, range).Build();
        using (PageRef page = machine.Take(AllocationRequest.User with { Order = 10 }))
        {
            Assert.That(page.Frames.ToPhysRange(), Is.EqualTo(range));
        }

        machine.Validate();
    }

    [Test]
    public void Request_PrefersTheHighestZoneOfTheNearestNode()
    {
        using Machine machine = TwoNodes();
        using PageRef user = machine.Take(AllocationRequest.User);
        using PageRef kernel = machine.Take(AllocationRequest.Kernel);
        using PageRef low = machine.Take(AllocationRequest.Dma32);
        using PageRef far = machine.Take(AllocationRequest.User with { Node = Node1 });
        Assert.That(user.Info.Zone, Is.EqualTo(ZoneKind.Movable));
        Assert.That(kernel.Info.Zone, Is.EqualTo(ZoneKind.Normal));
        Assert.That(low.Info.Zone, Is.EqualTo(ZoneKind.Dma32));
        Assert.That(far.Info.Node, Is.EqualTo(Node1));
        machine.Validate();
    }

    [Test]
    public void KernelRequest_NeverGetsMovableZone()
    {
        using Machine machine = TwoNodes();
        List<PageRef> pages = machine.TakeAll(AllocationRequest.Kernel with { HighestZone = ZoneKind.Movable });
        Assert.That(pages, Has.Count.EqualTo((8 + 8 + 8) * 256));
        Assert.That(pages.TrueForAll(page => page.Info.Zone != ZoneKind.Movable), Is.True);
        pages.PutAll();
        machine.Validate();
    }

    [Test]
    public void NodeOnly_RunsOutWhereTheOthersStillHave()
    {
        using Machine machine = TwoNodes();
        AllocationRequest request = AllocationRequest.User with { Node = Node1, IsThisNodeOnly = true };
        List<PageRef> pages = machine.TakeAll(request);
        Assert.That(pages, Has.Count.EqualTo(8 * 256));
        Assert.That(pages.TrueForAll(page => page.Info.Node == Node1), Is.True);
        using PageRef other = machine.Take(request with { IsThisNodeOnly = false });
        Assert.That(other.Info.Node, Is.EqualTo(Node0));
        pages.PutAll();
        machine.Validate();
    }

    [Test]
    public void Fallback_GoesByDistance()
    {
        using Machine machine = Machine.CreateBuilder()
            .AddRam(new NodeId(0), Mib(0, 4)).AddRam(new NodeId(1), Mib(4, 4)).AddRam(new NodeId(2), Mib(8, 4))
            .WithNodeDistance(new NodeId(0), new NodeId(1), 40).WithNodeDistance(new NodeId(0), new NodeId(2), 12)
            .Build();
        Assert.That(
            machine.Allocator.ZonesFor(AllocationRequest.User with { Node = new NodeId(0) }).Select(zone => zone.Node.Index),
            Is.EqualTo(new[] { 0, 2, 1 }));
        Assert.That(
            machine.Allocator.ZonesFor(AllocationRequest.User with { Node = new NodeId(1) }).Select(zone => zone.Node.Index),
            Is.EqualTo(new[] { 1, 2, 0 }));
    }

    [Test]
    public void UnknownNode_FallsBackToNodesWithMemory()
    {
        using Machine machine = TwoNodes();
        using PageRef page = machine.Take(AllocationRequest.User with { Node = new NodeId(NodeId.MaxIndex) });
        Assert.That(page.Info.Node, Is.EqualTo(Node0));
        Assert.That(
            machine.Allocator.TryAllocate(
                AllocationRequest.User with { Node = new NodeId(7), IsThisNodeOnly = true }, out _),
            Is.EqualTo(Errno.ENOMEM));
    }

    // B2 of the facts.
    [Test]
    public void PinScope_KeepsAllocationsOutOfMovableZoneAndCma()
    {
        using Machine movable = TwoNodes();
        using Machine lent = WithCma();
        foreach (Machine machine in new[] { movable, lent })
        {
            machine.TakeAll(AllocationRequest.User).PutAll(); // fills the stacks with pages that must not come out
            using (machine.Allocator.EnterPinScope())
            using (machine.Allocator.EnterPinScope())
            {
                List<PageRef> pages = machine.TakeAll(AllocationRequest.User);
                Assert.That(pages, Is.Not.Empty);
                Assert.That(pages.TrueForAll(page => machine.Frames.IsLongTermPinnable(page.Page)), Is.True);
                Assert.That(
                    machine.Allocator.TryAllocate(AllocationRequest.User with { Order = 9 }, out _),
                    Is.EqualTo(Errno.ENOMEM));
                pages.PutAll();
            }

            using PageRef after = machine.Take(AllocationRequest.User);
            machine.Validate();
        }
    }

    [Test]
    public void PinScope_EndedTwice_Throws()
    {
        using Machine machine = OneNode();
        PinScope scope = machine.Allocator.EnterPinScope();
        scope.Dispose();
        bool hasThrown = false;
        try
        {
            scope.Dispose();
        }
        catch (InvalidOperationException)
        {
            hasThrown = true;
        }

        Assert.That(hasThrown, Is.True);
    }

    [Test]
    public void Cma_ServesMovablePagesOnly()
    {
        using Machine machine = WithCma();
        List<PageRef> kernel = machine.TakeAll(AllocationRequest.Kernel);
        Assert.That(kernel, Has.Count.EqualTo(12 * 256));
        Assert.That(kernel.TrueForAll(page => machine.Allocator.TypeOf(page.Page) != MigrateType.Cma), Is.True);
        List<PageRef> user = machine.TakeAll(AllocationRequest.User);
        Assert.That(user, Has.Count.EqualTo(4 * 256));
        Assert.That(user.TrueForAll(page => !machine.Frames.IsLongTermPinnable(page.Page)), Is.True);
        kernel.PutAll();
        user.PutAll();
        machine.Validate();
    }

    [Test]
    public void Cma_IsUsedFirstWhenMoreThanHalfOfWhatIsFree()
    {
        using Machine machine = Machine.CreateBuilder().AddRam(Node0, Mib(0, 16)).AddCma(Mib(4, 12)).Build();
        using PageRef page = machine.Take(AllocationRequest.User);
        Assert.That(machine.Allocator.TypeOf(page.Page), Is.EqualTo(MigrateType.Cma));
    }

    [Test]
    public void UnmovableRequest_ClaimsWholePageblocks()
    {
        using Machine machine = OneNode();
        List<PageRef> pages = [];
        for (int i = 0; i < 300; i++)
        {
            pages.Add(machine.Take(AllocationRequest.Kernel));
        }

        Assert.That(pages.Select(page => page.Page.Value >> 10).Distinct().Count(), Is.EqualTo(1));
        Assert.That(machine.Allocator.TypeOf(pages[0].Page), Is.EqualTo(MigrateType.Unmovable));
        using PageRef user = machine.Take(AllocationRequest.User);
        Assert.That(machine.Allocator.TypeOf(user.Page), Is.EqualTo(MigrateType.Movable));
        machine.Validate();
        pages.PutAll();
        machine.Validate();
    }

    [Test]
    public void Types_FallBackUntilNothingIsLeft()
    {
        using Machine machine = OneNode();
        List<PageRef> movable = [];
        for (int i = 0; i < 3000; i++)
        {
            movable.Add(machine.Take(AllocationRequest.User));
        }

        List<PageRef> reclaimable = machine.TakeAll(AllocationRequest.Kernel with { Mobility = MigrateType.Reclaimable });
        Assert.That(movable.Count + reclaimable.Count, Is.EqualTo(4096));
        machine.Validate();
        movable.PutAll();
        List<PageRef> unmovable = machine.TakeAll(AllocationRequest.Kernel);
        Assert.That(unmovable, Has.Count.EqualTo(3000));
        machine.Validate();
        reclaimable.PutAll();
        unmovable.PutAll();
        machine.Validate();
    }

    [Test]
    public void BlockPutWhileItsFirstPageIsHeld_GivesTheOthersBackAtOnce()
    {
        using Machine machine = OneNode();
        PageBlock block = machine.TakeBlock(AllocationRequest.Kernel with { Order = 4 });
        Pfn first = block.Frames.Start;
        Assert.That(machine.Frames.TryGet(first, out PageRef held), Is.EqualTo(Errno.Ok));
        Assert.That(machine.Frames.TryGet(first.AddChecked(PageCount.One), out _), Is.EqualTo(Errno.ENOENT));
        block.Dispose();
        Assert.That(machine.Allocator.Statistics.InUse, Is.EqualTo(PageCount.One));
        machine.Validate();
        held.Dispose();
        Assert.That(machine.Allocator.Statistics.InUse.IsZero, Is.True);
        machine.Validate();
    }

    [Test]
    public void Block_PutLast_GivesEverythingBack()
    {
        using Machine machine = OneNode();
        PageBlock block = machine.TakeBlock(AllocationRequest.Kernel with { Order = 4 });
        Assert.That(machine.Frames.TryGet(block.Frames.Start, out PageRef held), Is.EqualTo(Errno.Ok));
        held.Dispose();
        Assert.That(machine.Allocator.Statistics.InUse, Is.EqualTo(PageCount.OfOrder(4)));
        block.Dispose();
        Assert.That(machine.Allocator.Statistics.InUse.IsZero, Is.True);
        Assert.That(block.Dispose, Throws.InstanceOf<ObjectDisposedException>());
        machine.Validate();
    }

    [Test]
    public void Block_Split_GivesSinglePages()
    {
        using Machine machine = OneNode();
        PageBlock block = machine.TakeBlock(AllocationRequest.Kernel with { Order = 3 });
        var pages = new PageRef[8];
        Assert.That(() => block.Split(new PageRef[7]), Throws.ArgumentException);
        block.Split(pages);
        Assert.That(pages.Select(page => page.Page.Value), Is.EqualTo(Enumerable.Range(0, 8).Select(i => block.Frames.Start.Value + (ulong)i)));
        Assert.That(() => block.Split(pages), Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(block.Dispose, Throws.InstanceOf<ObjectDisposedException>());
        machine.Validate();
        foreach (PageRef page in pages)
        {
            Assert.That(page.Info.References, Is.EqualTo(1u));
            page.Dispose();
        }

        Assert.That(machine.Allocator.Statistics.InUse.IsZero, Is.True);
        machine.Validate();
    }

    [Test]
    public void PlannedFailure_IsENOMEMAndChangesNothing()
    {
        using Machine machine = OneNode();
        machine.Take(AllocationRequest.Kernel).Dispose();
        AllocatorStatistics before = machine.Allocator.Statistics;
        machine.Faults.FailNth(FaultPoint.PageAlloc, 1, 2);
        Assert.That(machine.Allocator.TryAllocate(AllocationRequest.Kernel, out PageRef page), Is.EqualTo(Errno.ENOMEM));
        Assert.That(machine.Allocator.TryAllocateBlock(AllocationRequest.Kernel, out PageBlock block), Is.EqualTo(Errno.ENOMEM));
        Assert.That(page.IsEmpty && block.IsEmpty, Is.True);
        Assert.That(machine.Allocator.Statistics, Is.EqualTo(before));
        using PageRef third = machine.Take(AllocationRequest.Kernel);
        machine.Validate();
    }

    [Test]
    public void FreshPage_IsPoisonedUnlessZeroed()
    {
        using Machine machine = OneNode();
        using PageRef fresh = machine.Take(AllocationRequest.Kernel);
        using PageRef folio = machine.Take(AllocationRequest.Kernel with { Order = 2 });
        using PageRef zeroed = machine.Take(AllocationRequest.Kernel with { IsZeroed = true });
        Assert.That(machine.Lease(fresh.Frames.ToPhysRange()).Bytes.ToArray(), Is.All.EqualTo(0xAA));
        Assert.That(machine.Lease(folio.Frames.ToPhysRange()).Bytes.ToArray(), Is.All.EqualTo(0xAA));
        Assert.That(machine.Lease(zeroed.Frames.ToPhysRange()).Bytes.ToArray(), Is.All.EqualTo(0));
    }

    [Test]
    public void Reserve_IsForAtomicRequests()
    {
        using Machine machine = OneNode();
        machine.Allocator.Zones[0].Reserve = 64;
        List<PageRef> pages = machine.TakeAll(AllocationRequest.Kernel);
        Assert.That(pages, Has.Count.EqualTo(4096 - 64));
        List<PageRef> atomic = machine.TakeAll(AllocationRequest.Kernel with { IsAtomic = true });
        Assert.That(atomic, Has.Count.EqualTo(64));
        pages.PutAll();
        atomic.PutAll();
        machine.Validate();
    }

    [Test]
    public void HugeMachine_BuildsWithoutTouchingItsFrames()
    {
        using Machine machine = Machine.CreateBuilder()
            .AddRam(Node0, new PhysRange(default, ByteCount.FromGiB(16384)))
            .Build();
        using PageRef page = machine.Take(AllocationRequest.User);
        Assert.That(page.Page, Is.EqualTo(new Pfn(1UL << 20)), "the first of the NORMAL zone");
        machine.Validate();
    }

    [Test]
    public void RequestOutOfRange_Throws()
    {
        Assert.That(() => AllocationRequest.Kernel with { Order = 11 }, Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => AllocationRequest.Kernel with { Order = -1 }, Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => AllocationRequest.Kernel with { Mobility = MigrateType.Cma }, Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => AllocationRequest.Kernel with { HighestZone = ZoneKind.Device }, Throws.InstanceOf<ArgumentOutOfRangeException>());
    }
}
