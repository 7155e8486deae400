using Mm.Core.Notifiers;
using Mm.Core.Spaces;
using static Mm.Core.Tests.Spaces.SpaceRig;

namespace Mm.Core.Tests.Spaces;

public sealed partial class AddressSpaceTests
{
    private const ulong Top = (1UL << 47) - Page;

    [Test]
    public void Map_OfEachKindOfMemory_ReadsAsItsBacking()
    {
        MemoryFile file = rig.CreateFile(2, fill: 7);
        rig.Map(0, 1);
        rig.Map(1, 1, new AreaTraits(AreaKind.AnonymousShared, AreaAccess.ReadWrite));
        rig.Map(2, 1, new AreaTraits(AreaKind.FilePrivate, AreaAccess.Read) { Backing = file }, offset: 1);
        rig.Map(3, 1, new AreaTraits(AreaKind.FileShared, AreaAccess.ReadWrite) { Backing = file }, offset: 1);
        Assert.That(new[] { rig.Read(0), rig.Read(1), rig.Read(2), rig.Read(3) }, Is.EqualTo(new byte[] { 0, 0, 7, 7 }));
        rig.Write(3, 9);
        Assert.That(rig.Read(2), Is.EqualTo(9), "a private page that was never written shows the file");
        Assert.That(Space.Areas, Has.Count.EqualTo(4));
    }

    [Test]
    public void Map_OfKindsWithoutBacking_IsABusError(
        [Values(AreaKind.PfnMapped, AreaKind.DeviceMemory, AreaKind.Mixed, AreaKind.PeerMemory)] AreaKind kind)
    {
        rig.Map(0, 1, new AreaTraits(kind, AreaAccess.ReadWrite) { Backing = new object() });
        Assert.That(Space.Read(At(0), new byte[1]), Is.EqualTo(FaultResult.BusError));
        Assert.That(Space.Write(At(0), [1]), Is.EqualTo(FaultResult.BusError));
    }

    [Test]
    public void Map_WhatCannotBe_SaysWhy()
    {
        MemoryFile file = rig.CreateFile(1, allowsSealing: true);
        var shared = new AreaTraits(AreaKind.FileShared, AreaAccess.ReadWrite) { Backing = file };
        rig.Map(0, 1);
        Assert.That(TryMap(0, 0, Own), Is.EqualTo(Errno.EINVAL), "no length");
        Assert.That(TryMap(Base + 1, Page, Own), Is.EqualTo(Errno.EINVAL), "not a page's address");
        Assert.That(TryMap(Top, Page, Own), Is.EqualTo(Errno.ENOMEM), "beyond the addresses of a process");
        Assert.That(TryMap(Base, Page, Own, AreaPlacement.FixedNoReplace), Is.EqualTo(Errno.EEXIST));
        Assert.That(TryMap(Base, Page, Own with { Forbidden = AreaAccess.Write }), Is.EqualTo(Errno.EACCES));
        Assert.That(TryMap(Base, Page, shared, offset: 1UL << 52), Is.EqualTo(Errno.EOVERFLOW));
        Assert.That(file.TryAddSeals(FileSeals.Write), Is.EqualTo(Errno.Ok), "refused maps hold nothing");
        Assert.That(TryMap(Base, Page, shared), Is.EqualTo(Errno.EPERM));
        Assert.That(Space.Areas, Has.Count.EqualTo(1));
    }

    [Test]
    public void Map_OverPages_UnmapsThemAndTells()
    {
        rig.Map(0, 3);
        rig.Write(1, 5);
        MapIn(Space, 1, Own);
        Assert.That(rig.Mirror.Seen, Is.EqualTo(new[] { (NotifierEvent.Unmap, Range(1, 1)) }));
        Assert.That((rig.Read(1), Space.Areas.Count, rig.Resident()), Is.EqualTo(((byte)0, 1, 0UL)));
    }

