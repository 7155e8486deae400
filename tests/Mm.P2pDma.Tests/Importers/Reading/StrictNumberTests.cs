using Mm.Core;
using Mm.P2pDma.Importers.Reading;

namespace Mm.P2pDma.Tests.Importers.Reading;

public sealed class StrictNumberTests
{
    [TestCase("0", 10UL, 0UL)]
    [TestCase("10", 10UL, 10UL)]
    [TestCase("007", 10UL, 7UL)]
    [TestCase("18446744073709551615", ulong.MaxValue, ulong.MaxValue)]
    public void TryDecimal_Number_IsRead(string text, ulong max, ulong expected)
    {
        Assert.That(StrictNumber.TryDecimal(text, max, out ulong value), Is.True);
        Assert.That(value, Is.EqualTo(expected));
    }

    [TestCase("", 10UL)]
    [TestCase("11", 10UL)]
    [TestCase("5", 4UL)]
    [TestCase("-1", 10UL)]
    [TestCase("+1", 10UL)]
    [TestCase(" 1", 10UL)]
    [TestCase("1 ", 10UL)]
    [TestCase("1a", 10UL)]
    [TestCase("1,000", 10_000UL)]
    [TestCase("\u0661", 10UL)]
    [TestCase("18446744073709551616", ulong.MaxValue)]
    [TestCase("99999999999999999999999", ulong.MaxValue)]
    public void TryDecimal_Otherwise_IsRefused(string text, ulong max)
    {
        Assert.That(StrictNumber.TryDecimal(text, max, out ulong value), Is.False);
        Assert.That(value, Is.Zero);
    }

    [TestCase("fF", 255UL, 255UL, true)]
    [TestCase("100", 255UL, 0UL, false)]
    [TestCase("g", 255UL, 0UL, false)]
    [TestCase("0x1", 255UL, 0UL, false)]
    [TestCase("ffffffffffffffff", ulong.MaxValue, ulong.MaxValue, true)]
    [TestCase("10000000000000000", ulong.MaxValue, 0UL, false)]
    public void TryHex_Text_IsReadOrRefused(string text, ulong max, ulong expected, bool fits)
    {
        Assert.That(StrictNumber.TryHex(text, max, out ulong value), Is.EqualTo(fits));
        Assert.That(value, Is.EqualTo(expected));
    }

    [TestCase("0x1F", 31UL, true)]
    [TestCase("0X1f", 31UL, true)]
    [TestCase("0x", 0UL, false)]
    [TestCase("1f", 0UL, false)]
    [TestCase("0x20", 0UL, false)]
    public void TryPrefixedHex_Text_IsReadOrRefused(string text, ulong expected, bool fits)
    {
        Assert.That(StrictNumber.TryPrefixedHex(text, 31, out ulong value), Is.EqualTo(fits));
        Assert.That(value, Is.EqualTo(expected));
    }

    [TestCase("4096", 4096UL)]
    [TestCase("64G", 64UL << 30)]
    [TestCase("17M", 17UL << 20)]
    [TestCase("256KB", 256UL << 10)]
    [TestCase("1048576KiB", 1UL << 30)]
    [TestCase("1P", 1UL << 50)]
    [TestCase("16383P", 16383UL << 50)]
    public void TrySize_Size_IsRead(string text, ulong expected)
    {
        Assert.That(StrictNumber.TrySize(text, out ByteCount size), Is.True);
        Assert.That(size, Is.EqualTo(new ByteCount(expected)));
    }

    [TestCase("")]
    [TestCase("G")]
    [TestCase("1 G")]
    [TestCase("1g")]
    [TestCase("-1K")]
    [TestCase("1.5G")]
    [TestCase("16384P")]
    public void TrySize_Otherwise_IsRefused(string text) => Assert.That(StrictNumber.TrySize(text, out _), Is.False);

    [TestCase("15.753846", 15_753_846UL)]
    [TestCase("0.000000", 0UL)]
    [TestCase("8", 8_000_000UL)]
    [TestCase("8.0", 8_000_000UL)]
    [TestCase("2.50000099", 2_500_000UL)]
    public void TryFraction_Number_IsRead(string text, ulong expected)
    {
        Assert.That(StrictNumber.TryFraction(text, 6, 1_000_000_000, out ulong value), Is.True);
        Assert.That(value, Is.EqualTo(expected));
    }

    [TestCase("")]
    [TestCase(".5")]
    [TestCase("5.")]
    [TestCase("1.2.3")]
    [TestCase("1e3")]
    [TestCase("-1.0")]
    [TestCase("nan")]
    [TestCase("1001.0")]
    [TestCase("99999999999999999999.0")]
    public void TryFraction_Otherwise_IsRefused(string text) =>
        Assert.That(StrictNumber.TryFraction(text, 6, 1_000_000_000, out _), Is.False);
}
