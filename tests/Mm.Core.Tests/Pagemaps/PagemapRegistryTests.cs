using Mm.Core.Frames;
using Mm.Core.Pagemaps;
using static Mm.Core.Tests.Pagemaps.PagemapRig;

namespace Mm.Core.Tests.Pagemaps;

internal sealed class PagemapRegistryTests
{
    private PagemapRig rig = null!;

    [SetUp]
    public void Build() => rig = new PagemapRig();

    [TearDown]
    public void Finish()
    {
        rig.Validate();
        rig.Dispose();
    }

    [TestCase(PagemapKind.DevicePrivate)]
    [TestCase(PagemapKind.DeviceCoherent)]
    [TestCase(PagemapKind.FsDax)]
    [TestCase(PagemapKind.Generic)]
    [TestCase(PagemapKind.PciP2pDma)]
    public void Add_EveryKind_GivesDescriptorsThatLookupFinds(PagemapKind kind)
    {
        Pagemap map = rig.Map(kind);
        Assert.That(map, kind == PagemapKind.DevicePrivate
            ? Is.InstanceOf<DevicePrivatePagemap>()
            : Is.InstanceOf<AddressablePagemap>());
        Assert.That(rig.Frames.HasMetadata(Page(1023)), Is.True);
        Assert.That(rig.Registry.TryFind(Page(1023), out PagemapRef found), Is.True);
        Assert.That(found.Map, Is.SameAs(map));
        found.Dispose();
        Assert.That(rig.Registry.TryFind(Page(1024), out _), Is.False);
    }

    [Test]
    public void Add_NoRange_IsEINVAL() =>
        Refuse(rig.Request(PagemapKind.Generic) with { Ranges = [] }, Errno.EINVAL);

    [TestCase(PagemapKind.Unset)]
    [TestCase((PagemapKind)6)]
    public void Add_NoKind_IsEINVAL(PagemapKind kind) => Refuse(rig.Request(kind), Errno.EINVAL);

    [TestCase(PagemapKind.DevicePrivate)]
    [TestCase(PagemapKind.DeviceCoherent)]
    public void Add_DeviceMemoryWithoutOwner_IsEINVAL(PagemapKind kind) =>
        Refuse(rig.Request(kind) with { Owner = null }, Errno.EINVAL);

    [TestCase(PagemapKind.DevicePrivate)]
    [TestCase(PagemapKind.DeviceCoherent)]
    public void Add_DeviceMemoryWithoutPageFree_IsEINVAL(PagemapKind kind) =>
        Refuse(rig.Request(kind) with { Ops = null }, Errno.EINVAL);

    [Test]
    public void Add_PrivateWithoutMigrateToRam_IsEINVALAndCoherentIsFine()
    {
        Refuse(rig.Request(PagemapKind.DevicePrivate) with { Ops = new FreeOnly() }, Errno.EINVAL);
        Assert.That(
            rig.Registry.TryAdd(rig.Request(PagemapKind.DeviceCoherent) with { Ops = new FreeOnly() }, out _),
            Is.EqualTo(Errno.Ok));
    }

    [TestCase(PagemapKind.FsDax)]
    [TestCase(PagemapKind.Generic)]
    [TestCase(PagemapKind.PciP2pDma)]
    public void Add_OtherKindsWithoutOwnerAndOps_IsFine(PagemapKind kind) =>
        Assert.That(
            rig.Registry.TryAdd(rig.Request(kind) with { Owner = null, Ops = null }, out _), Is.EqualTo(Errno.Ok));

    [TestCase(0UL, 0UL, TestName = "Add_EmptyRange_IsEINVAL")]
    [TestCase(0UL, 0x1000UL, TestName = "Add_OnePage_IsEINVAL")]
    [TestCase(0x1000UL, 0x1000UL, TestName = "Add_OnePageInside_IsEINVAL")]
    [TestCase(0UL, MiB, TestName = "Add_HalfAGranule_IsEINVAL")]
    [TestCase(MiB, 2 * MiB, TestName = "Add_AGranuleOutOfStep_IsEINVAL")]
    [TestCase(0UL, (2 * MiB) + 1, TestName = "Add_AGranuleAndAByte_IsEINVAL")]
    [TestCase(1UL << 52, 2 * MiB, TestName = "Add_AboveTheTop_IsEINVAL")]
    public void MisalignedRange(ulong offset, ulong length) =>
        Refuse(rig.Request(PagemapKind.PciP2pDma, Range(Window + offset, length)), Errno.EINVAL);

    [TestCase(0UL, 2UL, TestName = "Add_TheSameStart_IsENOMEM")]
    [TestCase(2UL, 4UL, TestName = "Add_OverTheEnd_IsENOMEM")]
    [TestCase(0UL, 4UL, TestName = "Add_TheSameRange_IsENOMEM")]
    public void OverlapWithALiveMap(ulong startMiB, ulong lengthMiB)
    {
        _ = rig.Map(PagemapKind.PciP2pDma);
        Refuse(rig.Request(PagemapKind.Generic, Range(Window + (startMiB * MiB), lengthMiB * MiB)), Errno.ENOMEM);
    }

    [Test]
    public void Add_OverlapFoundBeforeMisalignment_IsENOMEM()
    {
        _ = rig.Map(PagemapKind.PciP2pDma);
        Refuse(rig.Request(PagemapKind.PciP2pDma, Range(Window + 0x1000, 0x1000)), Errno.ENOMEM);
    }

