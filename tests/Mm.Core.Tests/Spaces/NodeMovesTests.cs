using Mm.Core.Frames;
using Mm.Core.Policies;
using Mm.Core.Spaces;
using static Mm.Core.Tests.Spaces.NodeRig;
using static Mm.Core.Tests.Spaces.SpaceRig;

namespace Mm.Core.Tests.Spaces;

/// <summary>Pages that change nodes: by mbind, move_pages and migrate_pages, with the answer for each.</summary>
internal sealed class NodeMovesTests
{
    private NodeRig rig = null!;

    private SpaceRig Inner => rig.Rig;

    private AddressSpace Space => rig.Space;

    [SetUp]
    public void Build() => rig = new NodeRig();

    [TearDown]
    public void LeavesNothing() => rig.Dispose();

    [Test]
    public void Bind_WithMove_BringsPagesWithTheirBytes()
    {
        Inner.Map(0, 16);
        rig.WriteAll(0, 16);
        rig.Bind(4, 8, PolicyMode.Interleave, Of(Node1, Node2), BindFlags.Move | BindFlags.Strict);
        Assert.That(rig.NodesOf(0, 16), Is.EqualTo("0000121212120000"));
        rig.ReadsAll(0, 16);
        rig.Bind(0, 16, PolicyMode.Default, flags: BindFlags.Move);
        Assert.That(rig.NodesOf(0, 16), Is.EqualTo("0000000000000000"), "back to where the CPU is");
        rig.ReadsAll(0, 16);
    }

    [Test]
    public void Bind_StrictAlone_IsEioForAMisplacedPage_AndChangesNothing()
    {
        Inner.Map(0, 2);
        Inner.Write(1, 5);
        Assert.That(rig.TryBind(0, 1, PolicyMode.Bind, Of(Node1), BindFlags.Strict), Is.EqualTo(Errno.Ok), "nothing is there");
        Assert.That(rig.TryBind(0, 2, PolicyMode.Bind, Of(Node2), BindFlags.Strict), Is.EqualTo(Errno.EIO));
        Assert.That((Space.Areas[0].Traits.Policy!.Nodes, Space.Areas[1].Traits.Policy), Is.EqualTo((Of(Node1), (MemoryPolicy?)null)));
        Assert.That(rig.TryBind(1, 1, PolicyMode.Bind, Of(Node0), BindFlags.Strict), Is.EqualTo(Errno.Ok), "it is there already");
    }

    [Test]
    public void Bind_StrictWithMove_IsEioForAPinnedPage_AfterMovingTheOthers()
    {
        Inner.Map(0, 4);
        rig.WriteAll(0, 4);
        PagePin pin = Inner.Pin(1, PinFlags.Write);
        Assert.That(rig.TryBind(0, 4, PolicyMode.Bind, Of(Node2), BindFlags.Move | BindFlags.Strict), Is.EqualTo(Errno.EIO));
        Assert.That((rig.NodesOf(0, 4), Space.Areas[0].Traits.Policy!.Nodes), Is.EqualTo(("2022", Of(Node2))), "the policy is set all the same");
        Assert.That(rig.TryBind(0, 4, PolicyMode.Bind, Of(Node2), BindFlags.Move), Is.EqualTo(Errno.Ok), "without strict nobody is told");
        pin.Dispose();
        rig.Bind(0, 4, PolicyMode.Bind, Of(Node2), BindFlags.Move | BindFlags.Strict);
        Assert.That(rig.NodesOf(0, 4), Is.EqualTo("2222"));
        rig.ReadsAll(0, 4);
    }

