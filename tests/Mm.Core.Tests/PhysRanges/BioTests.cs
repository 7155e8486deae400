using Mm.Core.PhysRanges;
using Mm.Testing.Generators;
using static Mm.Core.Tests.PhysRanges.NaiveRanges;

namespace Mm.Core.Tests.PhysRanges;

[TestFixture]
internal sealed class BioTests
{
    private const ulong Page = 4096;

    private static readonly RangeOwner PeerA = RangeOwner.ForPagemap("a", new FakeProvider("a", Range(0, 100 * Page)));
    private static readonly RangeOwner PeerB = RangeOwner.ForPagemap("b", new FakeProvider("b", Range(0, 100 * Page)));
    private static readonly RangeOwner Dax = RangeOwner.ForPagemap("dax");
    private static readonly RangeOwner Bar = RangeOwner.ForProvider(new FakeProvider("bar", Range(0, 100 * Page)));

    // Pages 0-1 RAM, 2-3 peer map A, 4-5 peer map B, 6 FS_DAX, 7 a BAR without pages, 8 nobody, 9 RAM.
    private static readonly RangeSpace Space = new(
        PhysAddr.Zero,
        PageSize.Small.Bytes,
        [RangeOwner.Ram, RangeOwner.Ram, PeerA, PeerA, PeerB, PeerB, Dax, Bar, null, RangeOwner.Ram],
        1);

    private readonly Bio bio = new(Space, 4);

    [SetUp]
    public void EmptyTheBio() => bio.Clear();

    // K4: after a page of peer map A neither RAM nor a page of map B is accepted, contiguous or not; and the other way round.
    [TestCase(2UL, 0UL)]
    [TestCase(2UL, 1UL)]
    [TestCase(3UL, 4UL)]
    [TestCase(2UL, 5UL)]
    [TestCase(5UL, 6UL)]
    [TestCase(1UL, 2UL)]
    [TestCase(0UL, 4UL)]
    [TestCase(6UL, 5UL)]
    public void AddPage_OfAnotherOwnerThanThePeers_AddsNothing(ulong first, ulong second)
    {
        Assert.That(Add(first, 0, Page), Is.EqualTo((Page, BioRefusal.None)));
        Assert.That(Add(second, 0, Page), Is.EqualTo((0UL, BioRefusal.MixedOwners)));
        Assert.That((bio.Count, bio.Length.Value), Is.EqualTo((1, Page)));
    }

    [Test]
    public void AddPage_OfTheSamePeerMap_IsTaken()
    {
        Assert.That(Add(3, 0, Page), Is.EqualTo((Page, BioRefusal.None)));
        Assert.That(Add(2, 0, Page), Is.EqualTo((Page, BioRefusal.None)));
        Assert.That((bio.Count, bio.Provider), Is.EqualTo((2, PeerA.Provider)));
    }

    // RAM and FS_DAX may share a bio, and K1: never a segment.
    [Test]
    public void AddPage_OfRamAndDax_AreTwoSegmentsOfOneBio()
    {
        Assert.That(Add(6, 0, Page), Is.EqualTo((Page, BioRefusal.None)));
        Assert.That(Add(9, 0, Page), Is.EqualTo((Page, BioRefusal.None)));
        Assert.That((bio.Count, bio.Provider), Is.EqualTo((2, (IP2pProvider?)null)));
        var touching = new Bio(new RangeSpace(PhysAddr.Zero, PageSize.Small.Bytes, [RangeOwner.Ram, Dax], 9));
        Assert.That(touching.AddPage(new Pfn(0), default, new ByteCount(Page), out _).Value, Is.EqualTo(Page));
        Assert.That(touching.AddPage(new Pfn(1), default, new ByteCount(Page), out _).Value, Is.EqualTo(Page));
        Assert.That(touching.Count, Is.EqualTo(2));
    }

    [Test]
    public void AddPage_BytesThatFollow_GrowTheLastSegment()
    {
        Assert.That(Add(0, 0x10, 0x20), Is.EqualTo((0x20UL, BioRefusal.None)));
        Assert.That(Add(0, 0x30, 0xfd0), Is.EqualTo((0xfd0UL, BioRefusal.None)));
        Assert.That(Add(1, 0, Page), Is.EqualTo((Page, BioRefusal.None)));
        BioVec only = bio.Vectors[0];
        Assert.That((bio.Count, only.Page.Value, only.Offset.Value, only.Length.Value), Is.EqualTo((1, 0UL, 0x10UL, 0x1ff0UL)));
    }

    [Test]
    public void AddPage_ToAFullBio_TakesOnlyWhatMerges()
    {
        for (ulong offset = 0; offset < 4; offset++)
        {
            Assert.That(Add(0, 8 * offset, 4), Is.EqualTo((4UL, BioRefusal.None)));
        }

        Assert.That(Add(0, 100, 4), Is.EqualTo((0UL, BioRefusal.Full)));
        Assert.That(Add(0, 28, 4), Is.EqualTo((4UL, BioRefusal.None)));
        Assert.That((bio.Count, bio.Length.Value), Is.EqualTo((4, 20UL)));
    }

