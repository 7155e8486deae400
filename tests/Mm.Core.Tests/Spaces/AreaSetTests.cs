using Mm.Core.Spaces;

namespace Mm.Core.Tests.Spaces;

public sealed class AreaSetTests
{
    private const ulong Page = 4096;
    private const ulong Top = (1UL << 47) - Page;

    private static readonly AreaTraits Anonymous = new(AreaKind.AnonymousPrivate, AreaAccess.ReadWrite);
    private static readonly AreaTraits Shared = new(AreaKind.FileShared, AreaAccess.ReadWrite) { Backing = new object() };
    private static readonly AreaTraits Device = new(AreaKind.DeviceMemory, AreaAccess.ReadWrite) { Backing = new object() };

    private AreaSet areas = new();

    [SetUp]
    public void Build() => areas = new AreaSet();

    [TearDown]
    public void StaysInOrder() => areas.Validate();

    [Test]
    public void Map_Anywhere_ComesFromTheTopDown()
    {
        Assert.That(Map(2 * Page, Anonymous), Is.EqualTo(Range(Top - (2 * Page), 2 * Page)));
        Assert.That(Map(1, Shared), Is.EqualTo(Range(Top - (3 * Page), Page)));
        Assert.That(areas.Areas.Length, Is.EqualTo(2));
    }

    [Test]
    public void Map_WithAWish_LiesThereIfFree()
    {
        var wish = new AreaRequest(new ByteCount(Page), Anonymous) { At = new VirtAddr(0x20_0010) };
        Assert.That(areas.TryMap(wish, out VirtRange placed), Is.EqualTo(Errno.Ok));
        Assert.That(placed, Is.EqualTo(Range(0x20_0000, Page)));
        Assert.That(areas.TryMap(wish, out placed), Is.EqualTo(Errno.Ok));
        Assert.That(placed, Is.EqualTo(Range(Top - Page, Page)));
    }

    [Test]
    public void Map_FixedAtTheEdges_IsAllowed([Values(0UL, Top - Page)] ulong at)
    {
        Assert.That(Fixed(at, Page, Anonymous), Is.EqualTo(Errno.Ok));
        Assert.That(areas.Find(new VirtAddr(at + Page - 1))!.Range, Is.EqualTo(Range(at, Page)));
        Assert.That(areas.Find(new VirtAddr(at + Page)), Is.Null);
    }

    [Test]
    public void Map_WhatCannotBe_SaysWhy()
    {
        Assert.That(Fixed(0, 0, Anonymous), Is.EqualTo(Errno.EINVAL), "no length");
        Assert.That(Fixed(1, Page, Anonymous), Is.EqualTo(Errno.EINVAL), "not a page");
        Assert.That(Fixed(0, ulong.MaxValue, Anonymous), Is.EqualTo(Errno.ENOMEM), "the length wraps");
        Assert.That(Fixed(0, Top + 1, Anonymous), Is.EqualTo(Errno.ENOMEM), "longer than the space");
        Assert.That(Fixed(Top, Page, Anonymous), Is.EqualTo(Errno.ENOMEM), "beyond the space");
        Assert.That(Fixed(0, Page, Anonymous with { Forbidden = AreaAccess.Write }), Is.EqualTo(Errno.EACCES), "forbidden");
        var far = new AreaRequest(new ByteCount(2 * Page), Shared) { Offset = new PageCount((1UL << 52) - 1) };
        Assert.That(areas.TryMap(far, out _), Is.EqualTo(Errno.EOVERFLOW), "the offset");
        Assert.That(Fixed(0x1_0000, Top - 0x1_0000, Anonymous), Is.EqualTo(Errno.Ok));
        Assert.That(areas.TryMap(new AreaRequest(new ByteCount(1), Anonymous), out _), Is.EqualTo(Errno.ENOMEM), "no room");
        var there = new AreaRequest(new ByteCount(1), Anonymous) { At = new VirtAddr(0x1_0000), Placement = AreaPlacement.FixedNoReplace };
        Assert.That(areas.TryMap(there, out _), Is.EqualTo(Errno.EEXIST), "something is there");
        Assert.That(areas.Areas.Length, Is.EqualTo(1));
    }

