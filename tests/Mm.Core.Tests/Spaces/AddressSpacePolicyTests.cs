using Mm.Core.Frames;
using Mm.Core.Pagemaps;
using Mm.Core.Policies;
using Mm.Core.Spaces;
using static Mm.Core.Tests.Spaces.NodeRig;
using static Mm.Core.Tests.Spaces.SpaceRig;

namespace Mm.Core.Tests.Spaces;

/// <summary>Policies of processes and areas: where pages come to lie, what is refused, how areas split and merge.</summary>
internal sealed class AddressSpacePolicyTests
{
    private NodeRig rig = null!;

    private SpaceRig Inner => rig.Rig;

    private AddressSpace Space => rig.Space;

    [SetUp]
    public void Build() => rig = new NodeRig();

    [TearDown]
    public void LeavesNothing() => rig.Dispose();

    [Test]
    public void Fault_WithoutPolicy_IsServedWhereTheCpuIs()
    {
        Inner.Map(0, 2);
        Inner.Write(0, 1);
        Space.Placement.CpuNode = Node1;
        Inner.Write(1, 1);
        Assert.That(rig.NodesOf(0, 2), Is.EqualTo("01"));
    }

    [TestCase(PolicyMode.Preferred, "2222")]
    [TestCase(PolicyMode.Bind, "1111", Description = "of both the one nearer to the CPU")]
    [TestCase(PolicyMode.Interleave, "1212")]
    [TestCase(PolicyMode.PreferredMany, "1111")]
    [TestCase(PolicyMode.WeightedInterleave, "1112")]
    [TestCase(PolicyMode.Local, "0000")]
    public void Fault_GoesByTheAreasPolicy(PolicyMode mode, string expected)
    {
        Inner.Map(0, 4);
        Assert.That(Space.Placement.TrySetPolicy(PolicyMode.Interleave, Of(Node0, Node2)), Is.EqualTo(Errno.Ok), "which the area's overrules");
        Assert.That(Inner.Machine.Nodes.TrySetWeight(Node1, 3), Is.EqualTo(Errno.Ok));
        rig.Bind(0, 4, mode, mode == PolicyMode.Local ? default : mode == PolicyMode.Preferred ? Of(Node2) : Of(Node1, Node2));
        rig.WriteAll(0, 4);
        Assert.That(rig.NodesOf(0, 4), Is.EqualTo(expected));
        rig.ReadsAll(0, 4);
    }

    [Test]
    public void Fault_WithoutAreaPolicy_GoesByTheProcesss_AndChildrenInheritBoth()
    {
        Inner.Map(0, 4);
        Inner.Map(4, 4);
        Assert.That(Space.Placement.TrySetPolicy(PolicyMode.Bind, Of(Node2)), Is.EqualTo(Errno.Ok));
        rig.Bind(4, 4, PolicyMode.Bind, Of(Node1));
        AddressSpace child = Inner.Fork();
        Assert.That(Space.Placement.TrySetPolicy(PolicyMode.Default), Is.EqualTo(Errno.Ok));
        Inner.Write(0, 1);
        Inner.Write(0, 1, child);
        Inner.Write(4, 1, child);
        Assert.That((rig.NodeOf(0), rig.NodeOf(0, child), rig.NodeOf(4, child)), Is.EqualTo((Node0, Node2, Node1)));
    }

    [Test]
    public void CopyOnWrite_GoesByTheWritersPolicy()
    {
        Inner.Map(0, 1);
        Inner.Write(0, 7);
        AddressSpace child = Inner.Fork();
        Assert.That(child.TryBind(At(0), Pages(1), PolicyMode.Bind, Of(Node2)), Is.EqualTo(Errno.Ok));
        Inner.Write(At(0, 8), 9, child);
        Assert.That((rig.NodeOf(0), rig.NodeOf(0, child), Inner.Read(0, child)), Is.EqualTo((Node0, Node2, (byte)7)));
    }

    [Test]
    public void LargePage_GoesByThePolicy()
    {
        Inner.Map(0, 1024);
        Space.TryWantHugePages(At(0), Pages(1024), wanted: true).ThrowIfError();
        rig.Bind(0, 1024, PolicyMode.Interleave, Of(Node1, Node2));
        Inner.Write(0, 1);
        Inner.Write(512, 1);
        Assert.That((Inner.SizeAt(0), Inner.SizeAt(512)), Is.EqualTo((PageSize.Large, PageSize.Large)));
        Assert.That(new[] { rig.NodeOf(0), rig.NodeOf(512) }, Is.EquivalentTo(new[] { Node1, Node2 }), "in turn, by 2 MiB");
    }