    [Test]
    public void Bind_OfPagesThatOthersMap_LeavesThem_UnlessAllAreAsked()
    {
        Inner.Map(0, 2);
        rig.WriteAll(0, 2);
        AddressSpace child = Inner.Fork();
        Inner.Write(1, 2);
        Assert.That(rig.TryBind(0, 2, PolicyMode.Bind, Of(Node1), BindFlags.Move | BindFlags.Strict), Is.EqualTo(Errno.Ok), "to leave one is no failure");
        Assert.That(rig.NodesOf(0, 2), Is.EqualTo("01"));
        Space.Placement.MayMoveShared = true;
        rig.Bind(0, 2, PolicyMode.Bind, Of(Node2), BindFlags.MoveAll | BindFlags.Strict);
        Assert.That((rig.NodesOf(0, 2), rig.NodeOf(0, child), rig.NodeOf(1, child)), Is.EqualTo(("22", Node2, Node0)));
        Assert.That((Inner.Entry(0, child).Frame, Inner.Read(0, child), Inner.Read(1, child)), Is.EqualTo((Inner.Entry(0).Frame, (byte)1, (byte)2)));
        rig.ReadsAll(0, 2);
    }

    [Test]
    public void FilePages_Move_AndEveryoneSeesThem()
    {
        MemoryFile file = Inner.CreateFile(4, fill: 7);
        var shared = new AreaTraits(AreaKind.FileShared, AreaAccess.ReadWrite) { Backing = file };
        Inner.Map(0, 4, shared);
        rig.WriteAll(0, 4);
        Space.Placement.MayMoveShared = true;
        rig.Bind(0, 4, PolicyMode.Bind, Of(Node2), BindFlags.MoveAll | BindFlags.Strict);
        Assert.That(rig.NodesOf(0, 4), Is.EqualTo("2222"));
        rig.ReadsAll(0, 4);
        var bytes = new byte[2];
        Assert.That(file.Read(new ByteCount(3 * Page), bytes), Is.EqualTo(2));
        Assert.That(bytes, Is.EqualTo(new byte[] { 4, 7 }));
        Assert.That(file.TryGetPage(new PageCount(2), out PageRef held), Is.EqualTo(Errno.Ok));
        Assert.That(held.Page, Is.EqualTo(Inner.Entry(2).Frame));
        Assert.That(rig.TryBind(2, 1, PolicyMode.Bind, Of(Node1), BindFlags.MoveAll | BindFlags.Strict), Is.EqualTo(Errno.EIO), "somebody holds it");
        held.Dispose();
        file.Validate();
    }

    [Test]
    public void LargePage_Moves()
    {
        Inner.Map(0, 512);
        Space.TryWantHugePages(At(0), Pages(512), wanted: true).ThrowIfError();
        rig.WriteAll(0, 200);
        Assert.That(Inner.SizeAt(0), Is.EqualTo(PageSize.Large));
        rig.Bind(0, 512, PolicyMode.Bind, Of(Node1), BindFlags.Move | BindFlags.Strict);
        Assert.That(rig.NodesOf(0, 512), Is.EqualTo(new string('1', 512)));
        Assert.That(Inner.SizeAt(0), Is.EqualTo(PageSize.Large), "in one piece");
        rig.ReadsAll(0, 200);
    }

    [Test]
    public void FilePage_ThatIsHeldAndCutWhileItIsQueued_StaysWithItsHolder()
    {
        MemoryFile file = Inner.CreateFile(1, fill: 7);
        var queue = new MoveQueue(Inner.Spaces);
        file.TryGetPage(PageCount.Zero, out PageRef queued).ThrowIfError();
        using PageRef held = queued.TryAddReference(out PageRef other).IsOk ? other : default;
        Assert.That(queue.TryAdd(queued), Is.True);
        file.TryResize(ByteCount.Zero).ThrowIfError();
        Assert.That(queue.Move(queue.ToNode(Node2)), Is.EqualTo((Errno.Ok, 1)));
        Assert.That(Inner.Frames.ReferencesOf(held.Page), Is.EqualTo(1U));
    }

