using Mm.Core.Checks;
using Mm.Core.Frames;
using Mm.Core.Locking;
using Mm.Core.Native;
using Mm.Core.Pagemaps;
using static Mm.Core.Tests.Pagemaps.PagemapRig;

namespace Mm.Core.Tests.Pagemaps;

internal sealed class PagemapTests
{
    private static readonly PagemapKind[] Kinds =
        [PagemapKind.DevicePrivate, PagemapKind.DeviceCoherent, PagemapKind.FsDax, PagemapKind.Generic, PagemapKind.PciP2pDma];

    [TestCase(PagemapKind.DevicePrivate, 0u, 0u)]
    [TestCase(PagemapKind.DeviceCoherent, 0u, 0u)]
    [TestCase(PagemapKind.FsDax, 1u, 0u)]
    [TestCase(PagemapKind.Generic, 1u, 1u)]
    [TestCase(PagemapKind.PciP2pDma, 1u, 0u)]
    public void IdlePage_OfAKind_HasTheReferencesOfItsProfile(PagemapKind kind, uint in612, uint in619)
    {
        using var old = new PagemapRig(LinuxProfile.V612);
        using var current = new PagemapRig(LinuxProfile.V619);
        _ = old.Map(kind);
        _ = current.Map(kind);
        Assert.That(old.Frames.Describe(Page(5)).References, Is.EqualTo(in612));
        Assert.That(current.Frames.Describe(Page(5)).References, Is.EqualTo(in619));
    }

    [TestCase(PagemapKind.DevicePrivate)]
    [TestCase(PagemapKind.DeviceCoherent)]
    public void HandOut_FromZero_GivesOneReferenceLockedAndTakesOneHold(PagemapKind kind)
    {
        using var rig = new PagemapRig();
        Pagemap map = rig.Map(kind);
        Assert.That(map.TryHandOut(Page(3), out PageRef page, out PageLock pageLock), Is.EqualTo(Errno.Ok));
        PageInfo info = rig.Frames.Describe(Page(3));
        Assert.That((info.References, info.Flags.HasFlag(PageFlags.Locked)), Is.EqualTo((1u, true)));
        Assert.That((map.HeldPages, pageLock.IsHeld), Is.EqualTo((PageCount.One, true)));
        rig.Validate();

        pageLock.Dispose();
        Assert.That(rig.Frames.Describe(Page(3)).Flags.HasFlag(PageFlags.Locked), Is.False);
        Assert.That(pageLock.Dispose, Throws.InstanceOf<ObjectDisposedException>());
        page.Dispose();
        Assert.That(map.HeldPages, Is.EqualTo(PageCount.Zero));
        Assert.That(rig.Ops.Freed, Is.EqualTo(new[] { Page(3) }));
        rig.Validate();
    }

    [TestCase(LockRank.IoSpacePages, true)]
    [TestCase(LockRank.Reservation, false)]
    [TestCase(LockRank.Leaf, false)]
    public void LastPut_WithALockHeld_IsLegalForThoseBeforeAnAddressSpace(LockRank rank, bool isLegal)
    {
        using var rig = new PagemapRig();
        Pagemap map = rig.Map(PagemapKind.DeviceCoherent);
        map.TryHandOut(Page(3), out PageRef page, out PageLock pageLock).ThrowIfError();
        pageLock.Dispose();
        var gate = new RankedLock(rank);
        if (!isLegal)
        {
            using (gate.Enter())
            {
                Assert.That(() => RankedLock.CheckNoneHeldFrom(LockRank.AddressSpace, "OnPageFree"), Throws.TypeOf<MmBugException>());
            }
        }

        using (isLegal ? gate.Enter() : default)
        {
            page.Dispose();
        }

        Assert.That(rig.Ops.Freed, Is.EqualTo(new[] { Page(3) }));
    }

    [TestCase(PagemapKind.Generic)]
    [TestCase(PagemapKind.PciP2pDma)]
    public void HandOut_PassingOneOn_GivesTheIdleReference(PagemapKind kind)
    {
        using var rig = new PagemapRig();
        Pagemap map = rig.Map(kind);
        Assert.That(map.HeldPages, Is.EqualTo(map.Pages));
        Assert.That(map.TryHandOut(Page(3), out PageRef page, out PageLock pageLock), Is.EqualTo(Errno.Ok));
        Assert.That((rig.Frames.Describe(Page(3)).References, pageLock.IsHeld), Is.EqualTo((1u, false)));
        page.Dispose();
        Assert.That(rig.Frames.Describe(Page(3)).References, Is.EqualTo(1u), "idle again");
        Assert.That((rig.Ops.Freed.Count, map.HeldPages), Is.EqualTo((1, map.Pages)));
        rig.Validate();
    }