    [Test]
    public void Map_OneTooMany_IsEnomemAndChangesNothing()
    {
        areas = new AreaSet(limit: 2);
        Assert.That(Fixed(0, 3 * Page, Anonymous), Is.EqualTo(Errno.Ok));
        Assert.That(Fixed(Page, Page, Shared), Is.EqualTo(Errno.ENOMEM));
        Assert.That(areas.TryUnmap(new VirtAddr(Page), new ByteCount(Page)), Is.EqualTo(Errno.Ok));
        Assert.That(areas.TryUnmap(default, new ByteCount(Page)), Is.EqualTo(Errno.Ok));
        Assert.That(Fixed(0, Page, Shared), Is.EqualTo(Errno.Ok));
        Assert.That(areas.TryProtect(new VirtAddr(0), new ByteCount(Page), AreaAccess.Read, out _), Is.EqualTo(Errno.Ok));
        Assert.That(Fixed(0x10_0000, Page, Shared), Is.EqualTo(Errno.ENOMEM));
    }

    [Test]
    public void Unmap_InTheMiddleOneTooMany_IsEnomem()
    {
        areas = new AreaSet(limit: 1);
        Assert.That(Fixed(0, 3 * Page, Anonymous), Is.EqualTo(Errno.Ok));
        Assert.That(areas.TryUnmap(new VirtAddr(Page), new ByteCount(1)), Is.EqualTo(Errno.ENOMEM));
        Assert.That(areas.TryProtect(new VirtAddr(Page), new ByteCount(1), AreaAccess.Read, out VirtRange done), Is.EqualTo(Errno.ENOMEM));
        Assert.That((done.IsEmpty, areas.Areas[0].Pages.Value), Is.EqualTo((true, 3UL)));
    }

    [Test]
    public void Unmap_WhatCannotBe_IsEinval()
    {
        Assert.That(areas.TryUnmap(new VirtAddr(1), new ByteCount(Page)), Is.EqualTo(Errno.EINVAL));
        Assert.That(areas.TryUnmap(default, ByteCount.Zero), Is.EqualTo(Errno.EINVAL));
        Assert.That(areas.TryUnmap(default, ByteCount.MaxValue), Is.EqualTo(Errno.EINVAL));
        Assert.That(areas.TryUnmap(new VirtAddr(Top), new ByteCount(Page)), Is.EqualTo(Errno.EINVAL));
        Assert.That(areas.TryUnmap(default, new ByteCount(Page)), Is.EqualTo(Errno.Ok), "a hole is no harm");
    }

    [Test]
    public void Protect_OverAHole_KeepsWhatItDid()
    {
        Assert.That(Fixed(0, 2 * Page, Anonymous), Is.EqualTo(Errno.Ok));
        Assert.That(Fixed(3 * Page, Page, Anonymous), Is.EqualTo(Errno.Ok));
        Assert.That(areas.TryProtect(default, new ByteCount(4 * Page), AreaAccess.Read, out VirtRange done), Is.EqualTo(Errno.ENOMEM));
        Assert.That(done, Is.EqualTo(Range(0, 2 * Page)));
        Assert.That(areas.Find(default)!.Traits.Access, Is.EqualTo(AreaAccess.Read));
        Assert.That(areas.Find(new VirtAddr(3 * Page))!.Traits.Access, Is.EqualTo(AreaAccess.ReadWrite));
    }

    [Test]
    public void Protect_WhatCannotBe_SaysWhy()
    {
        Assert.That(Fixed(0, Page, Shared with { Access = AreaAccess.Read, Forbidden = AreaAccess.Write }), Is.EqualTo(Errno.Ok));
        Assert.That(areas.TryProtect(new VirtAddr(1), new ByteCount(1), AreaAccess.Read, out _), Is.EqualTo(Errno.EINVAL));
        Assert.That(areas.TryProtect(default, ByteCount.Zero, AreaAccess.Read, out _), Is.EqualTo(Errno.Ok));
        Assert.That(areas.TryProtect(default, ByteCount.MaxValue, AreaAccess.Read, out _), Is.EqualTo(Errno.ENOMEM));
        Assert.That(areas.TryProtect(default, new ByteCount(1), AreaAccess.ReadWrite, out _), Is.EqualTo(Errno.EACCES));
    }

