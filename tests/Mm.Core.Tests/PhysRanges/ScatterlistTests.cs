using Mm.Core.PhysRanges;
using Mm.Testing.Generators;
using static Mm.Core.Tests.PhysRanges.NaiveRanges;

namespace Mm.Core.Tests.PhysRanges;

[TestFixture]
internal sealed class ScatterlistTests
{
    private const ulong Page = 4096;
    private const ulong NoLimit = uint.MaxValue;

    // K2: the rows of tools/testing/scatterlist/main.c (v6.12): input frames; appended frames; size; max segment; entries.
    // The first row there is the refusal, below.
    private static readonly object[][] LinuxRows =
    [
        [Row(0), Row(), Page, Page + 1, 1],
        [Row(0), Row(), Page, NoLimit, 1],
        [Row(0), Row(), 1UL, NoLimit, 1],
        [Row(0, 1), Row(), 2 * Page, NoLimit, 1],
        [Row(1, 0), Row(), 2 * Page, NoLimit, 2],
        [Row(0, 1, 2), Row(), 3 * Page, NoLimit, 1],
        [Row(0, 1, 2), Row(), 3 * Page, NoLimit, 1],
        [Row(0, 1, 2), Row(3, 4, 5), 3 * Page, NoLimit, 1],
        [Row(0, 1, 2), Row(4, 5, 6), 3 * Page, NoLimit, 2],
        [Row(0, 2, 1), Row(), 3 * Page, NoLimit, 3],
        [Row(0, 1, 3), Row(), 3 * Page, NoLimit, 2],
        [Row(1, 2, 4), Row(), 3 * Page, NoLimit, 2],
        [Row(1, 3, 4), Row(), 3 * Page, NoLimit, 2],
        [Row(0, 1, 3, 4), Row(), 4 * Page, NoLimit, 2],
        [Row(0, 1, 3, 4, 5), Row(), 5 * Page, NoLimit, 2],
        [Row(0, 1, 3, 4, 6), Row(), 5 * Page, NoLimit, 3],
        [Row(0, 1, 2, 3, 4), Row(), 5 * Page, NoLimit, 1],
        [Row(0, 1, 2, 3, 4), Row(), 5 * Page, 2 * Page, 3],
        [Row(0, 1, 2, 3, 4, 5), Row(), 6 * Page, 2 * Page, 3],
        [Row(0, 2, 3, 4, 5, 6), Row(), 6 * Page, 2 * Page, 4],
        [Row(0, 1, 3, 4, 5, 6), Row(7, 8, 9, 10, 11, 12), 6 * Page, 12 * Page, 2],
    ];

    private readonly Scatterlist list = new(UniformOwnerSource.AllRam);

    [SetUp]
    public void EmptyTheList() => list.Clear();

    [TestCaseSource(nameof(LinuxRows))]
    public void AppendPages_ARowOfLinuxOwnTest_HasAsManyEntries(
        ulong[] pages, ulong[] appended, ulong size, ulong maxSegment, int entries)
    {
        Assert.That(Append(pages, 0, size, maxSegment), Is.EqualTo(Errno.Ok));
        if (appended.Length > 0)
        {
            Assert.That(Append(appended, 0, size, maxSegment), Is.EqualTo(Errno.Ok));
        }

        Assert.That(list.Count, Is.EqualTo(entries));
        Assert.That(list.Length.Value, Is.EqualTo(size * (appended.Length > 0 ? 2UL : 1)));
    }

    // K2, and the first row of Linux's test.
    [TestCase(0UL)]
    [TestCase(4095UL)]
    public void AppendPages_ASegmentBelowAPage_IsRefused(ulong maxSegment)
    {
        Assert.That(Append([0], 0, Page, maxSegment), Is.EqualTo(Errno.EINVAL));
        Assert.That((list.Count, list.Length), Is.EqualTo((0, ByteCount.Zero)));
    }

    [Test]
    public void AppendPages_AnOffsetBehindOtherEntries_IsRefused()
    {
        Assert.That(Append([0], 8, 8, NoLimit), Is.EqualTo(Errno.Ok));
        Assert.That(Append([1], 8, 8, NoLimit), Is.EqualTo(Errno.EINVAL));
        Assert.That((list.Count, list.Entries[0].Range), Is.EqualTo((1, Range(8, 8))));
    }

