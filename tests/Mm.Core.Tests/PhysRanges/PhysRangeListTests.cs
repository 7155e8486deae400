using Mm.Core.Native;
using Mm.Core.PhysRanges;
using Mm.Testing.Generators;
using static Mm.Core.Tests.PhysRanges.NaiveRanges;

namespace Mm.Core.Tests.PhysRanges;

[TestFixture]
internal sealed class PhysRangeListTests
{
    private readonly PhysRangeListBuilder builder = new(UniformOwnerSource.AllRam);

    [Test]
    public void Empty_HasNothing()
    {
        using PhysRangeList list = builder.Build();
        Assert.That((list.Count, list.IsEmpty, list.Length, list.SingleOwner), Is.EqualTo((0, true, ByteCount.Zero, (RangeOwner?)null)));
        Assert.That(list.ToString(), Is.EqualTo("0 ranges, 0 B"));
        Assert.That(list.TryFindByte(ByteCount.Zero, out _, out _), Is.False);
    }

    [Test]
    public void OneOwner_NeedsOneRun()
    {
        using PhysRangeList list = Build(Range(0, 1), Range(2, 1), Range(4, 1));
        Assert.That(list.OwnerRuns.ToArray(), Is.EqualTo(new[] { new OwnerRun(RangeOwner.Ram, 0, 3) }));
        Assert.That(list.SingleOwner, Is.SameAs(RangeOwner.Ram));
    }

    [Test]
    public void OwnerOf_NoSuchRange_Throws([Values(-1, 1)] int index)
    {
        using PhysRangeList list = Build(Range(0, 1));
        Assert.That(() => list.OwnerOf(index), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => list[index], Throws.InstanceOf<IndexOutOfRangeException>());
    }

    [Test]
    public void Foreach_GivesTheRangesInOrder()
    {
        using PhysRangeList list = Build(Range(4, 1), Range(0, 2));
        var seen = new List<PhysRange>();
        foreach (PhysRange range in list)
        {
            seen.Add(range);
        }

        Assert.That(seen, Is.EqualTo(new[] { Range(4, 1), Range(0, 2) }));
        Assert.That(list.ToString(), Does.Contain("[0x4, 0x5), [0x0, 0x2)"));
    }

    [Test]
    public void Validity_WithoutAToken_EndsAtDispose()
    {
        PhysRangeList list = Build(Range(0, 1));
        ValidityToken token = list.Validity;
        Assert.That((list.IsValid, token.IsValid), Is.EqualTo((true, true)));
        list.Dispose();
        Assert.That((list.IsValid, token.IsValid), Is.EqualTo((false, false)));
    }

    [Test]
    public void Validity_OfTheMakersToken_EndsWithIt()
    {
        var source = new ValiditySource();
        Assert.That(builder.TryAppend(Range(0, 1)), Is.EqualTo(Errno.Ok));
        using PhysRangeList list = builder.Build(source.Token);
        Assert.That(list.IsValid, Is.True);
        source.Invalidate();
        Assert.That((list.IsValid, list.Validity.IsValid), Is.EqualTo((false, false)));
    }

