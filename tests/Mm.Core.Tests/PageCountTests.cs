namespace Mm.Core.Tests;

public sealed class PageCountTests
{
    [Test]
    public void ToBytes_LargestThatHasAddresses_IsTheWholeSpaceLessOnePage()
    {
        Assert.That(new PageCount((1UL << 52) - 1).ToBytes().Value, Is.EqualTo(0xffff_ffff_ffff_f000UL));
        Assert.That(() => new PageCount(1UL << 52).ToBytes(), Throws.TypeOf<OverflowException>());
    }

    [TestCase(0, 1UL)]
    [TestCase(10, 1024UL)]
    [TestCase(51, 1UL << 51)]
    public void OfOrder_LegalOrder_IsAPowerOfTwo(int order, ulong pages)
    {
        Assert.That(PageCount.OfOrder(order).Value, Is.EqualTo(pages));
    }

    [TestCase(-1)]
    [TestCase(52)]
    public void OfOrder_IllegalOrder_ThrowsWithTheRange(int order)
    {
        Assert.That(
            () => PageCount.OfOrder(order),
            Throws.TypeOf<ArgumentOutOfRangeException>().With.Message.Contains("[0, 52)"));
    }

    [Test]
    public void Arithmetic_AtTheEdges_Throws()
    {
        var top = new PageCount(ulong.MaxValue);

        Assert.That(new PageCount(ulong.MaxValue - 1).AddChecked(PageCount.One), Is.EqualTo(top));
        Assert.That(() => top.AddChecked(PageCount.One), Throws.TypeOf<OverflowException>());
        Assert.That(top.SubtractChecked(top), Is.EqualTo(PageCount.Zero));
        Assert.That(() => PageCount.Zero.SubtractChecked(PageCount.One), Throws.TypeOf<OverflowException>());
    }

    [Test]
    public void Compare_Neighbours_AreOrderedByValue()
    {
        PageCount low = PageCount.Zero;
        PageCount high = PageCount.One;

        Assert.That(low < high && low <= high && high > low && high >= low, Is.True);
        Assert.That(high < low || high <= low || low > high || low >= high, Is.False);
        Assert.That(low.CompareTo(high), Is.Negative);
        Assert.That(low.IsZero, Is.True);
        Assert.That(high.IsZero, Is.False);
    }

    [TestCase(0UL, "0 pages")]
    [TestCase(1UL, "1 page")]
    [TestCase(512UL, "512 pages")]
    public void ToString_Pages_SaysTheUnit(ulong pages, string text)
    {
        Assert.That(new PageCount(pages).ToString(), Is.EqualTo(text));
    }
}