    [Test]
    public void HandOut_OfFsDax_AddsToTheIdleReferenceAndTellsNobody()
    {
        using var rig = new PagemapRig();
        Pagemap map = rig.Map(PagemapKind.FsDax);
        PageRef one = rig.HandOut(map, Page(0));
        PageRef two = rig.HandOut(map, Page(0));
        Assert.That(rig.Frames.Describe(Page(0)).References, Is.EqualTo(3u));
        one.Dispose();
        two.Dispose();
        Assert.That((rig.Frames.Describe(Page(0)).References, rig.Ops.Freed.Count), Is.EqualTo((1u, 0)));
        rig.Validate();
    }

    [TestCase(PagemapKind.DevicePrivate)]
    [TestCase(PagemapKind.Generic)]
    public void HandOut_OfAPageThatIsOut_IsEBUSYAndChangesNothing(PagemapKind kind)
    {
        using var rig = new PagemapRig();
        Pagemap map = rig.Map(kind);
        PageRef page = rig.HandOut(map, Page(3));
        PageCount held = map.HeldPages;
        Assert.That(map.TryHandOut(Page(3), out PageRef again, out _), Is.EqualTo(Errno.EBUSY));
        Assert.That((again.IsEmpty, map.HeldPages), Is.EqualTo((true, held)));
        page.Dispose();
        rig.HandOut(map, Page(3)).Dispose();
        rig.Validate();
    }

    [Test]
    public void HandOut_AfterUnmap_IsENODEV([ValueSource(nameof(Kinds))] PagemapKind kind)
    {
        using var rig = new PagemapRig();
        Pagemap map = rig.Map(kind);
        PageRef page = rig.HandOut(map, Page(0));
        map.Unmap();
        Assert.That(map.TryHandOut(Page(1), out _, out _), Is.EqualTo(Errno.ENODEV));
        rig.Validate();
        page.Dispose();
        Assert.That(map.State, Is.EqualTo(PagemapState.Dead));
    }

