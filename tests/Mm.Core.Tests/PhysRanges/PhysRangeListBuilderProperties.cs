using Mm.Core.Native;
using Mm.Core.PhysRanges;
using Mm.Testing.Generators;

namespace Mm.Core.Tests.PhysRanges;

[TestFixture]
internal sealed class PhysRangeListBuilderProperties
{
    [FsCheck.NUnit.Property(Arbitrary = new[] { typeof(PhysRangeArbitraries) })]
    public void Append_AnyScript_EqualsTheBytewiseReference(RangeScript script)
    {
        var builder = new PhysRangeListBuilder(script.Space);
        var expected = new List<(PhysAddr, RangeOwner)>();
        foreach (PhysRange range in script.Ranges)
        {
            List<(PhysAddr, RangeOwner)>? bytes = NaiveRanges.BytesOf(script.Space, range);
            Errno errno = builder.TryAppend(range);
            Assert.That(errno, Is.EqualTo(bytes is null ? Errno.EFAULT : Errno.Ok), $"{range}");
            expected.AddRange(bytes ?? []);
        }

        using PhysRangeList list = builder.Build();
        Assert.That(NaiveRanges.RangesOf(list), Is.EqualTo(NaiveRanges.Merge(expected)));
        NaiveRanges.AssertInvariants(list);
    }

    [FsCheck.NUnit.Property(Arbitrary = new[] { typeof(PhysRangeArbitraries) })]
    public void AppendUnmerged_AnyScript_NamesTheSameBytesButKeepsTheDivision(RangeScript script)
    {
        var merging = new PhysRangeListBuilder(script.Space);
        var keeping = new PhysRangeListBuilder(script.Space);
        foreach (PhysRange range in script.Ranges)
        {
            int before = keeping.Count;
            Errno errno = keeping.TryAppendUnmerged(range);
            Assert.That(merging.TryAppend(range), Is.EqualTo(errno));
            int cuts = errno.IsOk ? NaiveRanges.Merge(NaiveRanges.BytesOf(script.Space, range)!).Count : 0;
            Assert.That(keeping.Count, Is.EqualTo(before + cuts));
        }

        using PhysRangeList merged = merging.Build();
        using PhysRangeList kept = keeping.Build();
        NaiveRanges.AssertInvariants(kept);
        Assert.That(NaiveRanges.BytesOf(kept), Is.EqualTo(NaiveRanges.BytesOf(merged)));
        Assert.That(kept.HasSameBytesAs(merged) && merged.HasSameBytesAs(kept), Is.True);
    }

    // L1: splitting or merging ranges does not change the function from byte to address.
    [FsCheck.NUnit.Property(Arbitrary = new[] { typeof(PhysRangeArbitraries) })]
    public void Append_EachRangeCutInTwo_GivesTheSameList(RangeScript script, byte at)
    {
        var whole = new PhysRangeListBuilder(script.Space);
        var parts = new PhysRangeListBuilder(script.Space);
        foreach (PhysRange range in script.Ranges.Where(range => NaiveRanges.BytesOf(script.Space, range) is not null))
        {
            var cut = new ByteCount(Math.Min(at % 16UL, range.Length.Value));
            Assert.That(whole.TryAppend(range), Is.EqualTo(Errno.Ok));
            Assert.That(parts.TryAppend(range.Slice(default, cut)), Is.EqualTo(Errno.Ok));
            Assert.That(parts.TryAppend(range.Slice(cut, range.Length.SubtractChecked(cut))), Is.EqualTo(Errno.Ok));
        }

        using PhysRangeList expected = whole.Build();
        using PhysRangeList actual = parts.Build();
        Assert.That(NaiveRanges.RangesOf(actual), Is.EqualTo(NaiveRanges.RangesOf(expected)));
        int offset = 0;
        foreach ((PhysAddr address, RangeOwner owner) in NaiveRanges.BytesOf(expected))
        {
            Assert.That(actual.TryFindByte(new ByteCount((ulong)offset++), out PhysAddr found, out int index), Is.True);
            Assert.That((found, actual.OwnerOf(index)), Is.EqualTo((address, owner)));
        }

        Assert.That(actual.TryFindByte(expected.Length, out _, out _), Is.False);
    }

    [FsCheck.NUnit.Property(Arbitrary = new[] { typeof(PhysRangeArbitraries) })]
    public void Append_UnderALimit_RefusesExactlyWhatWouldPassItAndChangesNothing(RangeScript script, byte limit)
    {
        int maxRanges = 1 + (limit % 8);
        var builder = new PhysRangeListBuilder(script.Space, new PhysRangeListLimits(maxRanges));
        var taken = new List<(PhysAddr, RangeOwner)>();
        foreach (PhysRange range in script.Ranges)
        {
            List<(PhysAddr, RangeOwner)>? bytes = NaiveRanges.BytesOf(script.Space, range);
            bool fits = bytes is not null && NaiveRanges.Merge(taken.Concat(bytes)).Count <= maxRanges;
            Errno errno = builder.TryAppend(range);
            Assert.That(errno.IsOk, Is.EqualTo(fits));
            taken.AddRange(fits ? bytes! : []);
            Assert.That(builder.Length.Value, Is.EqualTo((ulong)taken.Count));
        }

        using PhysRangeList list = builder.Build();
        Assert.That(NaiveRanges.RangesOf(list), Is.EqualTo(NaiveRanges.Merge(taken)));
    }