    [Test]
    public void MovePages_TellsOfEachPage()
    {
        MemoryFile file = Inner.CreateFile(1, fill: 3);
        Inner.Map(0, 4);
        Inner.Map(4, 1, new AreaTraits(AreaKind.FileShared, AreaAccess.ReadWrite) { Backing = file });
        Inner.Map(5, 1, new AreaTraits(AreaKind.PfnMapped, AreaAccess.ReadWrite));
        Inner.Write(1, 2);
        _ = Inner.Fork();
        Inner.Write(0, 1);
        Assert.That(Inner.Read(2), Is.Zero);
        Assert.That(Inner.Read(4), Is.EqualTo(3));
        VirtAddr[] pages = [At(0, 9), At(1), At(2), At(3), At(4), At(5), At(6), new(1UL << 47)];
        var status = new PageMoveStatus[pages.Length];
        NodeId[] nodes = [.. pages.Select(static _ => Node2)];
        Assert.That(Space.TryMovePages(pages, nodes, status, out int left), Is.EqualTo(Errno.Ok));
        string[] expected = ["node 2", "EACCES", "EFAULT", "ENOENT", "node 2", "EFAULT", "EFAULT", "EFAULT"];
        Assert.That(status.Select(static answer => answer.ToString()), Is.EqualTo(expected));
        Assert.That((left, Inner.Read(0), Inner.Read(4)), Is.EqualTo((0, (byte)1, (byte)3)));
        Space.QueryNodes(pages, status);
        expected = ["node 2", "node 0", "EFAULT", "ENOENT", "node 2", "ENOENT", "EFAULT", "EFAULT"];
        Assert.That(status.Select(static answer => answer.ToString()), Is.EqualTo(expected), "a look asks no leave to move");
    }

    [Test]
    public void MovePages_ToNodesThatWillNotDo_StopsThere_AfterTheRunBefore()
    {
        Inner.Map(0, 3);
        rig.WriteAll(0, 3);
        var status = new PageMoveStatus[3];
        Assert.That(Space.TryMovePages([At(0), At(1), At(2)], [Node1, DeviceNode, Node1], status, out _), Is.EqualTo(Errno.ENODEV));
        Assert.That((rig.NodesOf(0, 3), status[0].Node, status[1].IsWritten), Is.EqualTo(("100", Node1, false)));
        Space.Placement.AllowedNodes = Of(Node0, Node2);
        Assert.That(Space.TryMovePages([At(1), At(2)], [Node2, Node1], status.AsSpan(1), out _), Is.EqualTo(Errno.EACCES));
        Assert.That((rig.NodesOf(0, 3), status[1].Node), Is.EqualTo(("120", Node2)));
        Assert.That(Space.TryMovePages([At(2)], [Node2], status.AsSpan(2), out _, all: true), Is.EqualTo(Errno.EPERM));
        Assert.That(() => Space.TryMovePages([At(2)], [], status.AsSpan(2), out _), Throws.ArgumentException);
        Assert.That(() => Space.QueryNodes([At(2)], status), Throws.ArgumentException);
    }

    [Test]
    public void MovePages_OfAPageThatStays_CountsItAndThoseNotTried()
    {
        Inner.Map(0, 4);
        rig.WriteAll(0, 4);
        PagePin pin = Inner.Pin(0, PinFlags.Write);
        var status = new PageMoveStatus[4];
        Assert.That(Space.TryMovePages([At(0), At(1), At(2), At(3)], [Node1, Node1, Node2, Node2], status, out int left), Is.EqualTo(Errno.Ok));
        Assert.That((left, rig.NodesOf(0, 4), status[0].IsWritten), Is.EqualTo((3, "0100", false)), "one failed, two were not tried");
        pin.Dispose();
    }

