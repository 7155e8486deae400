using Mm.Core.Notifiers;
using Mm.Core.Spaces;
using static Mm.Core.Tests.Spaces.SpaceRig;

namespace Mm.Core.Tests.Spaces;

/// <summary>One process's memory, by facet: mapping, access, fork, pins.</summary>
public sealed partial class AddressSpaceTests
{
    private SpaceRig rig = null!;

    private AddressSpace Space => rig.Space;

    [SetUp]
    public void Build() => rig = new SpaceRig();

    [TearDown]
    public void LeavesNothing() => rig.Dispose();

    [Test]
    public void Dispose_WithPagesOfEachKind_ReleasesMirrorsAndUnmaps()
    {
        MemoryFile file = rig.CreateFile(1, fill: 7);
        AddressSpace other = rig.Create();
        var told = new Told();
        Assert.That(other.Notifiers.TryInsert(default, Pages(1), told, out IntervalNotifier? mirror), Is.EqualTo(Errno.Ok));
        MapIn(other, 0, Own);
        MapIn(other, 1, new AreaTraits(AreaKind.FileShared, AreaAccess.ReadWrite) { Backing = file });
        MapIn(other, 2, new AreaTraits(AreaKind.AnonymousShared, AreaAccess.ReadWrite));
        for (ulong page = 0; page < 3; page++)
        {
            rig.Write(page, 1, other);
        }

        Assert.That((rig.Resident(RssKind.Anonymous, other), rig.Resident(RssKind.Shared, other)), Is.EqualTo((1UL, 2UL)));
        other.Dispose();
        other.Dispose();
        Assert.That((other.IsEnded, other.Areas.Count, rig.Spaces.Count), Is.EqualTo((true, 0, 1)));
        Assert.That((rig.Resident(RssKind.Anonymous, other), rig.Resident(RssKind.Shared, other)), Is.EqualTo((0UL, 0UL)));
        Assert.That(told.Seen.Select(static seen => seen.Event), Is.EqualTo(new[] { NotifierEvent.Release }));
        Assert.That(file.PagesInMemory, Is.EqualTo(PageCount.One), "its creator holds it");
        mirror!.Dispose();
    }

    [Test]
    public void EveryCall_OnceEnded_Throws()
    {
        AddressSpace ended = rig.Create();
        ended.Dispose();
        Action[] calls =
        [
            () => _ = ended.TryMap(new AreaRequest(Pages(1), Own), out _),
            () => _ = ended.TryUnmap(At(0), Pages(1)),
            () => _ = ended.TryProtect(At(0), Pages(1), AreaAccess.Read),
            () => _ = ended.TryMove(new AreaMove(At(0), Pages(1), Pages(1)), out _),
            () => _ = ended.TryDropPages(At(0), Pages(1)),
            () => _ = ended.TryWantHugePages(At(0), Pages(1), wanted: true),
            () => _ = ended.TryPopulateWrite(At(0), Pages(1)),
            () => _ = ended.TryFork(out _),
            () => _ = ended.TryPin(At(0), PinFlags.None, [], out _),
            () => ended.Read(At(0), new byte[1]),
            () => ended.Write(At(0), [1]),
            () => ended.CollectPagemap(At(0), new PageView[1]),
        ];
        foreach (Action call in calls)
        {
            Assert.That(call, Throws.InstanceOf<ObjectDisposedException>());
        }
    }

    [Test]
    public void CountResident_OfEachKind_FollowsFaultsCopiesAndUnmaps()
    {
        MemoryFile file = rig.CreateFile(2, fill: 7);
        rig.Map(0, 2, new AreaTraits(AreaKind.FilePrivate, AreaAccess.ReadWrite) { Backing = file });
        Assert.That(rig.Read(1), Is.EqualTo(7));
        Assert.That(Counts(), Is.EqualTo((0UL, 2UL)), "what the file has around is mapped with it");
        rig.Write(0, 1);
        Assert.That(Counts(), Is.EqualTo((1UL, 1UL)), "a copy takes the file's page's place");
        rig.Map(4, 1);
        Assert.That(rig.Read(4), Is.Zero);
        Assert.That(Counts(), Is.EqualTo((1UL, 1UL)), "the page of zeros is nobody's");
        rig.Write(4, 1);
        Assert.That(Counts(), Is.EqualTo((2UL, 1UL)));
        Assert.That(Space.TryUnmap(At(0), Pages(5)), Is.EqualTo(Errno.Ok));
        Assert.That(Counts(), Is.EqualTo((0UL, 0UL)));
    }

    private (ulong Anonymous, ulong Shared) Counts() => (rig.Resident(), rig.Resident(RssKind.Shared));

    private static void MapIn(AddressSpace space, ulong page, AreaTraits traits)
    {
        var request = new AreaRequest(Pages(1), traits) { At = At(page), Placement = AreaPlacement.Fixed };
        Assert.That(space.TryMap(request, out _), Is.EqualTo(Errno.Ok));
    }
}
