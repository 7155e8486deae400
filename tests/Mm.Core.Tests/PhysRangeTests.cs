namespace Mm.Core.Tests;

public sealed class PhysRangeTests
{
    private static readonly PhysRange Whole = new(PhysAddr.Zero, ByteCount.MaxValue);

    [TestCase(0UL, ulong.MaxValue)]
    [TestCase(1UL, ulong.MaxValue)]
    [TestCase(ulong.MaxValue, 1UL)]
    [TestCase(ulong.MaxValue, 0UL)]
    public void New_RangeUpToTheTop_Fits(ulong start, ulong length)
    {
        var range = new PhysRange(new PhysAddr(start), new ByteCount(length));

        Assert.That(range.Length.Value, Is.EqualTo(length));
        Assert.That(PhysRange.TryCreate(range.Start, range.Length, out PhysRange same), Is.True);
        Assert.That(same, Is.EqualTo(range));
    }

    [TestCase(2UL, ulong.MaxValue)]
    [TestCase(ulong.MaxValue, 2UL)]
    public void New_RangeBeyondTheTop_IsRefused(ulong start, ulong length)
    {
        Assert.That(
            () => new PhysRange(new PhysAddr(start), new ByteCount(length)),
            Throws.TypeOf<ArgumentOutOfRangeException>().With.Message.Contains("2^64 - start"));
        Assert.That(PhysRange.TryCreate(new PhysAddr(start), new ByteCount(length), out PhysRange range), Is.False);
        Assert.That(range, Is.EqualTo(default(PhysRange)));
    }

    [Test]
    public void FromBounds_EndBelowStart_Throws()
    {
        Assert.That(PhysRange.FromBounds(new PhysAddr(5), new PhysAddr(5)).IsEmpty, Is.True);
        Assert.That(PhysRange.FromBounds(new PhysAddr(5), new PhysAddr(9)).Length, Is.EqualTo(new ByteCount(4)));
        Assert.That(() => PhysRange.FromBounds(new PhysAddr(5), new PhysAddr(4)), Throws.TypeOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void Contains_Edges_AreHalfOpen()
    {
        PhysRange range = Range(0x1000, 0x1000);

        Assert.That(range.Contains(new PhysAddr(0xfff)), Is.False);
        Assert.That(range.Contains(new PhysAddr(0x1000)), Is.True);
        Assert.That(range.Contains(new PhysAddr(0x1fff)), Is.True);
        Assert.That(range.Contains(new PhysAddr(0x2000)), Is.False);
        Assert.That(Range(ulong.MaxValue, 1).Contains(PhysAddr.MaxValue), Is.True);
        Assert.That(Whole.Contains(PhysAddr.MaxValue), Is.False, "2^64-1 bytes from 0 end below the last address");
        Assert.That(default(PhysRange).Contains(PhysAddr.Zero), Is.False);
    }

    [Test]
    public void Contains_EmptyRange_AtEitherEndIsInside()
    {
        PhysRange range = Range(0x1000, 0x1000);

        Assert.That(range.Contains(Range(0x1000, 0)), Is.True);
        Assert.That(range.Contains(Range(0x2000, 0)), Is.True);
        Assert.That(range.Contains(Range(0x2001, 0)), Is.False);
        Assert.That(range.Contains(Range(0xfff, 2)), Is.False);
        Assert.That(range.Contains(range), Is.True);
    }

    [Test]
    public void IsFollowedBy_RangeThatEndsAtTheTop_IsNotFollowedByZero()
    {
        Assert.That(Range(ulong.MaxValue, 1).IsFollowedBy(Range(0, 1)), Is.False);
        Assert.That(Range(ulong.MaxValue, 1).TryGetEnd(out _), Is.False);
        Assert.That(Range(1, 2).IsFollowedBy(Range(3, 1)), Is.True);
        Assert.That(Range(1, 2).IsFollowedBy(Range(4, 1)), Is.False);
    }

    [Test]
    public void Slice_PartOutside_Throws()
    {
        PhysRange range = Range(0x1000, 0x10);

        Assert.That(range.Slice(new ByteCount(0x10), ByteCount.Zero), Is.EqualTo(Range(0x1010, 0)));
        Assert.That(range.Slice(new ByteCount(4), new ByteCount(12)), Is.EqualTo(Range(0x1004, 12)));
        Assert.That(() => range.Slice(new ByteCount(4), new ByteCount(13)), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => range.Slice(new ByteCount(0x11), ByteCount.Zero), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => range.Slice(new ByteCount(4), ByteCount.MaxValue), Throws.TypeOf<ArgumentOutOfRangeException>());
    }

    [TestCase(0x1000UL, 0x2000UL, true)]
    [TestCase(0x1000UL, 0UL, true)]
    [TestCase(0x1001UL, 0x1000UL, false)]
    [TestCase(0x1000UL, 0x1001UL, false)]
    public void TryGetFrames_Alignment_Decides(ulong start, ulong length, bool aligned)
    {
        Assert.That(Range(start, length).TryGetFrames(out PfnRange frames), Is.EqualTo(aligned));
        Assert.That(frames.Count.Value, Is.EqualTo(aligned ? length >> 12 : 0));
    }

    [Test]
    public void ToString_TopMostRange_PrintsTheEndBeyondSixtyFourBits()
    {
        Assert.That(Range(0x1000, 0x1000).ToString(), Is.EqualTo("[0x1000, 0x2000)"));
        Assert.That(Range(ulong.MaxValue, 1).ToString(), Is.EqualTo("[0xffffffffffffffff, 0x10000000000000000)"));
    }

    private static PhysRange Range(ulong start, ulong length) => new(new PhysAddr(start), new ByteCount(length));
}