    [FsCheck.NUnit.Property(Arbitrary = new[] { typeof(PhysRangeArbitraries) })]
    public void AppendFrames_AtEveryVectorLevel_EqualsAppendingThemOneByOne(FrameScript script)
    {
        var naive = new PhysRangeListBuilder(script.Space);
        int cut = Math.Min(script.Cut, script.Frames.Length);
        Errno first = AppendAll(naive, script.Frames[..cut]);
        Errno second = AppendAll(naive, script.Frames[cut..]);
        using PhysRangeList expected = naive.Build();
        foreach (VectorLevel level in NaiveRanges.Levels)
        {
            var builder = new PhysRangeListBuilder(script.Space, PhysRangeListLimits.None, level);
            Assert.That(builder.TryAppendFrames(script.Frames.AsSpan(0, cut)), Is.EqualTo(first), $"{level}");
            Assert.That(builder.TryAppendFrames(script.Frames.AsSpan(cut)), Is.EqualTo(second), $"{level}");
            using PhysRangeList list = builder.Build();
            Assert.That(NaiveRanges.RangesOf(list), Is.EqualTo(NaiveRanges.RangesOf(expected)), $"{level}");
            NaiveRanges.AssertInvariants(list);
        }
    }

    [FsCheck.NUnit.Property(Arbitrary = new[] { typeof(PhysRangeArbitraries) })]
    public void AppendPages_AnyOffsetAndSize_IsThatPartOfTheFrames(FrameScript script, ushort offset, ushort missing)
    {
        if (script.Frames.Length < 2)
        {
            return;
        }

        ulong start = offset % 4096UL;
        ulong end = ((ulong)script.Frames.Length * 4096) - (missing % 4096UL);
        var all = new PhysRangeListBuilder(UniformOwnerSource.AllRam);
        var part = new PhysRangeListBuilder(UniformOwnerSource.AllRam);
        Assert.That(all.TryAppendFrames(script.Frames), Is.EqualTo(Errno.Ok));
        Errno errno = part.TryAppendPages(script.Frames, new ByteCount(start), new ByteCount(end - start));
        Assert.That(errno, Is.EqualTo(Errno.Ok));
        using PhysRangeList whole = all.Build();
        using PhysRangeList list = part.Build();
        Assert.That(list.Length.Value, Is.EqualTo(end - start));
        foreach (ulong probe in new ulong[] { 0, (end - start) / 2, end - start - 1 })
        {
            Assert.That(list.TryFindByte(new ByteCount(probe), out PhysAddr found, out _), Is.True);
            Assert.That(whole.TryFindByte(new ByteCount(start + probe), out PhysAddr expected, out _), Is.True);
            Assert.That(found, Is.EqualTo(expected));
        }
    }

    [FsCheck.NUnit.Property(Arbitrary = new[] { typeof(PhysRangeArbitraries) })]
    public void AppendList_OfABuiltList_CarriesItsOwners(RangeScript script)
    {
        var builder = new PhysRangeListBuilder(script.Space);
        foreach (PhysRange range in script.Ranges)
        {
            _ = builder.TryAppend(range);
        }

        using PhysRangeList list = builder.Build();
        var elsewhere = new PhysRangeListBuilder(UniformOwnerSource.AllRam);
        Assert.That(elsewhere.TryAppend(list), Is.EqualTo(Errno.Ok));
        using PhysRangeList copy = elsewhere.Build();
        Assert.That(NaiveRanges.RangesOf(copy), Is.EqualTo(NaiveRanges.RangesOf(list)));
    }

    [FsCheck.NUnit.Property(Arbitrary = new[] { typeof(PhysRangeArbitraries) })]
    public void HasSameBytesAs_ListsThatDiffer_IsFalse(RangeScript script)
    {
        var builder = new PhysRangeListBuilder(UniformOwnerSource.AllRam);
        Assert.That(builder.TryAppend(script.Ranges), Is.EqualTo(Errno.Ok));
        using PhysRangeList list = builder.Build();
        Assert.That(builder.TryAppend([.. script.Ranges.Reverse()]), Is.EqualTo(Errno.Ok));
        using PhysRangeList reversed = builder.Build();
        bool isSame = NaiveRanges.BytesOf(list).SequenceEqual(NaiveRanges.BytesOf(reversed));
        Assert.That(list.HasSameBytesAs(reversed), Is.EqualTo(isSame));
    }

    // All or nothing for each call, as TryAppendFrames promises.
    private static Errno AppendAll(PhysRangeListBuilder builder, Pfn[] frames) =>
        builder.TryAppend([.. frames.Select(static frame => new PfnRange(frame, PageCount.One).ToPhysRange())]);
}