    // K1: two physically adjacent pages of different page maps are two entries.
    [Test]
    public void AppendPages_AdjacentPagesOfTwoPagemaps_AreTwoEntries([Values] bool inOneCall)
    {
        var space = new RangeSpace(
            PhysAddr.Zero, PageSize.Small.Bytes, [RangeOwner.ForPagemap("a"), RangeOwner.ForPagemap("b"), RangeOwner.Ram], 9);
        var mixed = new Scatterlist(space);
        if (inOneCall)
        {
            Assert.That(mixed.TryAppendPages(Pfns(0, 1, 2), default, new ByteCount(3 * Page), new ByteCount(NoLimit)), Is.EqualTo(Errno.Ok));
        }
        else
        {
            Assert.That(mixed.TryAppendPages(Pfns(0), default, new ByteCount(Page), new ByteCount(NoLimit)), Is.EqualTo(Errno.Ok));
            Assert.That(mixed.TryAppendPages(Pfns(1, 2), default, new ByteCount(2 * Page), new ByteCount(NoLimit)), Is.EqualTo(Errno.Ok));
        }

        Assert.That(mixed.Entries.ToArray().Select(static entry => entry.Page), Is.EqualTo(Pfns(0, 1, 2)));
    }

    [Test]
    public void AppendPages_WithoutPageDescriptors_IsRefused()
    {
        RangeOwner bar = RangeOwner.ForProvider(new FakeProvider("bar", Range(0, 2 * Page)));
        var space = new RangeSpace(PhysAddr.Zero, PageSize.Small.Bytes, [RangeOwner.Ram, bar, null], 9);
        var mixed = new Scatterlist(space);
        Assert.That(mixed.TryAppendPages(Pfns(0, 1), default, new ByteCount(2 * Page), new ByteCount(NoLimit)), Is.EqualTo(Errno.EFAULT));
        Assert.That(mixed.TryAppendPages(Pfns(0, 2), default, new ByteCount(2 * Page), new ByteCount(NoLimit)), Is.EqualTo(Errno.EFAULT));
        Assert.That(mixed.TryAppendPages(Pfns(1UL << 52), default, new ByteCount(Page), new ByteCount(NoLimit)), Is.EqualTo(Errno.EOVERFLOW));
        var builder = new PhysRangeListBuilder(space);
        Assert.That(builder.TryAppend(Range(Page, 8)), Is.EqualTo(Errno.Ok));
        using PhysRangeList ranges = builder.Build();
        Assert.That(mixed.TryAppendRanges(ranges, new ByteCount(NoLimit)), Is.EqualTo(Errno.EFAULT));
        Assert.That(mixed.Count, Is.Zero);
    }

    [Test]
    public void AppendPages_AnEntryThatEndsInsideItsPage_NeverGrows()
    {
        Assert.That(Append([0, 1], 0, Page + 5, NoLimit), Is.EqualTo(Errno.Ok));
        Assert.That(Append([2], 0, Page, NoLimit), Is.EqualTo(Errno.Ok));
        Assert.That(list.Entries.ToArray().Select(static entry => entry.Range), Is.EqualTo(new[] { Range(0, Page + 5), Range(2 * Page, Page) }));
    }

    // The segment counts whole pages from the entry's first one, so an offset shortens the first entry.
    [Test]
    public void AppendPages_WithAnOffset_CutsAtPageBorders()
    {
        Assert.That(Append([4, 5, 6], 0x800, (3 * Page) - 0x800, 2 * Page), Is.EqualTo(Errno.Ok));
        Assert.That(
            list.Entries.ToArray().Select(static entry => (entry.Page.Value, entry.Offset.Value, entry.Length.Value)),
            Is.EqualTo(new[] { (4UL, 0x800UL, 0x1800UL), (6UL, 0UL, Page) }));
    }

    [Test]
    public void AppendRanges_LongerThanALength_AreCutBelow4GiB()
    {
        var builder = new PhysRangeListBuilder(UniformOwnerSource.AllRam);
        Assert.That(builder.TryAppend(Range(0x1000, 1UL << 33)), Is.EqualTo(Errno.Ok));
        using PhysRangeList ranges = builder.Build();
        Assert.That(list.TryAppendRanges(ranges, ByteCount.MaxValue), Is.EqualTo(Errno.Ok));
        Assert.That(
            list.Entries.ToArray().Select(static entry => entry.Length),
            Is.EqualTo(new[] { Scatterlist.LargestSegment, Scatterlist.LargestSegment, new ByteCount(2 * Page) }));
    }

