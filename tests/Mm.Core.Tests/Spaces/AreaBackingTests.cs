using Mm.Core.Frames;
using Mm.Core.Notifiers;
using Mm.Core.Spaces;
using static Mm.Core.Tests.Spaces.SpaceRig;

namespace Mm.Core.Tests.Spaces;

/// <summary>What a process may do with memory of a driver that nobody counts.</summary>
public sealed class AreaBackingTests
{
    private SpaceRig rig = null!;
    private FrameOwner owner = null!;

    private AddressSpace Space => rig.Space;

    [SetUp]
    public void SetUp()
    {
        rig = new SpaceRig();
        owner = new FrameOwner(rig.Machine);
    }

    [TearDown]
    public void TearDown()
    {
        rig.Dispose();
        Assert.That(owner.Opens, Is.Zero, "the owner was told that everybody is gone");
    }

    [Test]
    public void Touch_OfAPage_AsksTheOwnerOnceAndReachesTheDevice()
    {
        owner.Poke(3, 7);
        Map(1, 4, offset: 2);
        Assert.That(rig.Read(2), Is.EqualTo(7));
        rig.Write(2, 9);
        Assert.That((rig.Read(2), owner.Peek(3)), Is.EqualTo(((byte)9, (byte)9)));
        Assert.That(owner.Faults, Is.EqualTo(new[] { new AreaFault(At(2), new PageCount(3), IsWrite: false) }));
        Assert.That(rig.Resident(RssKind.File), Is.Zero, "nobody counts it");
    }

    [Test]
    public void Touch_WhereTheOwnerSaysNo_IsABusError()
    {
        Map(0, 2);
        owner.Answers = false;
        Assert.That((Space.Read(At(0), new byte[1]), Space.Write(At(1), [1])), Is.EqualTo((FaultResult.BusError, FaultResult.BusError)));
        Assert.That(owner.Faults[1], Is.EqualTo(new AreaFault(At(1), new PageCount(1), IsWrite: true)));
    }

    [Test]
    public void Touch_OfAReadOnlyArea_IsASegmentationFault()
    {
        Map(0, 1, access: AreaAccess.Read);
        Assert.That((Space.Write(At(0), [1]), owner.Faults.Count), Is.EqualTo((FaultResult.SegmentationFault, 0)));
        Assert.That(rig.Read(0), Is.Zero);
    }

    [Test]
    public void Touch_AfterTheWindowIsGone_ReadsOnesAndForgetsWrites()
    {
        Map(0, 1);
        Assert.That(rig.Read(0), Is.Zero);
        Assert.That(rig.Machine.TryRemoveRegion(owner.Region), Is.EqualTo(Errno.Ok));
        rig.Write(0, 5);
        Assert.That(rig.Read(0), Is.EqualTo(0xff), "as a bus answers for a device that is not there");
    }

    [Test]
    public void Unmap_ByTheOwner_TellsMirrorsAndFaultsAnew()
    {
        Map(0, 4, offset: 1);
        foreach (ulong page in new ulong[] { 0, 1, 2, 3 })
        {
            Assert.That(rig.Read(page), Is.Zero);
        }

        rig.Mirror.Seen.Clear();
        owner.Backing.Unmap(new PageCount(2), new PageCount(2));
        Assert.That(rig.Mirror.Seen, Is.EqualTo(new[] { (NotifierEvent.Clear, Range(1, 2)) }));
        owner.Faults.Clear();
        owner.Answers = false;
        Assert.That((rig.Read(0), rig.Read(3)), Is.EqualTo(((byte)0, (byte)0)), "what was not asked for stays");
        Assert.That(Space.Read(At(1), new byte[1]), Is.EqualTo(FaultResult.BusError));
        owner.Answers = true;
        Assert.That((rig.Read(1), owner.Faults.Count), Is.EqualTo(((byte)0, 2)));
    }

    [Test]
    public void Unmap_OfAll_ReachesEverySpace()
    {
        Map(0, 2);
        Assert.That(rig.Read(0), Is.Zero);
        AddressSpace child = rig.Fork();
        Assert.That((owner.Opens, owner.Backing.SpaceCount), Is.EqualTo((2, 2)));
        owner.Backing.Unmap();
        owner.Answers = false;
        Assert.That(Space.Read(At(0), new byte[1]), Is.EqualTo(FaultResult.BusError));
        Assert.That(child.Read(At(0), new byte[1]), Is.EqualTo(FaultResult.BusError));
    }

