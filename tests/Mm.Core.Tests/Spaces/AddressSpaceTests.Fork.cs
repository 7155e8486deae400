using Mm.Core.Notifiers;
using Mm.Core.Spaces;
using static Mm.Core.Tests.Spaces.SpaceRig;

namespace Mm.Core.Tests.Spaces;

public sealed partial class AddressSpaceTests
{
    [Test]
    public void Fork_OfOwnMemory_PartsWithTheFirstWriteOfEither([Values] bool isChild)
    {
        rig.Map(0, 2);
        rig.Write(0, 1);
        rig.Write(1, 2);
        Pfn before = rig.Entry(0).Frame;
        AddressSpace child = rig.Fork();
        Assert.That(rig.Mirror.Seen, Is.EqualTo(new[] { (NotifierEvent.ProtectionPage, Range(0, 2)) }));
        Assert.That((rig.Entry(0).Frame, rig.Entry(0, child).Frame), Is.EqualTo((before, before)));
        Assert.That((rig.Entry(0).IsWritable, rig.Entry(0, child).IsWritable), Is.EqualTo((false, false)));
        Assert.That(rig.Frames.Describe(before).MapCount, Is.EqualTo(2));
        rig.Validate();
        (AddressSpace first, AddressSpace second) = isChild ? (child, Space) : (Space, child);
        rig.Write(0, 9, first);
        Assert.That((rig.Read(0, first), rig.Read(0, second)), Is.EqualTo(((byte)9, (byte)1)));
        Assert.That(rig.Entry(0, second).Frame, Is.EqualTo(before));
        rig.Validate();
        rig.Write(0, 8, second);
        Assert.That(rig.Entry(0, second).Frame, Is.EqualTo(before), "alone with it: written in place");
        Assert.That((rig.Read(0, first), rig.Read(0, second), rig.Read(1, child)), Is.EqualTo(((byte)9, (byte)8, (byte)2)));
        Assert.That((rig.Resident(), rig.Resident(of: child)), Is.EqualTo((2UL, 2UL)));
    }

    [Test]
    public void Fork_ThatTheChildLeaves_GivesThePageBackToTheParent()
    {
        rig.Map(0, 1);
        rig.Write(0, 1);
        Pfn before = rig.Entry(0).Frame;
        rig.Fork().Dispose();
        rig.Mirror.Seen.Clear();
        rig.Write(0, 2);
        Assert.That((rig.Entry(0).Frame, rig.Entry(0).IsAnonExclusive), Is.EqualTo((before, true)));
        Assert.That(rig.Mirror.Seen, Is.Empty, "no page goes");
    }

    [Test]
    public void Fork_OfSharedMemory_StaysOne([Values] bool isFile)
    {
        MemoryFile file = rig.CreateFile(1, fill: 7);
        rig.Map(0, 1, isFile
            ? new AreaTraits(AreaKind.FileShared, AreaAccess.ReadWrite) { Backing = file }
            : new AreaTraits(AreaKind.AnonymousShared, AreaAccess.ReadWrite));
        rig.Write(0, 1);
        AddressSpace child = rig.Fork();
        Assert.That(rig.Mirror.Seen, Is.Empty, "nothing is write-protected");
        rig.Write(0, 2, child);
        Assert.That(rig.Read(0), Is.EqualTo(2));
        rig.Write(0, 3);
        Assert.That(rig.Read(0, child), Is.EqualTo(3));
    }

    [Test]
    public void Fork_OfPrivateFileMemory_SharesTheFileAndPartsTheCopies()
    {
        MemoryFile file = rig.CreateFile(2, fill: 7);
        rig.Map(0, 2, new AreaTraits(AreaKind.FilePrivate, AreaAccess.ReadWrite) { Backing = file });
        rig.Write(0, 1);
        AddressSpace child = rig.Fork();
        rig.Write(0, 2, child);
        rig.Write(1, 3, child);
        Assert.That((rig.Read(0), rig.Read(1), rig.Read(0, child), rig.Read(1, child)), Is.EqualTo(((byte)1, (byte)7, (byte)2, (byte)3)));
    }

    [Test]
    public void Fork_OfAFork_PartsThreeWays()
    {
        rig.Map(0, 1);
        rig.Write(0, 1);
        AddressSpace child = rig.Fork();
        AddressSpace grandchild = rig.Fork(child);
        Assert.That(rig.Frames.Describe(rig.Entry(0).Frame).MapCount, Is.EqualTo(3));
        rig.Write(0, 2, child);
        rig.Write(0, 3, grandchild);
        rig.Validate();
        Assert.That((rig.Read(0), rig.Read(0, child), rig.Read(0, grandchild)), Is.EqualTo(((byte)1, (byte)2, (byte)3)));
    }

    [Test]
    public void Fork_OfAreas_KeepsWhatTheyAre()
    {
        rig.Map(0, 2);
        rig.Map(4, 1, Own with { Access = AreaAccess.Read, Name = "heap" });
        AddressSpace child = rig.Fork();
        Assert.That(
            child.Areas.Select(static area => (area.Range, area.Offset, area.Traits)),
            Is.EqualTo(Space.Areas.Select(static area => (area.Range, area.Offset, area.Traits))));
        Assert.That(rig.Resident(of: child), Is.Zero);
    }

    [Test]
    public void Fork_OfReadOnlyMemory_LetsTheChildRead()
    {
        rig.Map(0, 1);
        rig.Write(0, 4);
        Assert.That(Protect(0, 1, AreaAccess.Read), Is.EqualTo(Errno.Ok));
        AddressSpace child = rig.Fork();
        Assert.That((rig.Read(0), rig.Read(0, child)), Is.EqualTo(((byte)4, (byte)4)));
        Assert.That(child.Write(At(0), [1]), Is.EqualTo(FaultResult.SegmentationFault));
        Assert.That(child.TryProtect(At(0), Pages(1), AreaAccess.ReadWrite), Is.EqualTo(Errno.Ok));
        rig.Write(0, 5, child);
        Assert.That(rig.Read(0), Is.EqualTo(4));
    }

    [Test]
    public void Fork_WithoutMemory_IsEnomemAndLeavesTheParentAsItWas()
    {
        rig.Map(0, 2);
        rig.Write(0, 1);
        rig.Write(1, 2);
        rig.Machine.Faults.FailNth(FaultPoint.PageAlloc, 1);
        Assert.That(Space.TryFork(out AddressSpace? child), Is.EqualTo(Errno.ENOMEM));
        Assert.That((child, rig.Spaces.Count, Space.Lock.IsHeld), Is.EqualTo(((AddressSpace?)null, 1, false)));
        rig.Write(0, 3);
        Assert.That((rig.Read(0), rig.Read(1)), Is.EqualTo(((byte)3, (byte)2)));
    }
}