    [Test]
    public void Map_OverAll_FreesTables()
    {
        rig.Map(0, 1);
        rig.Write(0, 5);
        Assert.That(Space.Tables.HasSmallTable(At(0)), Is.True);
        MapIn(Space, 0, Own);
        Assert.That(Space.Tables.HasSmallTable(At(0)), Is.False);
    }

    [Test]
    public void Unmap_OfTheMiddle_LeavesTwoAreasAndTheirPages()
    {
        rig.Map(0, 3);
        for (ulong page = 0; page < 3; page++)
        {
            rig.Write(page, (byte)(page + 1));
        }

        Assert.That(Space.TryUnmap(At(1), new ByteCount(1)), Is.EqualTo(Errno.Ok));
        Assert.That(rig.Mirror.Seen, Is.EqualTo(new[] { (NotifierEvent.Unmap, Range(1, 1)) }));
        Assert.That(Space.Areas.Select(static area => area.Range), Is.EqualTo(new[] { Range(0, 1), Range(2, 1) }));
        Assert.That((rig.Read(0), rig.Read(2), rig.Resident()), Is.EqualTo(((byte)1, (byte)3, 2UL)));
        Assert.That(Space.Read(At(1), new byte[1]), Is.EqualTo(FaultResult.SegmentationFault));
    }

    [Test]
    public void Unmap_OfAll_FreesTables()
    {
        PageCount before = Space.TableCount;
        rig.Map(0, 1);
        rig.Write(0, 1);
        Assert.That(Space.TableCount, Is.GreaterThan(before));
        Assert.That(Space.TryUnmap(At(0), Pages(1)), Is.EqualTo(Errno.Ok));
        Assert.That(Space.TableCount, Is.EqualTo(before));
        Assert.That(Space.TryUnmap(At(0), Pages(1)), Is.EqualTo(Errno.Ok), "holes are no harm");
    }

    [Test]
    public void WhatLiesInAHole_IsUnmappedReplacedOrMovedOver_AndNobodyIsTold()
    {
        rig.Map(0, 1);
        rig.Write(0, 1);
        rig.Mirror.Seen.Clear();
        Assert.That(Space.TryUnmap(At(1), Pages(3)), Is.EqualTo(Errno.Ok));
        var request = new AreaRequest(Pages(1), SpaceRig.Own) { At = At(2), Placement = AreaPlacement.Fixed };
        Assert.That(Space.TryMap(request, out _), Is.EqualTo(Errno.Ok));
        Assert.That(rig.Mirror.Seen, Is.Empty);
        var move = new AreaMove(At(0), Pages(1), Pages(1)) { MayMove = true, To = At(8) };
        Assert.That(Space.TryMove(move, out _), Is.EqualTo(Errno.Ok));
        Assert.That(rig.Mirror.Seen, Is.EqualTo(new[] { (NotifierEvent.Unmap, Range(0, 1)) }), "the place that it leaves");
    }

    [Test]
    public void Unmap_WhatCannotBe_IsEinval()
    {
        Assert.That(Space.TryUnmap(new VirtAddr(Base + 1), Pages(1)), Is.EqualTo(Errno.EINVAL));
        Assert.That(Space.TryUnmap(At(0), default), Is.EqualTo(Errno.EINVAL));
        Assert.That(Space.TryUnmap(new VirtAddr(Top), Pages(1)), Is.EqualTo(Errno.EINVAL));
        Assert.That(Space.TryUnmap(At(0), new ByteCount(ulong.MaxValue)), Is.EqualTo(Errno.EINVAL));
        Assert.That(rig.Mirror.Seen, Is.Empty);
    }