    [Test]
    public void Protect_AndBack_MergesAgain()
    {
        Assert.That(Fixed(0, 3 * Page, Anonymous), Is.EqualTo(Errno.Ok));
        Assert.That(areas.TryProtect(new VirtAddr(Page), new ByteCount(1), AreaAccess.None, out _), Is.EqualTo(Errno.Ok));
        Assert.That(areas.Areas.Length, Is.EqualTo(3));
        Assert.That(areas.TryProtect(new VirtAddr(Page), new ByteCount(1), AreaAccess.ReadWrite, out _), Is.EqualTo(Errno.Ok));
        Assert.That(areas.Areas.Length, Is.EqualTo(1));
    }

    // Linux: VM_ACCOUNT, which what may be written takes and keeps; anonymous memory without pages of its own gives it back.
    [TestCase(AreaKind.FilePrivate, AreaAccess.Read, false, 3, TestName = "{m}(a file's, written meanwhile)")]
    [TestCase(AreaKind.FilePrivate, AreaAccess.ReadWrite, false, 1, TestName = "{m}(a file's, writable from the start)")]
    [TestCase(AreaKind.FileShared, AreaAccess.Read, false, 1, TestName = "{m}(a file's, shared)")]
    [TestCase(AreaKind.AnonymousPrivate, AreaAccess.Read, false, 1, TestName = "{m}(anonymous, without pages)")]
    [TestCase(AreaKind.AnonymousPrivate, AreaAccess.Read, true, 3, TestName = "{m}(anonymous, with pages)")]
    public void Protect_ToWriteAndBack_KeepsApartWhatIsAccounted(AreaKind kind, AreaAccess access, bool hasRoot, int expected)
    {
        var traits = new AreaTraits(kind, access) { Backing = kind == AreaKind.AnonymousPrivate ? null : this };
        Assert.That(Fixed(0, 3 * Page, traits), Is.EqualTo(Errno.Ok));
        Assert.That(areas.TryProtect(new VirtAddr(Page), new ByteCount(1), AreaAccess.ReadWrite, out _), Is.EqualTo(Errno.Ok));
        areas.Find(new VirtAddr(Page))!.AnonRoot = hasRoot ? 7u : 0;
        Assert.That(areas.TryProtect(new VirtAddr(Page), new ByteCount(1), access, out _), Is.EqualTo(Errno.Ok));
        Assert.That(areas.Areas.Length, Is.EqualTo(expected));
        areas.Validate();
    }

    // Linux: is_mergeable_anon_vma. What changes may take a neighbour's root, and does not give it its own.
    [TestCase(0u, 0u, 0u, 1, TestName = "{m}(none has a root)")]
    [TestCase(7u, 0u, 0u, 1, TestName = "{m}(the lower one has)")]
    [TestCase(0u, 0u, 7u, 1, TestName = "{m}(the upper one has)")]
    [TestCase(7u, 0u, 7u, 1, TestName = "{m}(both have the same)")]
    [TestCase(7u, 0u, 8u, 2, TestName = "{m}(both have their own)")]
    [TestCase(0u, 7u, 0u, 3, TestName = "{m}(the changed one has)")]
    [TestCase(7u, 7u, 0u, 2, TestName = "{m}(the changed one has the lower one's)")]
    public void Protect_OfTheMiddle_JoinsWhatItsRootAllows(uint below, uint middle, uint above, int expected)
    {
        Assert.That(Fixed(0, 3 * Page, Anonymous), Is.EqualTo(Errno.Ok));
        uint[] roots = [below, middle, above];
        Assert.That(areas.TryProtect(new VirtAddr(Page), new ByteCount(1), AreaAccess.Read, out _), Is.EqualTo(Errno.Ok));
        for (int area = 0; area < 3; area++)
        {
            areas.Areas[area].AnonRoot = roots[area];
        }

        Assert.That(areas.TryProtect(new VirtAddr(Page), new ByteCount(1), AreaAccess.ReadWrite, out _), Is.EqualTo(Errno.Ok));
        Assert.That(areas.Areas.Length, Is.EqualTo(expected));
        areas.Validate();
    }