    [Test]
    public void Add_AroundALiveMap_IsEEXISTAndLeavesTheInnerOneFound()
    {
        _ = rig.Map(PagemapKind.PciP2pDma, Range(Window + (4 * MiB), 2 * MiB));
        Refuse(rig.Request(PagemapKind.PciP2pDma, Range(Window, 16 * MiB)), Errno.EEXIST);
        Assert.That(rig.Registry.TryFind(Page(1024), out PagemapRef found), Is.True);
        found.Dispose();
    }

    [TestCase(62UL, 2UL)]
    [TestCase(0UL, 2UL)]
    [TestCase(62UL, 4UL)]
    public void Add_TouchingRam_IsENXIO(ulong startMiB, ulong lengthMiB) =>
        Refuse(rig.Request(PagemapKind.Generic, Range(startMiB * MiB, lengthMiB * MiB)), Errno.ENXIO);

    [Test]
    public void Add_RangesThatOverlapEachOther_IsENOMEM() =>
        Refuse(
            rig.Request(PagemapKind.Generic, Range(Window, 4 * MiB), Range(Window + (2 * MiB), 4 * MiB)), Errno.ENOMEM);

    [Test]
    public void Add_SecondRangeRefused_TakesNothingOfTheFirst()
    {
        Refuse(rig.Request(PagemapKind.Generic, Range(Window, 4 * MiB), Range(0, 2 * MiB)), Errno.ENXIO);
        Assert.That(rig.Frames.HasMetadata(Page(0)), Is.False);
        _ = rig.Map(PagemapKind.Generic);
    }

    [Test]
    public void Add_WithoutMemoryForDescriptors_IsENOMEMAndWorksTheNextTime()
    {
        rig.Faults.FailNth(FaultPoint.Slab, 1);
        Refuse(rig.Request(PagemapKind.Generic), Errno.ENOMEM);
        _ = rig.Map(PagemapKind.Generic);
    }

    [Test]
    public void Add_OverADyingMap_IsEEXISTUntilItIsDead()
    {
        Pagemap map = rig.Map(PagemapKind.DevicePrivate);
        PageRef page = rig.HandOut(map, Page(0));
        map.Unmap();
        Refuse(rig.Request(PagemapKind.DevicePrivate), Errno.EEXIST);
        page.Dispose();
        _ = rig.Map(PagemapKind.DevicePrivate);
    }

    [Test]
    public void FindNext_InTheCachedMap_KeepsTheUse()
    {
        Pagemap map = rig.Map(PagemapKind.Generic);
        _ = rig.Registry.TryFind(Page(0), out PagemapRef cached);
        ulong users = map.Life.Users;
        Assert.That(rig.Registry.TryFindNext(Page(7), ref cached), Is.True);
        Assert.That((cached.Map, map.Life.Users), Is.EqualTo((map, users)));
        cached.Dispose();
    }

    [Test]
    public void FindNext_InTheCachedMapThatWasKilled_KeepsTheUse()
    {
        Pagemap map = rig.Map(PagemapKind.Generic);
        _ = rig.Registry.TryFind(Page(0), out PagemapRef cached);
        map.Unmap();
        Assert.That(rig.Registry.TryFindNext(Page(7), ref cached), Is.True);
        Assert.That(map.State, Is.EqualTo(PagemapState.Dying));
        cached.Dispose();
        Assert.That(map.State, Is.EqualTo(PagemapState.Dead));
    }

    [Test]
    public void FindNext_OutsideTheCachedMap_DropsTheUseFirst()
    {
        Pagemap first = rig.Map(PagemapKind.Generic);
        Pagemap second = rig.Map(PagemapKind.Generic, Range(Window + (4 * MiB), 2 * MiB));
        _ = rig.Registry.TryFind(Page(0), out PagemapRef cached);
        Assert.That(rig.Registry.TryFindNext(Page(1024), ref cached), Is.True);
        Assert.That((cached.Map, first.Life.Users, second.Life.Users), Is.EqualTo((second, 1UL, 2UL)));
        Assert.That(rig.Registry.TryFindNext(Page(9999), ref cached), Is.False);
        Assert.That((cached.IsEmpty, second.Life.Users), Is.EqualTo((true, 1UL)));
    }

    [Test]
    public void Validate_OfAHoldTooMany_IsABug()
    {
        Pagemap map = rig.Map(PagemapKind.DevicePrivate);
        PageRef page = rig.HandOut(map, Page(0));
        rig.Frames.Meta(Page(0).Value).Count = PageCountWord.DeviceIdle().Bits;
        Assert.That(rig.Validate, Throws.InstanceOf<Mm.Core.Checks.MmBugException>());
        rig.Frames.Meta(Page(0).Value).Count = PageCountWord.Single.Bits;
        page.Dispose();
    }

    private void Refuse(PagemapRequest request, Errno expected)
    {
        IReadOnlyList<Pagemap> before = rig.Registry.Maps;
        ByteCount live = rig.Memory.Ledger.Live;
        Assert.That(rig.Registry.TryAdd(request, out Pagemap? map), Is.EqualTo(expected));
        Assert.That(map, Is.Null);
        Assert.That(rig.Registry.Maps, Is.EqualTo(before));
        Assert.That(rig.Memory.Ledger.Live, Is.EqualTo(live));
    }

    private sealed class FreeOnly : IPagemapOps
    {
        public void OnPageFree(Pagemap map, Pfn page)
        {
        }
    }
}