    [Test]
    public void Protect_OfTheMiddleAndBack_SplitsAndMerges()
    {
        rig.Map(0, 3);
        rig.Write(1, 5);
        Assert.That(Protect(1, 1, AreaAccess.Read), Is.EqualTo(Errno.Ok));
        Assert.That(Space.Areas, Has.Count.EqualTo(3));
        Assert.That((Space.Write(At(1), [1]), rig.Read(1)), Is.EqualTo((FaultResult.SegmentationFault, (byte)5)));
        Assert.That(Protect(1, 1, AreaAccess.None), Is.EqualTo(Errno.Ok));
        Assert.That(Space.Read(At(1), new byte[1]), Is.EqualTo(FaultResult.SegmentationFault));
        Assert.That((rig.Entry(1).IsProtNone, rig.Resident()), Is.EqualTo((true, 1UL)), "the page stays");
        Assert.That(Protect(1, 1, AreaAccess.ReadWrite), Is.EqualTo(Errno.Ok));
        Assert.That(Space.Areas, Has.Count.EqualTo(1));
        Assert.That(rig.Entry(1).IsWritable, Is.True, "an exclusive page needs no fault");
        Assert.That(rig.Read(1), Is.EqualTo(5));
        Assert.That(rig.Mirror.Seen, Is.EqualTo(Enumerable.Repeat((NotifierEvent.ProtectionArea, Range(1, 1)), 3)));
    }

    [Test]
    public void Protect_WhereNothingChanges_TellsNobody()
    {
        rig.Map(0, 2);
        rig.Map(2, 2, Own with { Access = AreaAccess.Read });
        Assert.That(Protect(0, 4, AreaAccess.Read), Is.EqualTo(Errno.Ok));
        Assert.That(rig.Mirror.Seen, Is.EqualTo(new[] { (NotifierEvent.ProtectionArea, Range(0, 2)) }));
        rig.Mirror.Seen.Clear();
        Assert.That(Protect(0, 4, AreaAccess.Read), Is.EqualTo(Errno.Ok));
        Assert.That(Protect(0, 0, AreaAccess.ReadWrite), Is.EqualTo(Errno.Ok));
        Assert.That((rig.Mirror.Seen.Count, Space.Areas.Count), Is.EqualTo((0, 1)));
    }

    [Test]
    public void Protect_WhatCannotBe_SaysWhyAndKeepsWhatItDid()
    {
        rig.Map(0, 1);
        rig.Map(2, 1, Own with { Access = AreaAccess.Read, Forbidden = AreaAccess.Write });
        Assert.That(Space.TryProtect(At(0, 1), Pages(1), AreaAccess.Read), Is.EqualTo(Errno.EINVAL));
        Assert.That(Space.TryProtect(At(0), new ByteCount(ulong.MaxValue), AreaAccess.Read), Is.EqualTo(Errno.ENOMEM));
        Assert.That(Protect(2, 1, AreaAccess.ReadWrite), Is.EqualTo(Errno.EACCES));
        Assert.That(rig.Mirror.Seen, Is.Empty);
        Assert.That(Protect(0, 3, AreaAccess.Read), Is.EqualTo(Errno.ENOMEM), "a hole");
        Assert.That(rig.Mirror.Seen, Is.EqualTo(new[] { (NotifierEvent.ProtectionArea, Range(0, 1)) }));
        Assert.That(Space.Write(At(0), [1]), Is.EqualTo(FaultResult.SegmentationFault));
    }

    [Test]
    public void Move_ToAnotherPlace_TakesPagesAlong()
    {
        rig.Map(0, 2);
        rig.Write(0, 1);
        rig.Write(1, 2);
        rig.Map(8, 2);
        rig.Write(8, 9);
        var move = new AreaMove(At(0), Pages(2), Pages(2)) { MayMove = true, To = At(8) };
        Assert.That(Space.TryMove(move, out VirtRange moved), Is.EqualTo(Errno.Ok));
        Assert.That(moved, Is.EqualTo(Range(8, 2)));
        Assert.That(rig.Mirror.Seen, Is.EqualTo(new[] { (NotifierEvent.Unmap, Range(8, 2)), (NotifierEvent.Unmap, Range(0, 2)) }));
        Assert.That((rig.Read(8), rig.Read(9), rig.Resident()), Is.EqualTo(((byte)1, (byte)2, 2UL)));
        Assert.That(Space.Read(At(0), new byte[1]), Is.EqualTo(FaultResult.SegmentationFault));
        AddressSpace child = rig.Fork();
        rig.Write(8, 3, child);
        Assert.That((rig.Read(8), rig.Read(8, child)), Is.EqualTo(((byte)1, (byte)3)));
    }