    [Test]
    public void Move_OfMemoryWithoutPages_CountsThemAnew([Values] bool hasRoot)
    {
        Assert.That(Fixed(0, Page, Anonymous), Is.EqualTo(Errno.Ok));
        areas.Areas[0].AnonRoot = hasRoot ? 7u : 0;
        Assert.That(Move(0, Page, Page, to: 8 * Page), Is.EqualTo(Errno.Ok));
        Assert.That(areas.Areas[0].Offset, Is.EqualTo(new PageCount(hasRoot ? 0u : 8u)));
    }

    [Test]
    public void Merge_WantsTheSameNameAndTheNextOffset()
    {
        Assert.That(Fixed(0, Page, Anonymous), Is.EqualTo(Errno.Ok));
        Assert.That(Fixed(Page, Page, Anonymous with { Name = "heap" }), Is.EqualTo(Errno.Ok));
        Assert.That(Fixed(2 * Page, Page, Shared), Is.EqualTo(Errno.Ok));
        Assert.That(Fixed(3 * Page, Page, Shared), Is.EqualTo(Errno.Ok), "offset 0 again");
        Assert.That(Fixed(4 * Page, Page, Device), Is.EqualTo(Errno.Ok));
        Assert.That(areas.Areas.Length, Is.EqualTo(5));
    }

    [Test]
    public void Move_WhatCannotBe_SaysWhy()
    {
        Assert.That(Fixed(0x10_0000, 2 * Page, Anonymous), Is.EqualTo(Errno.Ok));
        Assert.That(Fixed(0x20_0000, Page, Device), Is.EqualTo(Errno.Ok));
        Assert.That(Move(0x10_0000, 1, 1, 0x30_0000, mayMove: false), Is.EqualTo(Errno.EINVAL), "fixed without leave");
        Assert.That(Move(0x10_0001, 1, 1), Is.EqualTo(Errno.EINVAL), "not a page");
        Assert.That(Move(0x10_0000, 1, 0), Is.EqualTo(Errno.EINVAL), "no new length");
        Assert.That(Move(0x10_0000, Page, Page, 0x30_0001), Is.EqualTo(Errno.EINVAL), "new place not a page");
        Assert.That(Move(0x10_0000, 2 * Page, 2 * Page, 0x10_1000), Is.EqualTo(Errno.EINVAL), "overlap");
        Assert.That(Move(0x10_0000, Page, Page, Top), Is.EqualTo(Errno.EINVAL), "beyond the space");
        Assert.That(Move(0x10_0000, 0, Page), Is.EqualTo(Errno.EINVAL), "no old length of private memory");
        Assert.That(Move(0x30_0000, Page, Page), Is.EqualTo(Errno.EFAULT), "nothing there");
        Assert.That(Move(0x10_0000, 3 * Page, 4 * Page), Is.EqualTo(Errno.EFAULT), "beyond the area");
        Assert.That(Move(0x20_0000, Page, 2 * Page), Is.EqualTo(Errno.EFAULT), "special memory does not grow");
        Assert.That(Move(0x10_0000, Page, 2 * Page, mayMove: false), Is.EqualTo(Errno.ENOMEM), "no room behind");
        Assert.That(Move(0x10_0000, 2 * Page, Top), Is.EqualTo(Errno.ENOMEM), "no room at all");
        Assert.That(areas.Areas.Length, Is.EqualTo(2));
    }

    [Test]
    public void Move_WithTooManyAreas_IsEnomem([Values] bool isFixed)
    {
        areas = new AreaSet(limit: 3);
        Assert.That(Fixed(0, 2 * Page, Anonymous), Is.EqualTo(Errno.Ok));
        Assert.That(Move(0, Page, 2 * Page, isFixed ? 0x10_0000 : null), Is.EqualTo(Errno.ENOMEM));
    }

    [Test]
    public void Move_ThatGrowsWhereItIs_StaysOneArea()
    {
        Assert.That(Fixed(0, Page, Shared), Is.EqualTo(Errno.Ok));
        Assert.That(Move(0, Page, 3 * Page, mayMove: false), Is.EqualTo(Errno.Ok));
        Assert.That((areas.Areas.Length, areas.Find(default)!.Pages.Value), Is.EqualTo((1, 3UL)));
    }