    [Test]
    public void Fork_OfMappedFrames_CopiesEntriesWithoutAFault([Values] bool writesAfter)
    {
        Map(0, 2);
        rig.Write(0, 3);
        int before = owner.Faults.Count;
        AddressSpace child = rig.Fork();
        Assert.That((rig.Read(0, child), owner.Faults.Count), Is.EqualTo(((byte)3, before)));
        if (writesAfter)
        {
            rig.Write(0, 4, child);
            Assert.That((rig.Read(0), owner.Peek(0)), Is.EqualTo(((byte)4, (byte)4)), "it is shared: the device has one memory");
        }
    }

    [Test]
    public void Fork_OfMemoryFilledAtOnce_IsWholeInTheChild()
    {
        owner.FillsAtOnce();
        owner.Answers = false;
        Map(0, FrameOwner.Pages);
        rig.Write(5, 6);
        AddressSpace child = rig.Fork();
        Assert.That((rig.Read(5, child), owner.Faults.Count), Is.EqualTo(((byte)6, 0)));
    }

    [Test]
    public void Unmap_OfTheMiddle_LeavesBothEndsWithTheirPages()
    {
        owner.Poke(3, 8);
        Map(0, 4);
        Assert.That(rig.Read(3), Is.EqualTo(8));
        Assert.That(Space.TryUnmap(At(1), Pages(2)), Is.EqualTo(Errno.Ok));
        Assert.That(Space.Areas.Select(static area => (area.Range, area.Offset.Value)), Is.EqualTo(new[] { (Range(0, 1), 0UL), (Range(3, 1), 3UL) }));
        Assert.That((rig.Read(3), owner.Opens), Is.EqualTo(((byte)8, 1)));
        Assert.That(Space.TryUnmap(At(0), Pages(4)), Is.EqualTo(Errno.Ok));
        Assert.That(owner.Opens, Is.Zero);
    }

    [Test]
    public void Map_OfNeighbours_NeverMakesOneOfThem()
    {
        Map(0, 2);
        Map(2, 2, offset: 2);
        Assert.That(Space.Areas, Has.Count.EqualTo(2));
    }

    [Test]
    public void Map_ThatTheOwnerRefuses_LeavesAHoleAndNoEntry()
    {
        rig.Map(0, 1);
        rig.Write(0, 5);
        owner.Fill = filling => filling.InsertFrame(filling.Area.Start, owner.Frame(0)) == FaultResult.Done ? Errno.ENODEV : Errno.Ok;
        Assert.That(TryMap(0, 2, out VirtRange placed), Is.EqualTo(Errno.ENODEV));
        Assert.That((placed.IsEmpty, Space.Areas.Count, owner.Opens), Is.EqualTo((true, 0, 0)), "what lay at the fixed place is gone, as in Linux");
        Assert.That(Space.Read(At(0), new byte[1]), Is.EqualTo(FaultResult.SegmentationFault));
    }

    [Test]
    public void Map_OfAnotherKind_Throws()
    {
        AreaTraits traits = owner.Backing.Describe(AreaAccess.Read) with { Kind = AreaKind.Mixed };
        Assert.That(() => Space.TryMap(new AreaRequest(Pages(1), traits), out _), Throws.ArgumentException);
        Assert.That(() => new AreaBacking(AreaKind.FileShared, owner), Throws.ArgumentException);
    }

    [Test]
    public void Move_KeepsEntriesAndWhichPageIsWhich()
    {
        owner.Poke(1, 4);
        Map(0, 2);
        Assert.That(rig.Read(1), Is.EqualTo(4));
        Assert.That(Space.TryMove(new AreaMove(At(0), Pages(2), Pages(2)) { MayMove = true, To = At(8) }, out _), Is.EqualTo(Errno.Ok));
        Assert.That((rig.Read(9), owner.Faults.Count), Is.EqualTo(((byte)4, 1)));
        owner.Backing.Unmap(PageCount.One, PageCount.One);
        Assert.That((rig.Read(9), owner.Faults[1].Offset.Value), Is.EqualTo(((byte)4, 1UL)));
    }

