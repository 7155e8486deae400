namespace Mm.Core.Tests;

internal sealed class AddressMapTests
{
    [TestCase(0x0FFFUL, null)]
    [TestCase(0x1000UL, "low")]
    [TestCase(0x1FFFUL, "low")]
    [TestCase(0x2000UL, "middle")]
    [TestCase(0x2FFFUL, "middle")]
    [TestCase(0x3000UL, null)]
    [TestCase(0xF_FFFF_FFFF_FFFFUL, "top")]
    [TestCase(0x10_0000_0000_0000UL, null)]
    [TestCase(ulong.MaxValue, null)]
    public void Find_AnAddress_GivesTheRegionThatHoldsIt(ulong address, string? expected)
    {
        AddressMap map = ThreeRegions();
        Assert.That(map.TryFind(new PhysAddr(address), out AddressRegion? region), Is.EqualTo(expected is not null));
        Assert.That(region?.Name, Is.EqualTo(expected));
    }

    [TestCase(0x0UL, 0x1000UL, null)]
    [TestCase(0x0UL, 0x1001UL, "low")]
    [TestCase(0x1FFFUL, 2UL, "low")]
    [TestCase(0x2500UL, 1UL, "middle")]
    [TestCase(0x0UL, ulong.MaxValue, "low")]
    [TestCase(0x3000UL, 0x1000UL, null)]
    [TestCase(0x2000UL, 0UL, null)]
    public void FindOverlap_ARange_GivesTheFirstRegionItTouches(ulong start, ulong length, string? expected)
    {
        bool found = ThreeRegions().TryFindOverlap(Range(start, length), out AddressRegion? region);
        Assert.That(found, Is.EqualTo(expected is not null));
        Assert.That(region?.Name, Is.EqualTo(expected));
    }

    [Test]
    public void FindUnused_FromTheTopDown_SkipsWhatIsTaken()
    {
        AddressMap map = ThreeRegions();
        Assert.That(map.TryFindUnused(new ByteCount(0x1000), new ByteCount(0x1000), out PhysRange range), Is.True);
        Assert.That(range, Is.EqualTo(Range(0xF_FFFF_FFFF_E000, 0x1000)));
    }

    [Test]
    public void FindUnused_Aligned_StartsAtAMultiple()
    {
        AddressMap map = ThreeRegions();
        Assert.That(map.TryFindUnused(ByteCount.FromMiB(3), ByteCount.FromMiB(2), out PhysRange range), Is.True);
        Assert.That(range.Start.IsAligned(PageSize.Large), Is.True);
        Assert.That(map.TryFindOverlap(range, out _), Is.False);
    }

    [Test]
    public void FindUnused_BelowTheLowestRegion_IsFoundToo()
    {
        AddressMap map = new();
        Add(map, "all but the first page", 0x1000, (1UL << 52) - 0x1000);
        Assert.That(map.TryFindUnused(new ByteCount(0x1000), new ByteCount(0x1000), out PhysRange range), Is.True);
        Assert.That(range, Is.EqualTo(Range(0, 0x1000)));
        Assert.That(map.TryFindUnused(new ByteCount(0x1001), new ByteCount(1), out _), Is.False);
    }

    [Test]
    public void FindUnused_OfNothingOrOddlyAligned_IsRefused()
    {
        AddressMap map = ThreeRegions();
        Assert.That(() => map.TryFindUnused(default, new ByteCount(1), out _), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(
            () => map.TryFindUnused(new ByteCount(1), new ByteCount(3), out _), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void List_OnceRead_DoesNotChange()
    {
        AddressMap map = ThreeRegions();
        IReadOnlyList<AddressRegion> before = map.Regions;
        Add(map, "new", 0x8000, 1);
        Assert.That((before.Count, map.Regions.Count), Is.EqualTo((3, 4)));
        Assert.That(map.Regions.Select(region => region.Name), Is.EqualTo(new[] { "low", "middle", "new", "top" }));
    }

    private static AddressMap ThreeRegions()
    {
        AddressMap map = new();
        Add(map, "middle", 0x2000, 0x1000);
        Add(map, "top", 0xF_FFFF_FFFF_F000, 0x1000);
        Add(map, "low", 0x1000, 0x1000);
        return map;
    }

    private static void Add(AddressMap map, string name, ulong start, ulong length) =>
        Assert.That(
            map.TryAdd(new AddressRegion(AddressRegionKind.DeviceWindow, Range(start, length), NodeId.None, name), out _),
            Is.True);

    private static PhysRange Range(ulong start, ulong length) => new(new PhysAddr(start), new ByteCount(length));
}
