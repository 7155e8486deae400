using Mm.Core.Native;
using Mm.Core.PhysRanges;
using Mm.Testing.Generators;
using static Mm.Core.Tests.PhysRanges.NaiveRanges;

namespace Mm.Core.Tests.PhysRanges;

[TestFixture]
internal sealed class PhysRangeListBuilderTests
{
    private static readonly RangeOwner PagemapA = RangeOwner.ForPagemap("a");
    private static readonly RangeOwner PagemapB = RangeOwner.ForPagemap("b");

    private readonly PhysRangeListBuilder ram = new(UniformOwnerSource.AllRam);

    [SetUp]
    public void EmptyTheBuilder() => ram.Clear();

    [Test]
    public void Append_AnEmptyRange_ChangesNothing()
    {
        Assert.That(ram.TryAppend(Range(0x1000, 0)), Is.EqualTo(Errno.Ok));
        Assert.That((ram.Count, ram.Length), Is.EqualTo((0, ByteCount.Zero)));
    }

    [Test]
    public void Append_RangesThatTouch_Merge()
    {
        Assert.That(ram.TryAppend([Range(0x1000, 0x10), Range(0x1010, 1), Range(0x1011, 0xfef)]), Is.EqualTo(Errno.Ok));
        using PhysRangeList list = ram.Build();
        Assert.That(list.Ranges.ToArray(), Is.EqualTo(new[] { Range(0x1000, 0x1000) }));
    }

    [Test]
    public void Append_RangesThatTouchInTheOtherOrder_StayApart()
    {
        Assert.That(ram.TryAppend([Range(0x2000, 0x1000), Range(0x1000, 0x1000)]), Is.EqualTo(Errno.Ok));
        Assert.That(ram.Count, Is.EqualTo(2));
    }

    [Test]
    public void Append_TheSameRangeTwice_NamesItTwice()
    {
        Assert.That(ram.TryAppend([Range(0x2000, 8), Range(0x2000, 8)]), Is.EqualTo(Errno.Ok));
        Assert.That((ram.Count, ram.Length.Value), Is.EqualTo((2, 16UL)));
    }

    // K1, for ranges: physically adjacent pages of different page maps.
    [Test]
    public void Append_AdjacentPagesOfTwoPagemaps_StayApart([Values] bool oneCall)
    {
        var space = new RangeSpace(new PhysAddr(0x8000), PageSize.Small.Bytes, [PagemapA, PagemapB], 1000);
        var builder = new PhysRangeListBuilder(space);
        Errno errno = oneCall
            ? builder.TryAppend(Range(0x8000, 0x2000))
            : builder.TryAppend([Range(0x8000, 0x1000), Range(0x9000, 0x1000)]);
        using PhysRangeList list = builder.Build();
        Assert.That(errno, Is.EqualTo(Errno.Ok));
        Assert.That(list.Ranges.ToArray(), Is.EqualTo(new[] { Range(0x8000, 0x1000), Range(0x9000, 0x1000) }));
        Assert.That((list.OwnerOf(0), list.OwnerOf(1), list.SingleOwner), Is.EqualTo((PagemapA, PagemapB, (RangeOwner?)null)));
    }

    [Test]
    public void Append_AtTheBottomAndTheTop_IsRight()
    {
        Assert.That(ram.TryAppend([Range(0, 1), Range(ulong.MaxValue, 1), Range(0, 1)]), Is.EqualTo(Errno.Ok));
        using PhysRangeList list = ram.Build();
        Assert.That(list.Ranges.ToArray(), Is.EqualTo(new[] { Range(0, 1), Range(ulong.MaxValue, 1), Range(0, 1) }));
    }

    [Test]
    public void Append_BytesThatNobodyOwns_IsRefusedAndChangesNothing()
    {
        var space = new RangeSpace(new PhysAddr(0x8000), PageSize.Small.Bytes, [PagemapA, PagemapA, null], 1);
        var builder = new PhysRangeListBuilder(space);
        Assert.That(builder.TryAppend(Range(0x8000, 0x800)), Is.EqualTo(Errno.Ok));
        Assert.That(builder.TryAppend(Range(0x8800, 0x2000)), Is.EqualTo(Errno.EFAULT));
        Assert.That(builder.TryAppendFrames(Pfns(8, 9, 10)), Is.EqualTo(Errno.EFAULT));
        using PhysRangeList list = builder.Build();
        Assert.That(list.Ranges.ToArray(), Is.EqualTo(new[] { Range(0x8000, 0x800) }));
        AssertInvariants(list);
    }