    [TestCase(7UL)]
    [TestCase(8UL)]
    public void AddPage_WithoutAPageDescriptor_AddsNothing(ulong page) =>
        Assert.That(Add(page, 0, Page), Is.EqualTo((0UL, BioRefusal.NoPage)));

    [Test]
    public void AddPage_ThatRunsIntoAnotherOwner_AddsNothing()
    {
        Assert.That(Add(1, 0, 2 * Page), Is.EqualTo((0UL, BioRefusal.NoPage)));
        Assert.That(Add(0, 0, 2 * Page), Is.EqualTo((2 * Page, BioRefusal.None)));
    }

    [Test]
    public void AddPage_Past4GiB_AddsNothing()
    {
        var large = new Bio(UniformOwnerSource.AllRam);
        Assert.That(large.AddPage(Pfn.Zero, default, new ByteCount(uint.MaxValue), out _).Value, Is.EqualTo(uint.MaxValue));
        Assert.That(large.AddPage(Pfn.Zero, default, new ByteCount(1), out BioRefusal refusal).Value, Is.Zero);
        Assert.That((refusal, large.Count), Is.EqualTo((BioRefusal.TooLarge, 1)));
    }

    [Test]
    public void AddPage_ArgumentsOutOfRange_Throw()
    {
        Assert.That(() => Add(0, Page, 1), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => Add(0, 0, 0), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => Add(1UL << 52, 0, 1), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => new Bio(Space, 0), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => new Bio(Space, 257), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void AddRanges_LongerThanABio_GoesOnInTheNext()
    {
        using PhysRangeList list = ListOf(UniformOwnerSource.AllRam, Range(0x1800, (1UL << 32) + 10));
        var large = new Bio(UniformOwnerSource.AllRam);
        ByteCount taken = large.AddRanges(list, ByteCount.Zero, out BioRefusal refusal);
        Assert.That((taken.Value, refusal), Is.EqualTo(((1UL << 32) - 0x800, BioRefusal.TooLarge)), "cut at a page border");
        large.Clear();
        Assert.That(large.AddRanges(list, taken, out refusal).Value, Is.EqualTo(0x80aUL));
        Assert.That((refusal, large.Vectors[0].Range), Is.EqualTo((BioRefusal.None, Range((1UL << 32) + 0x1000, 0x80a))));
        Assert.That(() => large.AddRanges(list, list.Length.AddChecked(new ByteCount(1)), out _), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [FsCheck.NUnit.Property(Arbitrary = new[] { typeof(PhysRangeArbitraries) })]
    public void AddRanges_BioByBio_NamesTheListAndKeepsEachHomogeneous(RangeScript script)
    {
        var builder = new PhysRangeListBuilder(script.Space);
        foreach (PhysRange range in script.Ranges)
        {
            bool hasPages = BytesOf(script.Space, range)?.All(static pair => pair.Owner.HasPages) ?? false;
            _ = hasPages ? builder.TryAppend(range) : Errno.Ok;
        }

        using PhysRangeList list = builder.Build();
        var three = new Bio(script.Space, 3);
        var position = ByteCount.Zero;
        while (position < list.Length)
        {
            three.Clear();
            ByteCount taken = three.AddRanges(list, position, out BioRefusal refusal);
            Assert.That(taken.IsZero, Is.False);
            Assert.That(refusal == BioRefusal.None, Is.EqualTo(position.AddChecked(taken) == list.Length));
            AssertHomogeneous(three, script.Space);
            Assert.That(three.TryAppendTo(builder), Is.EqualTo(Errno.Ok));
            position = position.AddChecked(taken);
        }

        using PhysRangeList back = builder.Build();
        Assert.That(RangesOf(back), Is.EqualTo(RangesOf(list)));
    }

    private static void AssertHomogeneous(Bio filled, RangeSpace space)
    {
        RangeOwner[] owners = [.. filled.Vectors.ToArray().Select(vector => space.OwnerOf(vector.Range.Start)!).Distinct()];
        Assert.That(owners.Length == 1 || owners.All(static owner => !owner.IsPeer), Is.True, "invariant 2");
        foreach (BioVec vector in filled.Vectors)
        {
            RangeOwner[] within = [.. BytesOf(vector.Range).Select(address => space.OwnerOf(address)!).Distinct()];
            Assert.That(within, Has.Length.EqualTo(1), "invariant 1");
        }
    }

    private static PhysRangeList ListOf(IRangeOwnerSource owners, params ReadOnlySpan<PhysRange> ranges)
    {
        var builder = new PhysRangeListBuilder(owners);
        Assert.That(builder.TryAppend(ranges), Is.EqualTo(Errno.Ok));
        return builder.Build();
    }

    private (ulong Added, BioRefusal Refusal) Add(ulong page, ulong offset, ulong length)
    {
        ByteCount added = bio.AddPage(new Pfn(page), new ByteCount(offset), new ByteCount(length), out BioRefusal refusal);
        return (added.Value, refusal);
    }
}