    [Test]
    public void Bind_WhenItsNodesAreFull_IsOutOfMemory_AndPreferredGoesOn()
    {
        Inner.Map(0, 3);
        rig.Bind(0, 1, PolicyMode.Bind, Of(Node2));
        rig.Bind(1, 1, PolicyMode.Preferred, Of(Node2));
        rig.Bind(2, 1, PolicyMode.PreferredMany, Of(Node2));
        Inner.Write(3 - 3, 1);
        Assert.That(Space.TryDropPages(At(0), Pages(1)), Is.EqualTo(Errno.Ok));
        List<PageRef> all = rig.FillNode(Node2);
        Assert.That(Space.Write(At(0), [1]), Is.EqualTo(FaultResult.OutOfMemory));
        Inner.Write(1, 1);
        Inner.Write(2, 1);
        Assert.That((rig.NodeOf(1), rig.NodeOf(2)), Is.EqualTo((Node1, Node0)), "nearest to the preferred one; nearest to the CPU");
        all.ForEach(static page => page.Dispose());
        Inner.Write(0, 1);
        Assert.That(rig.NodeOf(0), Is.EqualTo(Node2));
    }

    [Test]
    public void AllowedNodes_BoundEveryFault_AndBindByWhatIsLeft()
    {
        Inner.Map(0, 3);
        rig.Bind(0, 1, PolicyMode.Bind, Of(Node0, Node2));
        rig.Bind(1, 1, PolicyMode.Bind, Of(Node0));
        Space.Placement.AllowedNodes = Of(Node1, Node2);
        rig.WriteAll(0, 3);
        Assert.That(rig.NodesOf(0, 3), Is.EqualTo("211"), "what is left of both; no node left, so any allowed; no policy");
        Assert.That(() => Space.Placement.AllowedNodes = Of(DeviceNode), Throws.ArgumentException);
        Assert.That(Space.Placement.TrySetPolicy(PolicyMode.Bind, Of(Node0)), Is.EqualTo(Errno.EINVAL), "it may not use it");
    }

    [Test]
    public void Bind_ToANodeOfDeviceMemoryAlone_IsEinval()
    {
        Inner.Map(0, 1);
        Assert.That(Inner.Machine.Nodes.IsOnline(DeviceNode), Is.True);
        foreach (PolicyMode mode in new[] { PolicyMode.Preferred, PolicyMode.Bind, PolicyMode.Interleave, PolicyMode.PreferredMany, PolicyMode.WeightedInterleave })
        {
            Assert.That(rig.TryBind(0, 1, mode, Of(DeviceNode)), Is.EqualTo(Errno.EINVAL), $"{mode}");
            Assert.That(Space.Placement.TrySetPolicy(mode, Of(DeviceNode)), Is.EqualTo(Errno.EINVAL), $"{mode}");
        }

        Assert.That(rig.TryBind(0, 1, PolicyMode.Bind, Of(DeviceNode, Node1)), Is.EqualTo(Errno.Ok), "what is left of them");
        Assert.That(Space.Areas[0].Traits.Policy!.Nodes, Is.EqualTo(Of(Node1)));
    }