    [Test]
    public void MovePages_OfAPageOffTheList_IsEbusy()
    {
        Inner.Map(0, 1);
        Inner.Write(0, 1);
        Pfn page = Inner.Entry(0).Frame;
        Assert.That(Inner.Spaces.Migration.TryIsolate(page), Is.True);
        var status = new PageMoveStatus[1];
        Assert.That(Space.TryMovePages([At(0)], [Node1], status, out _), Is.EqualTo(Errno.Ok));
        Assert.That(status[0].Errno, Is.EqualTo(Errno.EBUSY));
        Assert.That(rig.TryBind(0, 1, PolicyMode.Bind, Of(Node1), BindFlags.Move | BindFlags.Strict), Is.EqualTo(Errno.EIO));
        Inner.Spaces.Migration.PutBack(page);
    }

    [Test]
    public void MovePages_ToAFullNode_IsEnomem_AndAllGoesBack()
    {
        Inner.Map(0, 2);
        rig.WriteAll(0, 2);
        List<PageRef> all = rig.FillNode(Node2);
        var status = new PageMoveStatus[2];
        Assert.That(Space.TryMovePages([At(0), At(1)], [Node2, Node2], status, out _), Is.EqualTo(Errno.ENOMEM));
        Assert.That((rig.NodesOf(0, 2), status[0].IsWritten), Is.EqualTo(("00", false)));
        Assert.That(rig.TryBind(0, 2, PolicyMode.Bind, Of(Node2), BindFlags.Move | BindFlags.Strict), Is.EqualTo(Errno.EIO));
        Assert.That(Space.TryMigrateNodes(Of(Node0), Of(Node2), out _), Is.EqualTo(Errno.ENOMEM));
        all.ForEach(static page => page.Dispose());
        Assert.That(Space.TryMovePages([At(0), At(1)], [Node2, Node2], status, out _), Is.EqualTo(Errno.Ok));
        Assert.That(rig.NodesOf(0, 2), Is.EqualTo("22"));
        rig.ReadsAll(0, 2);
    }

    [Test]
    public void MigrateNodes_KeepsTheShape()
    {
        Inner.Map(0, 6);
        rig.Bind(0, 6, PolicyMode.Interleave, Of(Node0, Node1, Node2));
        rig.WriteAll(0, 6);
        string before = rig.NodesOf(0, 6);
        Assert.That(Space.TryMigrateNodes(Of(Node0, Node1), Of(Node1, Node2), out int left), Is.EqualTo(Errno.Ok));
        string shifted = before.Replace('1', '2').Replace('0', '1');
        Assert.That((rig.NodesOf(0, 6), left), Is.EqualTo((shifted, 0)), "1 to 2 first, then 0 to 1");
        Assert.That(Space.TryMigrateNodes(Of(Node0, Node1, Node2), Of(Node0), out left), Is.EqualTo(Errno.Ok));
        Assert.That((rig.NodesOf(0, 6), left), Is.EqualTo(("000000", 0)));
        rig.ReadsAll(0, 6);
    }

    [Test]
    public void MigrateNodes_CountsWhatStays_AndRefusesForeignNodes()
    {
        Inner.Map(0, 2);
        rig.WriteAll(0, 2);
        PagePin pin = Inner.Pin(0, PinFlags.Write);
        Assert.That(Space.TryMigrateNodes(Of(Node0), Of(Node1), out int left), Is.EqualTo(Errno.Ok));
        Assert.That((rig.NodesOf(0, 2), left), Is.EqualTo(("01", 1)));
        pin.Dispose();
        Assert.That(Space.TryMigrateNodes(Of(Node0), default, out _), Is.EqualTo(Errno.EINVAL), "no node");
        Assert.That(Space.TryMigrateNodes(Of(Node0), Of(DeviceNode), out _), Is.EqualTo(Errno.EPERM), "one that nobody may use");
        Space.Placement.MayMoveShared = true;
        Assert.That(Space.TryMigrateNodes(Of(Node0), Of(DeviceNode), out _), Is.EqualTo(Errno.EINVAL), "who may, finds none left");
    }
}