    [Test]
    public void Append_MoreBytesThanALengthCanSay_IsRefusedAndChangesNothing()
    {
        Assert.That(ram.TryAppend(Range(0, 1UL << 63)), Is.EqualTo(Errno.Ok));
        Assert.That(ram.TryAppend(Range(1UL << 63, 1UL << 63)), Is.EqualTo(Errno.EOVERFLOW));
        Assert.That(ram.TryAppend(Range(1UL << 63, (1UL << 63) - 1)), Is.EqualTo(Errno.Ok));
        Assert.That(ram.TryAppendFrames(Pfns(1)), Is.EqualTo(Errno.EOVERFLOW));
        Assert.That((ram.Count, ram.Length), Is.EqualTo((1, ByteCount.MaxValue)));
    }

    [TestCase(1UL << 52)]
    [TestCase(ulong.MaxValue)]
    public void AppendFrames_AFrameWithoutAnAddress_IsRefusedAndChangesNothing(ulong frame)
    {
        Assert.That(ram.TryAppendFrames(Pfns(1, 2)), Is.EqualTo(Errno.Ok));
        Assert.That(ram.TryAppendFrames(Pfns(3, frame)), Is.EqualTo(Errno.EOVERFLOW));
        Assert.That(ram.TryAppendFrames(Pfns(frame)), Is.EqualTo(Errno.EOVERFLOW));
        Assert.That(ram.TryAppendFrames(new PfnRange(new Pfn(frame), PageCount.One)), Is.EqualTo(Errno.EOVERFLOW));
        Assert.That(ram.TryAppendPages(Pfns(3, frame), new ByteCount(1), new ByteCount(4096)), Is.EqualTo(Errno.EOVERFLOW));
        using PhysRangeList list = ram.Build();
        Assert.That(list.Ranges.ToArray(), Is.EqualTo(new[] { Range(0x1000, 0x2000) }));
    }

    [Test]
    public void AppendFrames_ARangeAtTheTop_IsTakenAndAllFramesAreRefused()
    {
        var top = new PfnRange(Pfn.MaxValue, PageCount.One);
        var beyond = new PfnRange(Pfn.MaxValue, new PageCount(2));
        var all = new PfnRange(Pfn.Zero, new PageCount(1UL << 52));
        Assert.That(ram.TryAppendFrames(top), Is.EqualTo(Errno.Ok));
        Assert.That(ram.TryAppendFrames(beyond), Is.EqualTo(Errno.EOVERFLOW));
        Assert.That(ram.TryAppendFrames(all), Is.EqualTo(Errno.EOVERFLOW));
        Assert.That(ram.TryAppendFrames(default(PfnRange)), Is.EqualTo(Errno.Ok));
        Assert.That(ram.Length, Is.EqualTo(PageSize.Small.Bytes));
    }

    [Test]
    public void AppendFrames_ManyChunks_MergeAcrossThem([Values(4096, 5000, 10_001)] int count)
    {
        Pfn[] frames = [.. Enumerable.Range(7, count).Select(static number => new Pfn((ulong)number))];
        foreach (VectorLevel level in Levels)
        {
            var builder = new PhysRangeListBuilder(UniformOwnerSource.AllRam, PhysRangeListLimits.None, level);
            Assert.That(builder.TryAppend(Range(0x6800, 0x800)), Is.EqualTo(Errno.Ok));
            Assert.That(builder.TryAppendFrames(frames), Is.EqualTo(Errno.Ok));
            using PhysRangeList list = builder.Build();
            Assert.That(list.Ranges.ToArray(), Is.EqualTo(new[] { Range(0x6800, 0x800 + (4096UL * (ulong)count)) }), $"{level}");
        }
    }

    [Test]
    public void AppendFrames_PastTheLimit_IsRefusedAndChangesNothing()
    {
        Pfn[] scattered = [.. Enumerable.Range(0, 5000).Select(static number => new Pfn(10 + (2 * (ulong)number)))];
        var builder = new PhysRangeListBuilder(UniformOwnerSource.AllRam, new PhysRangeListLimits(4999));
        Assert.That(builder.TryAppendFrames(Pfns(9)), Is.EqualTo(Errno.Ok));
        Assert.That(builder.TryAppendFrames(scattered), Is.EqualTo(Errno.ENOSPC));
        Assert.That(builder.TryAppendFrames(scattered.AsSpan(0, 4999)), Is.EqualTo(Errno.Ok));
        using PhysRangeList list = builder.Build();
        Assert.That((list.Count, list[0]), Is.EqualTo((4999, Range(0x9000, 0x2000))));
    }

    [Test]
    public void AppendFrames_OfOneOwner_AsksOncePerChunkAndNotPerPage()
    {
        var space = new RangeSpace(PhysAddr.Zero, PageSize.Small.Bytes, [.. Enumerable.Repeat(RangeOwner.Ram, 2000)], 100_000);
        var builder = new PhysRangeListBuilder(space);
        Pfn[] frames = [.. Enumerable.Range(0, 1000).Select(static number => new Pfn(2 * (ulong)number))];
        Assert.That(builder.TryAppendFrames(frames), Is.EqualTo(Errno.Ok));
        Assert.That((builder.Count, space.Questions), Is.EqualTo((1000, 1)));
    }