    [Test]
    public void Move_ThatWouldChangeTheLength_IsRefusedForBareFrames([Values(AreaKind.PfnMapped, AreaKind.DeviceMemory)] AreaKind kind)
    {
        rig.Map(0, 2, new AreaTraits(kind, AreaAccess.ReadWrite) { Backing = new object() });
        var grow = new AreaMove(At(0), Pages(2), Pages(4));
        Assert.That(Space.TryMove(grow, out _), Is.EqualTo(Errno.EFAULT));
        Assert.That(Space.TryMove(grow with { MayMove = true }, out _), Is.EqualTo(Errno.EFAULT));
        Assert.That(Space.TryMove(grow with { NewLength = Pages(1) }, out _), Is.EqualTo(Errno.Ok), "a tail can always be cut off");
    }

    [Test]
    public void Protect_ToNothingAndBack_KeepsTheEntry()
    {
        Map(0, 1);
        rig.Write(0, 2);
        Assert.That(Space.TryProtect(At(0), Pages(1), AreaAccess.None), Is.EqualTo(Errno.Ok));
        Assert.That(Space.Read(At(0), new byte[1]), Is.EqualTo(FaultResult.SegmentationFault));
        Assert.That(Space.TryProtect(At(0), Pages(1), AreaAccess.ReadWrite), Is.EqualTo(Errno.Ok));
        rig.Write(0, 3);
        Assert.That((owner.Peek(0), owner.Faults.Count), Is.EqualTo(((byte)3, 1)));
    }

    [Test]
    public void Advice_OnBareFrames_IsRefused([Values(AreaKind.PfnMapped, AreaKind.DeviceMemory)] AreaKind kind)
    {
        rig.Map(0, 1, new AreaTraits(kind, AreaAccess.ReadWrite) { Backing = new object() });
        Assert.That(Space.TryDropPages(At(0), Pages(1)), Is.EqualTo(Errno.EINVAL));
        Assert.That(Space.TryPopulateWrite(At(0), Pages(1)), Is.EqualTo(Errno.EINVAL));
    }

    [Test] // D4, museum 32
    public void Pin_OfBareFrames_IsEFAULTWhateverTheFlags(
        [Values(AreaKind.PfnMapped, AreaKind.DeviceMemory)] AreaKind kind,
        [Values(PinFlags.None, PinFlags.Write, PinFlags.LongTerm, PinFlags.Force, PinFlags.PeerMemory, PinFlags.Fast, PinFlags.Fast | PinFlags.Write)] PinFlags flags)
    {
        owner = new FrameOwner(rig.Machine, kind, at: 7UL << 30);
        owner.FillsAtOnce();
        Map(0, 2);
        Assert.That(rig.PinErrno(0, flags), Is.EqualTo(Errno.EFAULT));
    }

    [Test] // museum 32
    public void Pin_OfRamMappedAsBareFrames_TakesNoReferenceOfIt()
    {
        Assert.That(rig.Machine.Allocator.TryAllocate(AllocationRequest.Kernel, out PageRef page), Is.EqualTo(Errno.Ok));
        var ram = new FrameOwner(rig.Machine, AreaKind.PfnMapped, at: 7UL << 30);
        ram.Fill = filling => filling.TryRemap(filling.Area.Start, new PfnRange(page.Page, PageCount.One));
        rig.Map(0, 1, ram.Backing.Describe(AreaAccess.ReadWrite));
        rig.Write(0, 6);
        Assert.That(rig.Peek(page.Page), Is.EqualTo(6), "the process sees the driver's page");
        Assert.That(rig.PinErrno(0, PinFlags.Write | PinFlags.Fast), Is.EqualTo(Errno.EFAULT));
        Assert.That((rig.Frames.ReferencesOf(page.Page), rig.Frames.MapCountOf(page.Page)), Is.EqualTo((1U, 0UL)), "the driver may free it any time");
        ram.Backing.Unmap();
        page.Dispose();
        Assert.That(Space.Read(At(0), new byte[1]), Is.EqualTo(FaultResult.Done), "and its handler answers by another frame");
        Assert.That(Space.TryUnmap(At(0), Pages(1)), Is.EqualTo(Errno.Ok));
    }

    private void Map(ulong page, ulong count, ulong offset = 0, AreaAccess access = AreaAccess.ReadWrite) =>
        rig.Map(page, count, owner.Backing.Describe(access), offset);

    private Errno TryMap(ulong page, ulong count, out VirtRange placed) => Space.TryMap(
        new AreaRequest(Pages(count), owner.Backing.Describe(AreaAccess.ReadWrite)) { At = At(page), Placement = AreaPlacement.Fixed }, out placed);
}
