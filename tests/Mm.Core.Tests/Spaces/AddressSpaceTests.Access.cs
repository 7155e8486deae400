using Mm.Core.Notifiers;
using Mm.Core.Spaces;
using static Mm.Core.Tests.Spaces.SpaceRig;

namespace Mm.Core.Tests.Spaces;

public sealed partial class AddressSpaceTests
{
    [Test]
    public void ReadAndWrite_AcrossPages_AreOne()
    {
        rig.Map(0, 3);
        byte[] text = [.. Enumerable.Range(0, 5000).Select(static value => (byte)(value & 0xff))];
        Assert.That(Space.Write(At(0, Page - 100), text), Is.EqualTo(FaultResult.Done));
        var read = new byte[text.Length];
        Assert.That(Space.Read(At(0, Page - 100), read), Is.EqualTo(FaultResult.Done));
        Assert.That(read, Is.EqualTo(text));
        Assert.That(rig.Resident(), Is.EqualTo(3));
        Assert.That(rig.Entry(1).IsDirty, Is.True);
    }

    [Test]
    public void ReadAndWrite_OfNothing_TouchNothing()
    {
        Assert.That(Space.Read(At(0), []), Is.EqualTo(FaultResult.Done));
        Assert.That(Space.Write(At(0), []), Is.EqualTo(FaultResult.Done));
    }

    [Test]
    public void ReadAndWrite_IntoAHole_AreDoneUpToIt()
    {
        rig.Map(0, 1);
        Assert.That(Space.Write(At(0, Page - 1), [5, 6]), Is.EqualTo(FaultResult.SegmentationFault));
        var read = new byte[] { 1, 1 };
        Assert.That(Space.Read(At(0, Page - 1), read), Is.EqualTo(FaultResult.SegmentationFault));
        Assert.That(read, Is.EqualTo(new byte[] { 5, 1 }));
    }

    [TestCase(1UL << 47)]
    [TestCase(ulong.MaxValue)]
    [TestCase(0UL)]
    public void ReadAndWrite_WhereNothingCanBe_AreSegmentationFaults(ulong at)
    {
        Assert.That(Space.Read(new VirtAddr(at), new byte[2]), Is.EqualTo(FaultResult.SegmentationFault));
        Assert.That(Space.Write(new VirtAddr(at), new byte[2]), Is.EqualTo(FaultResult.SegmentationFault));
    }

    [Test]
    public void Write_WithoutMemory_IsOutOfMemoryAndLeavesNoPage()
    {
        rig.Map(0, 1);
        ulong free = rig.Free;
        rig.Machine.Faults.FailNth(FaultPoint.PageAlloc, 1, count: 8);
        Assert.That(Space.Write(At(0), [1]), Is.EqualTo(FaultResult.OutOfMemory));
        rig.Machine.Faults.Clear();
        Assert.That((rig.Free, rig.Resident()), Is.EqualTo((free, 0UL)));
    }

    [Test]
    public void Read_OfAFreshPage_ShowsThePageOfZerosAndAWriteReplacesIt()
    {
        rig.Map(0, 1);
        Assert.That(rig.Read(0), Is.Zero);
        Assert.That((rig.Entry(0).IsZeroPage, rig.Resident(), rig.Mirror.Seen.Count), Is.EqualTo((true, 0UL, 0)));
        rig.Write(0, 5);
        Assert.That((rig.Entry(0).IsZeroPage, rig.Entry(0).IsAnonExclusive, rig.Resident()), Is.EqualTo((false, true, 1UL)));
        Assert.That(rig.Mirror.Seen, Is.EqualTo(new[] { (NotifierEvent.Clear, Range(0, 1)) }), "the page of zeros goes");
        Assert.That(rig.Peek(rig.Spaces.ZeroPage), Is.Zero);
    }