    [Test]
    public void Move_ThatShrinks_DropsTheTail()
    {
        rig.Map(0, 3);
        rig.Write(2, 5);
        Assert.That(Space.TryMove(new AreaMove(At(0), Pages(3), Pages(2)), out VirtRange moved), Is.EqualTo(Errno.Ok));
        Assert.That((moved, rig.Resident()), Is.EqualTo((Range(0, 2), 0UL)));
        Assert.That(rig.Mirror.Seen, Is.EqualTo(new[] { (NotifierEvent.Unmap, Range(2, 1)) }));
    }

    [Test]
    public void Move_ThatGrowsInPlace_KeepsPagesAndTellsNobody()
    {
        rig.Map(0, 1);
        rig.Write(0, 5);
        rig.Mirror.Seen.Clear();
        Assert.That(Space.TryMove(new AreaMove(At(0), Pages(1), Pages(4)), out VirtRange moved), Is.EqualTo(Errno.Ok));
        rig.Write(3, 6);
        Assert.That((moved, rig.Read(0), Space.Areas.Count, rig.Mirror.Seen.Count), Is.EqualTo((Range(0, 4), (byte)5, 1, 0)));
    }

    [Test]
    public void Move_OfNoOldLengthOfSharedMemory_ShowsItTwice()
    {
        rig.Map(0, 1, new AreaTraits(AreaKind.AnonymousShared, AreaAccess.ReadWrite));
        rig.Write(0, 5);
        var move = new AreaMove(At(0), default, Pages(1)) { MayMove = true };
        Assert.That(Space.TryMove(move, out VirtRange moved), Is.EqualTo(Errno.Ok));
        Assert.That(rig.Read(moved.Start), Is.EqualTo(5));
        rig.Write(moved.Start, 6);
        Assert.That(rig.Read(0), Is.EqualTo(6));
    }

    [Test]
    public void Move_WhatCannotBe_SaysWhyAndTellsNobody()
    {
        rig.Map(0, 2);
        rig.Map(2, 1, new AreaTraits(AreaKind.PfnMapped, AreaAccess.ReadWrite) { Backing = new object() });
        Assert.That(TryMove(new AreaMove(At(0, 1), Pages(1), Pages(1))), Is.EqualTo(Errno.EINVAL), "not a page's address");
        Assert.That(TryMove(new AreaMove(At(0), Pages(1), default)), Is.EqualTo(Errno.EINVAL), "no new length");
        Assert.That(TryMove(new AreaMove(At(0), Pages(1), Pages(1)) { To = At(8) }), Is.EqualTo(Errno.EINVAL), "may not move");
        Assert.That(TryMove(new AreaMove(At(0), Pages(2), Pages(2)) { MayMove = true, To = At(1) }), Is.EqualTo(Errno.EINVAL));
        Assert.That(TryMove(new AreaMove(At(0), default, Pages(1)) { MayMove = true }), Is.EqualTo(Errno.EINVAL), "not shared");
        Assert.That(TryMove(new AreaMove(At(8), Pages(1), Pages(1))), Is.EqualTo(Errno.EFAULT), "nothing there");
        Assert.That(TryMove(new AreaMove(At(0), Pages(3), Pages(4))), Is.EqualTo(Errno.EFAULT), "beyond the area");
        Assert.That(TryMove(new AreaMove(At(2), Pages(1), Pages(2))), Is.EqualTo(Errno.EFAULT), "special");
        Assert.That(TryMove(new AreaMove(At(0), Pages(2), Pages(3))), Is.EqualTo(Errno.ENOMEM), "no room, may not move");
        Assert.That(rig.Mirror.Seen, Is.Empty);
    }

