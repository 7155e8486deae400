namespace Mm.Core.Tests;

public sealed class PfnTests
{
    [Test]
    public void Address_LastFrame_IsTheTopPage()
    {
        Assert.That(Pfn.MaxValue.Address.Value, Is.EqualTo(0xffff_ffff_ffff_f000UL));
        Assert.That(Pfn.Zero.Address, Is.EqualTo(PhysAddr.Zero));
        Assert.That(default(Pfn), Is.EqualTo(Pfn.Zero));
    }

    [Test]
    public void Address_FrameWithoutOne_Throws()
    {
        Assert.That(() => new Pfn(1UL << 52).Address, Throws.TypeOf<OverflowException>());
    }

    [Test]
    public void AddChecked_ToTheTopAndBeyond_ReachesItThenThrows()
    {
        var frame = new Pfn(ulong.MaxValue - 1);

        Assert.That(frame.AddChecked(PageCount.One).Value, Is.EqualTo(ulong.MaxValue));
        Assert.That(() => frame.AddChecked(new PageCount(2)), Throws.TypeOf<OverflowException>());
    }

    [Test]
    public void OffsetFrom_FrameBelowAndAbove_CountsOrThrows()
    {
        Assert.That(new Pfn(9).OffsetFrom(new Pfn(2)), Is.EqualTo(new PageCount(7)));
        Assert.That(() => new Pfn(2).OffsetFrom(new Pfn(9)), Throws.TypeOf<OverflowException>());
    }

    [TestCase(0UL, 51, true)]
    [TestCase(1UL, 0, true)]
    [TestCase(1UL, 1, false)]
    [TestCase(1024UL, 10, true)]
    [TestCase(1536UL, 10, false)]
    public void IsAligned_Order_ComparesWithPowerOfTwo(ulong frame, int order, bool aligned)
    {
        Assert.That(new Pfn(frame).IsAligned(order), Is.EqualTo(aligned));
    }

    [TestCase(-1)]
    [TestCase(52)]
    public void IsAligned_OrderOutOfRange_Throws(int order)
    {
        Assert.That(() => Pfn.Zero.IsAligned(order), Throws.TypeOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void Compare_Neighbours_AreOrderedByValue()
    {
        var low = new Pfn(7);
        var high = new Pfn(8);

        Assert.That(low < high && low <= high && high > low && high >= low, Is.True);
        Assert.That(high < low || high <= low || low > high || low >= high, Is.False);
        Assert.That(low.CompareTo(high), Is.Negative);
    }

    [Test]
    public void ToString_Frame_SaysWhatItIs()
    {
        Assert.That(new Pfn(0x1000).ToString(), Is.EqualTo("pfn 0x1000"));
    }
}
