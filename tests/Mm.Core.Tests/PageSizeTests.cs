namespace Mm.Core.Tests;

public sealed class PageSizeTests
{
    private static readonly object[] Sizes =
    [
        new object[] { PageSize.Small, 12, 0, "4 KiB" },
        new object[] { PageSize.Large, 21, 9, "2 MiB" },
        new object[] { PageSize.Huge, 30, 18, "1 GiB" },
    ];

    [TestCaseSource(nameof(Sizes))]
    public void Size_Each_HasOneMeaningInAllUnits(PageSize size, int shift, int order, string text)
    {
        Assert.That(size.Shift, Is.EqualTo(shift));
        Assert.That(size.Order, Is.EqualTo(order));
        Assert.That(size.Bytes.Value, Is.EqualTo(1UL << shift));
        Assert.That(size.Pages, Is.EqualTo(PageCount.OfOrder(order)));
        Assert.That(size.Pages.ToBytes(), Is.EqualTo(size.Bytes));
        Assert.That(size.OffsetMask, Is.EqualTo(size.Bytes.Value - 1));
        Assert.That(size.ToString(), Is.EqualTo(text));
    }

    [Test]
    public void Default_IsTheSmallPage()
    {
        Assert.That(default(PageSize), Is.EqualTo(PageSize.Small));
    }
}