    [Test]
    public void Append_MoreBytesThanALengthCanSay_IsRefused()
    {
        // Each byte of the space once more would do, but takes 2^32 entries; a list of one range is refused by its length alone.
        Assert.That(Append([0], 0, Page, NoLimit), Is.EqualTo(Errno.Ok));
        var builder = new PhysRangeListBuilder(UniformOwnerSource.AllRam);
        Assert.That(builder.TryAppend(Range(0, ulong.MaxValue)), Is.EqualTo(Errno.Ok));
        using PhysRangeList ranges = builder.Build();
        Assert.That(list.TryAppendRanges(ranges, ByteCount.MaxValue), Is.EqualTo(Errno.EOVERFLOW));
        Assert.That((list.Count, list.Length.Value), Is.EqualTo((1, Page)));
    }

    [Test]
    public void AppendTo_ABuilderThatRefuses_PassesItOn()
    {
        Assert.That(Append([0, 2], 0, 2 * Page, NoLimit), Is.EqualTo(Errno.Ok));
        var builder = new PhysRangeListBuilder(UniformOwnerSource.AllRam, new PhysRangeListLimits(1));
        Assert.That(list.TryAppendTo(builder), Is.EqualTo(Errno.ENOSPC));
        Assert.That(builder.Count, Is.Zero);
    }

    [Test]
    public void AppendPages_ABufferNotInItsPages_Throws() =>
        Assert.That(() => Append([0, 1], 0, Page, NoLimit), Throws.InstanceOf<ArgumentOutOfRangeException>());

    [FsCheck.NUnit.Property(Arbitrary = new[] { typeof(PhysRangeArbitraries) })]
    public void RoundTrip_OfAnyFramesAtAnySegment_NamesTheSameBytes(FrameScript script, byte pages)
    {
        ulong segment = (1 + (pages % 9UL)) * Page;
        var builder = new PhysRangeListBuilder(script.Space);
        var scatter = new Scatterlist(script.Space);
        var size = new ByteCount((ulong)script.Frames.Length * Page);
        Errno errno = builder.TryAppendFrames(script.Frames);
        using PhysRangeList ranges = builder.Build();
        bool hasPages = ranges.OwnerRuns.ToArray().All(static run => run.Owner.HasPages);
        Errno appended = scatter.TryAppendPages(script.Frames, default, size, new ByteCount(segment));
        Assert.That(appended, Is.EqualTo(!errno.IsOk || !hasPages ? Errno.EFAULT : Errno.Ok));
        if (!appended.IsOk)
        {
            return;
        }

        Assert.That(scatter.TryAppendTo(builder), Is.EqualTo(Errno.Ok));
        using PhysRangeList back = builder.Build();
        Assert.That(RangesOf(back), Is.EqualTo(RangesOf(ranges)));
        AssertGreedy(scatter, script.Space, segment);
        var again = new Scatterlist(script.Space);
        Assert.That(again.TryAppendRanges(ranges, new ByteCount(segment)), Is.EqualTo(Errno.Ok));
        Assert.That(again.Entries.ToArray(), Is.EqualTo(scatter.Entries.ToArray()));
    }

    // No entry passes the segment, and two neighbours stay apart only for a reason.
    private static void AssertGreedy(Scatterlist scatter, RangeSpace space, ulong segment)
    {
        for (int index = 0; index < scatter.Count; index++)
        {
            PhysRange range = scatter.Entries[index].Range;
            Assert.That(range.Length.Value, Is.InRange(1UL, segment));
            if (index > 0 && scatter.Entries[index - 1].Range is var before && before.IsFollowedBy(range))
            {
                bool isOneOwner = ReferenceEquals(space.OwnerOf(before.Start), space.OwnerOf(range.Start));
                Assert.That(isOneOwner && before.Length.Value < segment, Is.False, $"{before} and {range} would merge");
            }
        }
    }

    private static ulong[] Row(params ulong[] frames) => frames;

    private Errno Append(ulong[] pages, ulong offset, ulong size, ulong maxSegment) =>
        list.TryAppendPages(Pfns(pages), new ByteCount(offset), new ByteCount(size), new ByteCount(maxSegment));
}