    [Test]
    public void HandOut_OfAForeignPage_IsACallersMistake()
    {
        using var rig = new PagemapRig();
        Pagemap map = rig.Map(PagemapKind.Generic);
        Assert.That(
            () => map.TryHandOut(Page(1024), out _, out _), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void HandOut_FromWithinPageFree_IsLegal([Values(PagemapKind.DevicePrivate, PagemapKind.Generic)] PagemapKind kind)
    {
        using var rig = new PagemapRig();
        Pagemap map = rig.Map(kind);
        PageRef second = default;
        rig.Ops.Then = (freed, page) =>
        {
            rig.Ops.Then = null;
            second = rig.HandOut(freed, page);
        };
        rig.HandOut(map, Page(0)).Dispose();
        Assert.That(second.IsEmpty, Is.False);
        second.Dispose();
        Assert.That(rig.Ops.Freed, Has.Count.EqualTo(2));
        rig.Validate();
    }

    [Test]
    public void Unmap_WithNothingOut_IsDeadAtOnce([ValueSource(nameof(Kinds))] PagemapKind kind)
    {
        using var rig = new PagemapRig();
        Pagemap map = rig.Map(kind);
        ValidityToken token = map.Validity;
        bool told = false;
        map.Unmap(() => told = true);
        Assert.That((map.State, told, map.WhenDead.IsCompletedSuccessfully), Is.EqualTo((PagemapState.Dead, true, true)));
        Assert.That((token.IsValid, rig.Frames.HasMetadata(Page(0)), rig.Registry.Maps.Count), Is.EqualTo((false, false, 0)));
        Assert.That(rig.Ops.Freed, Is.Empty, "no driver hears of pages that were never out");
    }

    [Test]
    public void Unmap_WithAPageOut_WaitsForItAndIsFoundByNobody([ValueSource(nameof(Kinds))] PagemapKind kind)
    {
        using var rig = new PagemapRig();
        Pagemap map = rig.Map(kind);
        PageRef page = rig.HandOut(map, Page(9));
        bool told = false;
        map.Unmap(() => told = true);
        Assert.That((map.State, told, map.WhenDead.IsCompleted), Is.EqualTo((PagemapState.Dying, false, false)));
        Assert.That(rig.Registry.TryFind(Page(9), out _), Is.False);
        Assert.That(map.HeldPages, Is.EqualTo(PageCount.One));
        rig.Validate();

        page.Dispose();
        Assert.That((map.State, told), Is.EqualTo((PagemapState.Dead, true)));
        Assert.That(rig.Frames.HasMetadata(Page(9)), Is.False);
    }

    [Test]
    public void Unmap_WithAStrayReferenceToAnIdlePage_WaitsForItToo(
        [Values(PagemapKind.Generic, PagemapKind.FsDax, PagemapKind.PciP2pDma)] PagemapKind kind)
    {
        using var rig = new PagemapRig();
        Pagemap map = rig.Map(kind);
        Assert.That(rig.Frames.TryGet(Page(9), out PageRef stray), Is.EqualTo(Errno.Ok));
        map.Unmap();
        Assert.That((map.State, rig.Frames.Describe(Page(9)).References), Is.EqualTo((PagemapState.Dying, 1u)));
        stray.Dispose();
        Assert.That((map.State, rig.Ops.Freed.Count), Is.EqualTo((PagemapState.Dead, 0)));
    }

    [Test]
    public void Get_OfAnIdlePageOfADyingMap_IsRefused()
    {
        using var rig = new PagemapRig();
        Pagemap map = rig.Map(PagemapKind.Generic);
        PageRef page = rig.HandOut(map, Page(9));
        map.Unmap();
        Assert.That(rig.Frames.TryGet(Page(8), out _), Is.EqualTo(Errno.ENOENT));
        page.Dispose();
    }

    [Test]
    public void Unmap_Twice_IsACallersMistake()
    {
        using var rig = new PagemapRig();
        Pagemap map = rig.Map(PagemapKind.Generic);
        map.Unmap();
        Assert.That(() => map.Unmap(), Throws.InvalidOperationException);
    }

    [Test]
    public void Lookup_WhileUsed_KeepsTheMapFromDying()
    {
        using var rig = new PagemapRig();
        Pagemap map = rig.Map(PagemapKind.DevicePrivate);
        Assert.That(rig.Registry.TryFind(Page(0), out PagemapRef found), Is.True);
        map.Unmap();
        Assert.That(map.State, Is.EqualTo(PagemapState.Dying));
        found.Dispose();
        Assert.That(map.State, Is.EqualTo(PagemapState.Dead));
        Assert.That(found.Dispose, Throws.InstanceOf<ObjectDisposedException>());
    }

    [Test]
    public void Map_OfTwoRanges_HandsOutFromBothAndDiesWhole()
    {
        using var rig = new PagemapRig();
        Pagemap map = rig.Map(
            PagemapKind.PciP2pDma, Range(Window, 2 * MiB), Range(Window + (8 * MiB), 2 * MiB));
        PageRef low = rig.HandOut(map, Page(0));
        PageRef high = rig.HandOut(map, Page(2048));
        Assert.That((map.Pages, map.Contains(Page(512))), Is.EqualTo((new PageCount(1024), false)));
        map.Unmap();
        low.Dispose();
        Assert.That(map.State, Is.EqualTo(PagemapState.Dying));
        high.Dispose();
        Assert.That(map.State, Is.EqualTo(PagemapState.Dead));
    }

    [Test]
    public void Lease_OfABarPage_SharesItsBytesWithTheWindow()
    {
        using var rig = new PagemapRig();
        var map = (AddressablePagemap)rig.Map(PagemapKind.PciP2pDma);
        Assert.That(map.TryLease(Page(2), out SpanLease lease), Is.EqualTo(Errno.Ok));
        Assert.That(lease.Length, Is.EqualTo(PageSize.Small.Bytes));
        lease.Bytes.Fill(5);
        lease.Dispose();
        Assert.That(() => map.TryLease(Page(1024), out _), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void Lease_WithoutAWindow_IsENXIO()
    {
        using var rig = new PagemapRig();
        var map = (AddressablePagemap)rig.Map(PagemapKind.DeviceCoherent, Range(1UL << 40, 2 * MiB));
        Assert.That(map.TryLease(new Pfn((1UL << 40) >> 12), out _), Is.EqualTo(Errno.ENXIO));
    }

    [Test]
    public void PrivateMap_ByType_HasNoWayToBytes() =>
        Assert.That(
            typeof(DevicePrivatePagemap).GetMethods().Select(method => method.Name), Has.None.Contains("Lease"));
}