    [Test]
    public void File_MappedPrivately_KeepsWritesFromIt()
    {
        MemoryFile file = rig.CreateFile(2, fill: 7);
        var own = new AreaTraits(AreaKind.FilePrivate, AreaAccess.ReadWrite) { Backing = file };
        rig.Map(0, 2, own);
        Assert.That(rig.Read(0), Is.EqualTo(7));
        rig.Write(0, 1);
        Assert.That(rig.Mirror.Seen, Is.EqualTo(new[] { (NotifierEvent.Clear, Range(0, 1)) }));
        rig.Write(1, 2);
        var inFile = new byte[1];
        Assert.That(file.Read(default, inFile), Is.EqualTo(1));
        Assert.That((inFile[0], rig.Read(0), rig.Read(1)), Is.EqualTo(((byte)7, (byte)1, (byte)2)));
        Assert.That(file.TryWrite(default, [9], out _), Is.EqualTo(Errno.Ok));
        Assert.That(rig.Read(0), Is.EqualTo(1), "the copy is the process's");
    }

    [Test]
    public void File_MappedShared_IsOneWithItsWritersAndReaders()
    {
        MemoryFile file = rig.CreateFile(1);
        var shared = new AreaTraits(AreaKind.FileShared, AreaAccess.ReadWrite) { Backing = file };
        rig.Map(0, 1, shared);
        AddressSpace other = rig.Create();
        MapIn(other, 5, shared);
        rig.Write(0, 3);
        Assert.That(rig.Read(5, other), Is.EqualTo(3));
        Assert.That(file.TryWrite(default, [4], out _), Is.EqualTo(Errno.Ok));
        Assert.That((rig.Read(0), rig.Read(5, other)), Is.EqualTo(((byte)4, (byte)4)));
        Assert.That(rig.Mirror.Seen, Is.Empty);
    }

    [Test]
    public void File_BeyondItsEnd_IsABusError([Values(AreaKind.FilePrivate, AreaKind.FileShared)] AreaKind kind)
    {
        MemoryFile file = rig.CreateFile(1, fill: 7);
        rig.Map(0, 2, new AreaTraits(kind, AreaAccess.ReadWrite) { Backing = file });
        Assert.That(Space.Read(At(1), new byte[1]), Is.EqualTo(FaultResult.BusError));
        Assert.That(Space.Write(At(1), [1]), Is.EqualTo(FaultResult.BusError));
        Assert.That(rig.Read(0), Is.EqualTo(7));
    }

    [Test]
    public void File_CutUnderAMapping_TakesPagesAndCopiesAway([Values(AreaKind.FilePrivate, AreaKind.FileShared)] AreaKind kind)
    {
        MemoryFile file = rig.CreateFile(3, fill: 7);
        rig.Map(0, 3, new AreaTraits(kind, AreaAccess.ReadWrite) { Backing = file });
        rig.Write(1, 1);
        rig.Write(2, 2);
        Assert.That(rig.Read(0), Is.EqualTo(7));
        rig.Mirror.Seen.Clear();
        Assert.That(file.TryResize(new ByteCount(Page + 1)), Is.EqualTo(Errno.Ok));
        Assert.That(rig.Mirror.Seen, Is.Not.Empty);
        Assert.That(rig.Mirror.Seen, Is.All.EqualTo((NotifierEvent.Clear, Range(2, 1))));
        Assert.That(Space.Read(At(2), new byte[1]), Is.EqualTo(FaultResult.BusError));
        Assert.That((rig.Read(0), rig.Read(1)), Is.EqualTo(((byte)7, (byte)1)), "a page that reaches over the end stays");
        Assert.That(file.TryResize(Pages(3)), Is.EqualTo(Errno.Ok));
        Assert.That(rig.Read(2), Is.Zero, "the process's own copy is gone too");
    }