    [Test]
    public void Bind_Refused_ChangesNothing()
    {
        Inner.Map(0, 4);
        Inner.Map(6, 2);
        string before = string.Join(' ', Space.Areas);
        Assert.That(Space.TryBind(At(0, 1), Pages(1), PolicyMode.Bind, Of(Node1)), Is.EqualTo(Errno.EINVAL), "not a page's address");
        Assert.That(Space.TryBind(At(0), new ByteCount(ulong.MaxValue - 4095), PolicyMode.Bind, Of(Node1)), Is.EqualTo(Errno.EINVAL), "it wraps");
        Assert.That(Space.TryBind(At(0), new ByteCount(ulong.MaxValue), PolicyMode.Bind, Of(Node1)), Is.EqualTo(Errno.Ok), "rounded up it is none");
        Assert.That(Space.TryBind(At(0), default, PolicyMode.Bind, Of(DeviceNode)), Is.EqualTo(Errno.Ok), "no length");
        Assert.That(rig.TryBind(0, 8, PolicyMode.Bind, Of(Node1)), Is.EqualTo(Errno.EFAULT), "a hole inside");
        Assert.That(rig.TryBind(0, 5, PolicyMode.Bind, Of(Node1)), Is.EqualTo(Errno.EFAULT), "at the end");
        Assert.That(rig.TryBind(5, 2, PolicyMode.Bind, Of(Node1)), Is.EqualTo(Errno.EFAULT), "at the head");
        Assert.That(rig.TryBind(4, 1, PolicyMode.Default), Is.EqualTo(Errno.EFAULT), "nothing but a hole");
        Assert.That(rig.TryBind(0, 1, PolicyMode.Bind, Of(Node1), BindFlags.MoveAll), Is.EqualTo(Errno.EPERM));
        Assert.That(() => rig.TryBind(0, 1, PolicyMode.Bind, Of(Node1), (BindFlags)8), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(rig.TryBind(0, 8, PolicyMode.Default), Is.EqualTo(Errno.Ok), "holes are no harm when a policy goes");
        Assert.That(string.Join(' ', Space.Areas), Is.EqualTo(before));
    }

    [Test]
    public void Areas_SplitByPolicy_AndMergeWhenItIsAlike()
    {
        Inner.Map(0, 8);
        rig.Bind(2, 2, PolicyMode.Bind, Of(Node1));
        rig.Bind(4, 2, PolicyMode.Bind, Of(Node2));
        Assert.That(Space.Areas.Select(static area => (int)area.Pages.Value), Is.EqualTo(new[] { 2, 2, 2, 2 }));
        rig.Bind(4, 2, PolicyMode.Bind, Of(DeviceNode, Node1));
        Assert.That(Space.Areas.Select(static area => (int)area.Pages.Value), Is.EqualTo(new[] { 2, 4, 2 }), "compared by what they say");
        Assert.That(Space.TryQueryPolicy(At(5), out MemoryPolicy? there), Is.EqualTo(Errno.Ok));
        Assert.That(Space.TryQueryPolicy(At(6), out MemoryPolicy? none), Is.EqualTo(Errno.Ok));
        Assert.That(Space.TryQueryPolicy(At(8), out _), Is.EqualTo(Errno.EFAULT));
        Assert.That((there!.Mode, there.Nodes, none), Is.EqualTo((PolicyMode.Bind, Of(Node1), (MemoryPolicy?)null)));
        rig.Bind(0, 8, PolicyMode.Default);
        Assert.That(Space.Areas, Has.Count.EqualTo(1));
    }

    [Test]
    public void HomeNode_IsWhereDistancesAreCountedFrom()
    {
        Inner.Map(0, 2);
        rig.Bind(0, 2, PolicyMode.Bind, Of(Node0, Node1));
        Assert.That(Space.TrySetHomeNode(At(0), Pages(1), Node2), Is.EqualTo(Errno.Ok));
        rig.WriteAll(0, 2);
        Assert.That((rig.NodesOf(0, 2), Space.Areas.Count), Is.EqualTo(("10", 2)), "node 1 is nearer to node 2");
    }

    [Test]
    public void HomeNode_Refused_SaysWhy()
    {
        Inner.Map(0, 4);
        Assert.That(Space.TrySetHomeNode(At(0, 1), Pages(1), Node1), Is.EqualTo(Errno.EINVAL), "not a page's address");
        Assert.That(Space.TrySetHomeNode(At(0), Pages(1), new NodeId(9)), Is.EqualTo(Errno.EINVAL), "no such node");
        Assert.That(Space.TrySetHomeNode(At(0), default, Node1), Is.EqualTo(Errno.Ok), "no length");
        Assert.That(Space.TrySetHomeNode(At(0), Pages(4), Node1), Is.EqualTo(Errno.ENOENT), "no policy");
        rig.Bind(0, 1, PolicyMode.Bind, Of(Node0));
        rig.Bind(2, 1, PolicyMode.Interleave, Of(Node0));
        Assert.That(Space.TrySetHomeNode(At(0), Pages(4), DeviceNode), Is.EqualTo(Errno.EOPNOTSUPP));
        Assert.That(Space.Areas[0].Traits.Policy!.HomeNode, Is.EqualTo(DeviceNode), "what came before is changed; a device's node will do");
    }

    [Test]
    public void File_KeepsThePolicyOfItsPages_ForEveryoneWhoMapsIt()
    {
        MemoryFile file = Inner.CreateFile(8);
        var shared = new AreaTraits(AreaKind.FileShared, AreaAccess.ReadWrite) { Backing = file };
        Inner.Map(0, 8, shared);
        rig.Bind(2, 3, PolicyMode.Bind, Of(Node2));
        AddressSpace other = Inner.Create();
        var request = new AreaRequest(Pages(8), shared) { At = At(0), Placement = AreaPlacement.Fixed };
        other.TryMap(request, out _).ThrowIfError();
        other.Placement.TrySetPolicy(PolicyMode.Bind, Of(Node1)).ThrowIfError();
        for (ulong page = 0; page < 8; page++)
        {
            Inner.Write(page, 1, other);
        }

        string nodes = string.Concat(Enumerable.Range(0, 8).Select(page => rig.NodeOf((ulong)page, other).Index));
        Assert.That(nodes, Is.EqualTo("11222111"));
        Assert.That(other.TryQueryPolicy(At(3), out MemoryPolicy? policy), Is.EqualTo(Errno.Ok));
        Assert.That(policy!.Nodes, Is.EqualTo(Of(Node2)));
        rig.Bind(3, 1, PolicyMode.Default);
        Assert.That(other.TryQueryPolicy(At(3), out policy), Is.EqualTo(Errno.Ok));
        Assert.That(policy, Is.Null);
    }

    [Test]
    public void QueryNode_FaultsThePageIn()
    {
        Inner.Map(0, 1);
        Inner.Map(1, 1);
        Inner.Write(1, 1);
        Space.Placement.TrySetPolicy(PolicyMode.Bind, Of(Node2)).ThrowIfError();
        Assert.That(Space.TryQueryNode(At(0), out NodeId zero), Is.EqualTo(Errno.Ok));
        Assert.That(Space.TryQueryNode(At(1, 5), out NodeId node), Is.EqualTo(Errno.Ok));
        Assert.That((Inner.Entry(0).IsZeroPage, zero, node), Is.EqualTo((true, Node0, Node0)));
        Assert.That(Space.TryQueryNode(At(7), out _), Is.EqualTo(Errno.EFAULT));
        Assert.That(Space.TryQueryNode(new VirtAddr(1UL << 47), out _), Is.EqualTo(Errno.EFAULT));
    }

    [Test]
    public void CpuNode_IsOneWithCpus() =>
        Assert.That(() => Space.Placement.CpuNode = Node2, Throws.ArgumentException);

    [Test]
    public void DevicePages_OfARangeThatIsBound_StayInSilence()
    {
        Pagemap map = Inner.MapDevice(PagemapKind.DeviceCoherent, new Driver());
        Inner.Map(0, 2);
        Inner.Write(0, 5);
        map.TryHandOut(map.Ranges[0].Start, out PageRef page, out PageLock pageLock).ThrowIfError();
        pageLock.Dispose();
        Area area = Space.FindArea(At(1))!;
        Space.PrepareRoot(area);
        Space.AddNewAnonymous(area, At(1), page.Page, pages: 1);
        Pte entry = Pte.Present(page.Page, PteProtection.ReadWrite).MakeAnonExclusive();
        Space.Tables.TryExchange(At(1), default, entry, out _).ThrowIfError();
        rig.Bind(0, 2, PolicyMode.Bind, Of(Node2), BindFlags.Strict | BindFlags.Move);
        Assert.That((rig.NodeOf(0), Inner.Entry(1)), Is.EqualTo((Node2, entry)), "the page of RAM moved, the device's did not, and nobody was told");
        var status = new PageMoveStatus[2];
        Assert.That(Space.TryMovePages([At(0), At(1)], [Node1, Node1], status, out int left), Is.EqualTo(Errno.Ok));
        Assert.That((status[0].Node, status[1].Errno, left), Is.EqualTo((Node1, Errno.ENOENT, 0)));
        Space.TryDropPages(At(1), Pages(1)).ThrowIfError();
        map.Unmap();
    }
}
