using Mm.Core.Frames;
using Mm.Core.Policies;

namespace Mm.Core.Tests.Policies;

/// <summary>Pages taken by policy, without an address space around them.</summary>
internal sealed class PlacementTests
{
    private static readonly NodeId Fixed = new(0);
    private static readonly NodeId Movable = new(1);
    private Machine machine = null!;
    private Placement placement = null!;

    [SetUp]
    public void Build()
    {
        machine = Machine.CreateBuilder()
            .AddRam(Fixed, new PhysRange(default, ByteCount.FromMiB(8)))
            .AddRam(Movable, new PhysRange(new PhysAddr(1UL << 32), ByteCount.FromMiB(8)))
            .WithMovableZone(Movable, ByteCount.FromMiB(8))
            .Build();
        placement = new Placement(machine.Allocator, machine.Nodes);
    }

    [TearDown]
    public void LeavesNothing()
    {
        machine.Validate();
        Assert.That(machine.Allocator.Statistics.InUse, Is.EqualTo(PageCount.Zero));
        machine.Dispose();
    }

    [Test]
    public void Bind_ToMovableMemoryAlone_BindsOnlyWhatCanBeMoved()
    {
        placement.TrySetPolicy(PolicyMode.Bind, new NodeSet(Movable)).ThrowIfError();
        Assert.That(NodeOf(AllocationRequest.User), Is.EqualTo(Movable));
        Assert.That(NodeOf(AllocationRequest.Kernel), Is.EqualTo(Fixed));
        using PinScope scope = machine.Allocator.EnterPinScope();
        Assert.That(NodeOf(AllocationRequest.User), Is.EqualTo(Fixed), "what is to be pinned cannot be moved");
    }

    [Test]
    public void Preferred_WhenTheThreadPins_GoesWherePinsMayBe()
    {
        placement.TrySetPolicy(PolicyMode.PreferredMany, new NodeSet(Movable)).ThrowIfError();
        Assert.That(NodeOf(AllocationRequest.User), Is.EqualTo(Movable));
        using PinScope scope = machine.Allocator.EnterPinScope();
        Assert.That(NodeOf(AllocationRequest.User), Is.EqualTo(Fixed));
    }

    [Test]
    public void PlannedFailure_FailsOnce_WhateverThePolicyTries(
        [Values(PolicyMode.Default, PolicyMode.Bind, PolicyMode.PreferredMany, PolicyMode.Interleave)] PolicyMode mode)
    {
        placement.TrySetPolicy(mode, mode == PolicyMode.Default ? default : new NodeSet(Fixed, Movable)).ThrowIfError();
        machine.Faults.FailNth(FaultPoint.PageAlloc, 1);
        Assert.That(placement.TryAllocate(AllocationRequest.User, policy: null, index: 0, out PageRef none), Is.EqualTo(Errno.ENOMEM));
        Assert.That((none.IsEmpty, machine.Faults.CallCount(FaultPoint.PageAlloc)), Is.EqualTo((true, 1UL)));
        Assert.That(placement.TryAllocate(AllocationRequest.User, policy: null, index: 0, out PageRef page), Is.EqualTo(Errno.Ok));
        page.Dispose();
    }

    [Test]
    public void Interleave_ByWeight_GivesEachNodeItsShareInTurn()
    {
        placement.TrySetPolicy(PolicyMode.WeightedInterleave, new NodeSet(Fixed, Movable)).ThrowIfError();
        machine.Nodes.TrySetWeight(Fixed, 2).ThrowIfError();
        machine.Nodes.TrySetWeight(Movable, 3).ThrowIfError();
        string nodes = string.Concat(Enumerable.Range(0, 12).Select(index => NodeOf(AllocationRequest.User, (ulong)index).Index));
        Assert.That(nodes, Is.EqualTo("001110011100"));
    }

    [Test]
    public void Words_AreWhatWasSet_AndACopyIsApart()
    {
        placement.TrySetPolicy(PolicyMode.Bind, new NodeSet(Movable)).ThrowIfError();
        placement.CpuNode = Movable;
        placement.MayMoveShared = true;
        Placement copy = placement.Copy();
        placement.TrySetPolicy(PolicyMode.Default).ThrowIfError();
        Assert.That((copy.Policy!.Mode, copy.CpuNode, copy.MayMoveShared, placement.Policy), Is.EqualTo((PolicyMode.Bind, Movable, true, (MemoryPolicy?)null)));
        Assert.That((placement.IsOnline(Movable), placement.HasMemory(new NodeId(2)), placement.IsOnline(new NodeId(2))), Is.EqualTo((true, false, false)));
        Assert.That(copy.AllowedNodes, Is.EqualTo(machine.Nodes.WithMemory));
    }

    private NodeId NodeOf(AllocationRequest request, ulong index = 0)
    {
        placement.TryAllocate(request, policy: null, index, out PageRef page).ThrowIfError();
        NodeId node = page.Info.Node;
        page.Dispose();
        return node;
    }
}