    [Test]
    public void PopulateWrite_OfARange_MakesEveryPageOwn()
    {
        rig.Map(0, 3);
        Assert.That(rig.Read(1), Is.Zero);
        Assert.That(Space.TryPopulateWrite(At(0), Pages(3)), Is.EqualTo(Errno.Ok));
        Assert.That(rig.Resident(), Is.EqualTo(3));
        Assert.That(Enumerable.Range(0, 3), Is.All.Matches<int>(page => rig.Entry((ulong)page).IsWritable));
        Assert.That(rig.Read(1), Is.Zero);
    }

    [Test]
    public void PopulateWrite_WhatCannotBe_SaysWhyAndKeepsPagesBefore()
    {
        MemoryFile file = rig.CreateFile(1);
        rig.Map(0, 1);
        rig.Map(2, 1, Own with { Access = AreaAccess.Read });
        rig.Map(3, 2, new AreaTraits(AreaKind.FileShared, AreaAccess.ReadWrite) { Backing = file });
        rig.Map(5, 1, new AreaTraits(AreaKind.DeviceMemory, AreaAccess.ReadWrite) { Backing = new object() });
        Assert.That(Space.TryPopulateWrite(At(0, 1), Pages(1)), Is.EqualTo(Errno.EINVAL));
        Assert.That(Space.TryPopulateWrite(At(0), new ByteCount(ulong.MaxValue)), Is.EqualTo(Errno.EINVAL));
        Assert.That(Space.TryPopulateWrite(At(0), Pages(2)), Is.EqualTo(Errno.ENOMEM), "a hole");
        Assert.That(rig.Resident(), Is.EqualTo(1), "the page before it stays");
        Assert.That(Space.TryPopulateWrite(At(2), Pages(1)), Is.EqualTo(Errno.EINVAL), "read-only");
        Assert.That(Space.TryPopulateWrite(At(5), Pages(1)), Is.EqualTo(Errno.EINVAL), "special");
        Assert.That(Space.TryPopulateWrite(At(3), Pages(2)), Is.EqualTo(Errno.EFAULT), "beyond the file's end");
        Assert.That(Space.TryDropPages(At(0), Pages(1)), Is.EqualTo(Errno.Ok));
        rig.Machine.Faults.FailNth(FaultPoint.PageAlloc, 1);
        Assert.That(Space.TryPopulateWrite(At(0), Pages(1)), Is.EqualTo(Errno.ENOMEM), "no memory");
    }

    [Test]
    public void CollectPagemap_OfEachState_SaysWhatAProcessMayKnow()
    {
        MemoryFile file = rig.CreateFile(1, fill: 7);
        rig.Map(0, 3);
        rig.Map(3, 1, new AreaTraits(AreaKind.FileShared, AreaAccess.Read) { Backing = file });
        rig.Write(0, 1);
        rig.Write(1, 1);
        AddressSpace child = rig.Fork();
        rig.Write(1, 2);
        Assert.That((rig.Read(2), rig.Read(3)), Is.EqualTo(((byte)0, (byte)7)));
        var views = new PageView[5];
        Space.CollectPagemap(At(0), views);
        PageView[] expected =
        [
            new(IsPresent: true, IsElsewhere: false, IsExclusive: false, IsOfFile: false), // shared with the child
            new(IsPresent: true, IsElsewhere: false, IsExclusive: true, IsOfFile: false), // its own
            new(IsPresent: true, IsElsewhere: false, IsExclusive: false, IsOfFile: false), // the page of zeros
            new(IsPresent: true, IsElsewhere: false, IsExclusive: true, IsOfFile: true),
            default,
        ];
        Assert.That(views, Is.EqualTo(expected));
        child.Dispose();
        Space.CollectPagemap(At(0), views.AsSpan(0, 1));
        Assert.That(views[0].IsExclusive, Is.True, "alone again");
        Assert.That(() => Space.CollectPagemap(At(0, 1), views), Throws.ArgumentException);
        Assert.That(() => Space.CollectPagemap(new VirtAddr((1UL << 48) - Page), views), Throws.InstanceOf<ArgumentException>());
        Assert.That(Space.Lock.IsHeld, Is.False);
    }
}