    [Test]
    public void DropPages_OfPrivateMemory_ReadsAsZerosOrTheFile()
    {
        MemoryFile file = rig.CreateFile(1, fill: 7);
        rig.Map(0, 1);
        rig.Map(1, 1, new AreaTraits(AreaKind.FilePrivate, AreaAccess.ReadWrite) { Backing = file });
        rig.Write(0, 5);
        rig.Write(1, 5);
        Assert.That(Space.TryDropPages(At(0), Pages(2)), Is.EqualTo(Errno.Ok));
        (NotifierEvent, VirtRange)[] told = [(NotifierEvent.Clear, Range(0, 1)), (NotifierEvent.Clear, Range(1, 1))];
        Assert.That(rig.Mirror.Seen, Is.EqualTo(told));
        Assert.That((rig.Resident(), rig.Read(0), rig.Read(1)), Is.EqualTo((0UL, (byte)0, (byte)7)));
    }

    [Test]
    public void DropPages_WhatCannotBe_SaysWhy()
    {
        rig.Map(0, 1);
        rig.Map(2, 1);
        rig.Write(0, 5);
        rig.Write(2, 5);
        Assert.That(Space.TryDropPages(At(0, 1), Pages(1)), Is.EqualTo(Errno.EINVAL));
        Assert.That(Space.TryDropPages(At(0), new ByteCount(ulong.MaxValue)), Is.EqualTo(Errno.EINVAL));
        Assert.That(rig.Resident(), Is.EqualTo(2));
        Assert.That(Space.TryDropPages(At(0), Pages(3)), Is.EqualTo(Errno.ENOMEM), "a hole");
        Assert.That(rig.Resident(), Is.Zero, "what is mapped was dropped");
        rig.Map(4, 1, new AreaTraits(AreaKind.DeviceMemory, AreaAccess.ReadWrite) { Backing = new object() });
        Assert.That(Space.TryDropPages(At(4), Pages(1)), Is.EqualTo(Errno.EINVAL));
    }

    [Test]
    public void WantHugePages_InPart_SplitsTheAreaAndBack()
    {
        rig.Map(0, 3);
        Assert.That(Space.TryWantHugePages(At(1), Pages(1), wanted: true), Is.EqualTo(Errno.Ok));
        Assert.That(Space.Areas.Select(static area => area.Traits.WantsHugePages), Is.EqualTo(new[] { false, true, false }));
        Assert.That(Space.TryWantHugePages(At(1), Pages(1), wanted: false), Is.EqualTo(Errno.Ok));
        Assert.That(Space.Areas, Has.Count.EqualTo(1));
        Assert.That(Space.TryWantHugePages(At(2), Pages(2), wanted: true), Is.EqualTo(Errno.ENOMEM), "a hole");
        Assert.That(Space.TryWantHugePages(At(0, 1), Pages(1), wanted: true), Is.EqualTo(Errno.EINVAL));
        Assert.That(Space.TryWantHugePages(At(0), new ByteCount(ulong.MaxValue), wanted: true), Is.EqualTo(Errno.EINVAL));
    }

    private Errno Protect(ulong page, ulong count, AreaAccess access) => Space.TryProtect(At(page), Pages(count), access);

    private Errno TryMove(AreaMove move) => Space.TryMove(move, out _);

    private Errno TryMap(
        ulong at, ulong length, AreaTraits traits, AreaPlacement placement = AreaPlacement.Fixed, ulong offset = 0)
    {
        var request = new AreaRequest(new ByteCount(length), traits)
        {
            At = new VirtAddr(at),
            Placement = placement,
            Offset = new PageCount(offset),
        };
        return Space.TryMap(request, out _);
    }
}