    [Test]
    public void AppendCarried_InsideTheAperture_KeepsTheOwner()
    {
        RangeOwner bar = RangeOwner.ForProvider(new FakeProvider("bar", Range(0x9000, 0x100)));
        Assert.That(ram.TryAppend(Range(0x9080, 0x80), bar), Is.EqualTo(Errno.Ok));
        Assert.That(ram.TryAppend(default(PhysRange), bar), Is.EqualTo(Errno.Ok));
        using PhysRangeList list = ram.Build();
        Assert.That(list.SingleOwner, Is.SameAs(bar));
    }

    [Test]
    public void AppendCarried_OutsideTheAperture_IsRefused()
    {
        RangeOwner bar = RangeOwner.ForProvider(new FakeProvider("bar", Range(0x9000, 0x100)));
        Assert.That(ram.TryAppend(Range(0x9080, 0x81), bar), Is.EqualTo(Errno.EFAULT));
        Assert.That(ram.Count, Is.Zero);
    }

    [TestCase(2, 4096UL, 4096UL)]
    [TestCase(2, 0UL, 4096UL)]
    [TestCase(2, 0UL, 8193UL)]
    [TestCase(1, 1UL, 4096UL)]
    [TestCase(1, 0UL, 0UL)]
    [TestCase(0, 0UL, 1UL)]
    [TestCase(0, 1UL, 0UL)]
    [TestCase(1, 1UL, ulong.MaxValue)]
    public void AppendPages_ABufferNotInItsPages_Throws(int pages, ulong offset, ulong size)
    {
        Pfn[] frames = [.. Enumerable.Range(0, pages).Select(static number => new Pfn((ulong)number))];
        Assert.That(
            () => ram.TryAppendPages(frames, new ByteCount(offset), new ByteCount(size)),
            Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void AppendPages_InOnePage_IsThatPart()
    {
        Assert.That(ram.TryAppendPages(Pfns(5), new ByteCount(0x10), new ByteCount(0x20)), Is.EqualTo(Errno.Ok));
        Assert.That(ram.TryAppendPages([], default, default), Is.EqualTo(Errno.Ok));
        using PhysRangeList list = ram.Build();
        Assert.That(list.Ranges.ToArray(), Is.EqualTo(new[] { Range(0x5010, 0x20) }));
    }

    [Test]
    public void Owners_ThatChange_AreAskedAgain()
    {
        var map = new ProviderMap();
        var builder = new PhysRangeListBuilder(new RangeOwnerLayers(map, UniformOwnerSource.AllRam));
        Assert.That(builder.TryAppend(Range(0x1000, 0x1000)), Is.EqualTo(Errno.Ok));
        Assert.That(map.TryRegister(new FakeProvider("bar", Range(0x1000, 0x1000)), out _), Is.EqualTo(Errno.Ok));
        Assert.That(builder.TryAppend(Range(0x1000, 0x1000)), Is.EqualTo(Errno.Ok));
        using PhysRangeList list = builder.Build();
        Assert.That((list.OwnerOf(0).Kind, list.OwnerOf(1).Kind), Is.EqualTo((RangeOwnerKind.Ram, RangeOwnerKind.Provider)));
    }

    [Test]
    public void Owners_ThatAnswerBesideTheAddress_AreABug()
    {
        var builder = new PhysRangeListBuilder(new LyingSource());
        Assert.That(() => builder.TryAppend(Range(0x1000, 1)), Throws.InstanceOf<Mm.Core.Checks.MmBugException>());
    }

    [Test]
    public void Build_AgainAndAgain_AllocatesNothing()
    {
        Pfn[] frames = [.. Enumerable.Range(0, 3000).Select(static number => new Pfn(3 * (ulong)number))];
        Errno last = Errno.Ok;
        for (int warmUp = 0; warmUp < 40; warmUp++)
        {
            last = BuildAndDispose(frames);
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int round = 0; round < 100; round++)
        {
            last = BuildAndDispose(frames);
        }

        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
        Assert.That(last, Is.EqualTo(Errno.Ok));
    }

    [Test]
    public void Arguments_Missing_Throw()
    {
        Assert.That(static () => new PhysRangeListBuilder(null!), Throws.ArgumentNullException);
        Assert.That(static () => new PhysRangeListLimits(0), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => ram.TryAppend(Range(0, 1), null!), Throws.ArgumentNullException);
        Assert.That(() => ram.TryAppend((PhysRangeList)null!), Throws.ArgumentNullException);
    }

    private Errno BuildAndDispose(Pfn[] frames)
    {
        Errno errno = ram.TryAppendFrames(frames);
        ram.Build().Dispose();
        return errno;
    }

    private sealed class LyingSource : IRangeOwnerSource
    {
        public long Version => 0;

        public RangeOwner? FindOwner(PhysAddr address, out PhysRange extent)
        {
            extent = default;
            return RangeOwner.Ram;
        }
    }
}