    [Test]
    public void Move_ThatGrowsElsewhere_KeepsTheOffset()
    {
        Assert.That(Fixed(0x10_0000, 2 * Page, Shared), Is.EqualTo(Errno.Ok));
        Assert.That(Fixed(0x10_2000, Page, Anonymous), Is.EqualTo(Errno.Ok));
        var move = new AreaMove(new VirtAddr(0x10_1000), new ByteCount(Page), new ByteCount(2 * Page)) { MayMove = true };
        Assert.That(areas.TryMove(move, out VirtRange moved), Is.EqualTo(Errno.Ok));
        Assert.That(moved, Is.EqualTo(Range(Top - (2 * Page), 2 * Page)));
        Assert.That(areas.Find(moved.Start)!.Offset, Is.EqualTo(new PageCount(1)));
        Assert.That(areas.Find(new VirtAddr(0x10_1000)), Is.Null);
    }

    [Test]
    public void Move_ThatShrinks_UnmapsTheTail()
    {
        Assert.That(Fixed(0, 3 * Page, Shared), Is.EqualTo(Errno.Ok));
        Assert.That(Move(0, 3 * Page, Page), Is.EqualTo(Errno.Ok));
        Assert.That(areas.Find(default)!.Pages, Is.EqualTo(PageCount.One));
        Assert.That(Move(0, Page, Page), Is.EqualTo(Errno.Ok), "the same again");
    }

    [Test]
    public void Move_OfNoOldLengthOfSharedMemory_MapsItTwice()
    {
        Assert.That(Fixed(0, Page, Shared), Is.EqualTo(Errno.Ok));
        Assert.That(Move(0, 0, Page, 0x10_0000), Is.EqualTo(Errno.Ok));
        Assert.That((areas.Areas.Length, areas.Find(new VirtAddr(0x10_0000))!.Offset.Value), Is.EqualTo((2, 0UL)));
    }

    [Test]
    public void Overlapping_OfARange_GivesWholeAreas()
    {
        Assert.That(Fixed(0, 2 * Page, Anonymous), Is.EqualTo(Errno.Ok));
        Assert.That(Fixed(4 * Page, Page, Shared), Is.EqualTo(Errno.Ok));
        Assert.That(areas.Overlapping(Range(Page, 3 * Page)).Length, Is.EqualTo(1));
        Assert.That(areas.Overlapping(Range(Page, (3 * Page) + 1)).Length, Is.EqualTo(2));
        Assert.That(areas.Overlapping(Range(2 * Page, 2 * Page)).Length, Is.Zero);
        Assert.That(areas.Overlapping(default).Length, Is.Zero);
    }

    [Test]
    public void Traits_OfEachKind_TellCowSharedAndSpecial()
    {
        Assert.That((Anonymous.IsCow, Anonymous.IsShared, Anonymous.IsSpecial), Is.EqualTo((true, false, false)));
        Assert.That((Shared.IsCow, Shared.IsShared, Shared.IsSpecial), Is.EqualTo((false, true, false)));
        Assert.That((Device.IsCow, Device.IsShared, Device.IsSpecial), Is.EqualTo((false, true, true)));
        Assert.That((Shared with { Kind = AreaKind.FilePrivate, Forbidden = AreaAccess.Write, Access = AreaAccess.Read }).IsCow, Is.False);
    }

    private static VirtRange Range(ulong start, ulong length) => new(new VirtAddr(start), new ByteCount(length));

    private VirtRange Map(ulong length, AreaTraits traits)
    {
        Assert.That(areas.TryMap(new AreaRequest(new ByteCount(length), traits), out VirtRange placed), Is.EqualTo(Errno.Ok));
        return placed;
    }

    private Errno Fixed(ulong at, ulong length, AreaTraits traits) => areas.TryMap(
        new AreaRequest(new ByteCount(length), traits) { At = new VirtAddr(at), Placement = AreaPlacement.Fixed }, out _);

    private Errno Move(ulong at, ulong oldLength, ulong newLength, ulong? to = null, bool mayMove = true) => areas.TryMove(
        new AreaMove(new VirtAddr(at), new ByteCount(oldLength), new ByteCount(newLength))
        {
            MayMove = mayMove,
            To = to is { } place ? new VirtAddr(place) : null,
        },
        out _);
}
