namespace Mm.Core.Tests;

public sealed class PfnRangeTests
{
    [Test]
    public void New_RangeUpToTheTop_FitsAndOneMoreIsRefused()
    {
        Assert.That(Range(ulong.MaxValue, 1).Count, Is.EqualTo(PageCount.One));
        Assert.That(() => Range(ulong.MaxValue, 2), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => Range(2, ulong.MaxValue), Throws.TypeOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void Contains_Edges_AreHalfOpen()
    {
        PfnRange range = Range(0x100, 0x100);

        Assert.That(range.Contains(new Pfn(0xff)), Is.False);
        Assert.That(range.Contains(new Pfn(0x100)), Is.True);
        Assert.That(range.Contains(new Pfn(0x1ff)), Is.True);
        Assert.That(range.Contains(new Pfn(0x200)), Is.False);
        Assert.That(range.Contains(Range(0x200, 0)), Is.True);
        Assert.That(range.Contains(Range(0x1ff, 2)), Is.False);
    }

    [Test]
    public void ToPhysRange_FramesWithoutAddress_Throws()
    {
        Assert.That(() => Range(1UL << 52, 1).ToPhysRange(), Throws.TypeOf<OverflowException>());
    }

    [Test]
    public void ToString_Range_IsHalfOpen()
    {
        Assert.That(Range(0x100, 0x100).ToString(), Is.EqualTo("pfn [0x100, 0x200)"));
        Assert.That(default(PfnRange).IsEmpty, Is.True);
    }

    private static PfnRange Range(ulong start, ulong count) => new(new Pfn(start), new PageCount(count));
}