    [Test]
    public void Dispose_EndsEveryMember()
    {
        PhysRangeList list = Build(Range(0, 1));
        list.Dispose();
        list.Dispose();
        Assert.That(() => list.Count, Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(() => list.Length, Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(() => list[0], Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(() => list.OwnerOf(0), Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(() => list.SingleOwner, Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(() => list.OwnerRuns.Length, Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(() => list.TryFindByte(default, out _, out _), Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(() => list.HasSameBytesAs(list), Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(() => builder.TryAppend(list), Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(list.ToString(), Is.EqualTo("disposed list"));
    }

    [Test]
    public void Dispose_OfOneList_LeavesTheOthers()
    {
        PhysRangeList first = Build(Range(0, 1));
        using PhysRangeList second = Build(Range(8, 1));
        first.Dispose();
        using PhysRangeList third = Build(Range(16, 4), Range(32, 4));
        Assert.That(second.Ranges.ToArray(), Is.EqualTo(new[] { Range(8, 1) }));
        Assert.That(third.Ranges.ToArray(), Is.EqualTo(new[] { Range(16, 4), Range(32, 4) }));
    }

    [Test]
    public void Dispose_OfMoreListsThanThePoolKeeps_IsHarmless()
    {
        PhysRangeList[] lists = [.. Enumerable.Range(0, 40).Select(number => Build(Range((ulong)number, 1)))];
        foreach (PhysRangeList list in lists)
        {
            list.Dispose();
        }

        using PhysRangeList next = Build(Range(3, 1));
        Assert.That(next[0], Is.EqualTo(Range(3, 1)));
    }

    [Test]
    public void SameBytes_WhateverTheDivision_AreTheSame()
    {
        using PhysRangeList whole = Build(Range(0, 8), Range(ulong.MaxValue - 7, 8));
        Assert.That(builder.TryAppendUnmerged(Range(0, 3)), Is.EqualTo(Errno.Ok));
        Assert.That(builder.TryAppendUnmerged(Range(3, 5)), Is.EqualTo(Errno.Ok));
        Assert.That(builder.TryAppendUnmerged(Range(ulong.MaxValue - 7, 7)), Is.EqualTo(Errno.Ok));
        Assert.That(builder.TryAppendUnmerged(Range(ulong.MaxValue, 1)), Is.EqualTo(Errno.Ok));
        using PhysRangeList parts = builder.Build();
        using PhysRangeList other = Build(Range(0, 8), Range(ulong.MaxValue - 8, 8));
        Assert.That((parts.Count, parts.HasSameBytesAs(whole), parts.HasSameBytesAs(other)), Is.EqualTo((4, true, false)));
    }

    [Test]
    public void Owner_HoldsWhatItsKindPromises()
    {
        var provider = new FakeProvider("bar", Range(0, 1));
        RangeOwner pagemap = RangeOwner.ForPagemap("pm");
        RangeOwner peer = RangeOwner.ForPagemap("pm", provider);
        RangeOwner bare = RangeOwner.ForProvider(provider);
        RangeOwner window = RangeOwner.ForDeviceWindow("w");
        RangeOwner[] all = [RangeOwner.Ram, pagemap, peer, bare, window];
        Assert.That(all.Select(static owner => owner.HasPages), Is.EqualTo(new[] { true, true, true, false, false }));
        Assert.That(all.Select(static owner => owner.IsPeer), Is.EqualTo(new[] { false, false, true, true, false }));
        Assert.That(bare.ToString(), Is.EqualTo("bar (Provider)"));
    }

    [FsCheck.NUnit.Property(Arbitrary = new[] { typeof(PhysRangeArbitraries) })]
    public void Measure_AtEveryLevel_EqualsTheScan(RangeScript script)
    {
        PhysRange[] ranges = [.. script.Ranges.Where(static range => !range.IsEmpty)];
        RangeSummary expected = default;
        if (ranges.Length > 0)
        {
            ulong bits = ranges.Aggregate(0UL, static (all, range) => all | range.Start.Value | range.Length.Value);
            expected = new RangeSummary(
                ranges.Min(static range => range.Start),
                ranges.Max(static range => range.Start.AddChecked(new ByteCount(range.Length.Value - 1))),
                ranges.Max(static range => range.Length),
                new ByteCount(1UL << System.Numerics.BitOperations.TrailingZeroCount(bits)));
        }

        foreach (VectorLevel level in Levels)
        {
            Assert.That(RangeSpans.Measure(level, ranges), Is.EqualTo(expected), $"{level}");
        }
    }

    // In each lane of each vector, and in what is left over.
    [Test]
    public void Measure_OfARangeAtTheTop_IsRight([Range(0, 8)] int place)
    {
        PhysRange[] ranges = [.. Enumerable.Repeat(Range(0x2000, 0x4000), 9)];
        ranges[place] = Range(ulong.MaxValue - 0xfff, 0x1000);
        var expected = new RangeSummary(new PhysAddr(0x2000), PhysAddr.MaxValue, new ByteCount(0x4000), new ByteCount(0x1000));
        using PhysRangeList list = Build(ranges);
        Assert.That(list.Measure(), Is.EqualTo(expected));
        foreach (VectorLevel level in Levels)
        {
            Assert.That(RangeSpans.Measure(level, ranges), Is.EqualTo(expected), $"{level}");
        }
    }

    private PhysRangeList Build(params ReadOnlySpan<PhysRange> ranges)
    {
        Assert.That(builder.TryAppend(ranges), Is.EqualTo(Errno.Ok));
        return builder.Build();
    }
}
