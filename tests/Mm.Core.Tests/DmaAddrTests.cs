namespace Mm.Core.Tests;

public sealed class DmaAddrTests
{
    [Test]
    public void Default_IsAddressZero()
    {
        Assert.That(default(DmaAddr), Is.EqualTo(DmaAddr.Zero));
        Assert.That(DmaAddr.Zero.Value, Is.Zero);
        Assert.That(DmaAddr.MaxValue.Value, Is.EqualTo(ulong.MaxValue));
    }

    [TestCase(0UL, 0UL, 0UL)]
    [TestCase(0UL, ulong.MaxValue, ulong.MaxValue)]
    [TestCase(ulong.MaxValue - 1, 1UL, ulong.MaxValue)]
    public void Add_ThatFits_IsTheSumByEveryVerb(ulong start, ulong count, ulong expected)
    {
        var address = new DmaAddr(start);

        Assert.That(address.TryAdd(new ByteCount(count), out DmaAddr sum), Is.True);
        Assert.That(sum.Value, Is.EqualTo(expected));
        Assert.That(address.AddChecked(new ByteCount(count)), Is.EqualTo(sum));
        Assert.That(address.AddWrapping(new ByteCount(count)), Is.EqualTo(sum));
        Assert.That(sum.OffsetFrom(address).Value, Is.EqualTo(count));
    }

    [TestCase(ulong.MaxValue, 1UL, 0UL)]
    [TestCase(ulong.MaxValue - 1, 2UL, 0UL)]
    [TestCase(ulong.MaxValue, ulong.MaxValue, ulong.MaxValue - 1)]
    public void Add_ThatPassesTheTop_IsRefusedThrowsOrWrapsAsTheVerbSays(ulong start, ulong count, ulong wrapped)
    {
        var address = new DmaAddr(start);

        Assert.That(address.TryAdd(new ByteCount(count), out DmaAddr sum), Is.False);
        Assert.That(sum, Is.EqualTo(DmaAddr.Zero));
        Assert.That(() => address.AddChecked(new ByteCount(count)), Throws.TypeOf<OverflowException>());
        Assert.That(address.AddWrapping(new ByteCount(count)).Value, Is.EqualTo(wrapped));
    }

    [Test]
    public void OffsetFrom_OriginAbove_Throws()
    {
        Assert.That(() => DmaAddr.Zero.OffsetFrom(new DmaAddr(1)), Throws.TypeOf<OverflowException>());
    }

    [TestCase(0UL, true, 0UL, 0UL, 0UL)]
    [TestCase(1UL, false, 0UL, 1UL, 0x1000UL)]
    [TestCase(0xfffUL, false, 0UL, 0xfffUL, 0x1000UL)]
    [TestCase(0x1000UL, true, 0x1000UL, 0UL, 0x1000UL)]
    [TestCase(0xffff_ffff_ffff_f000UL, true, 0xffff_ffff_ffff_f000UL, 0UL, 0xffff_ffff_ffff_f000UL)]
    public void Align_SmallPage_SplitsTheAddress(ulong value, bool aligned, ulong down, ulong offset, ulong up)
    {
        var address = new DmaAddr(value);

        Assert.That(address.IsAligned(PageSize.Small), Is.EqualTo(aligned));
        Assert.That(address.AlignDown(PageSize.Small).Value, Is.EqualTo(down));
        Assert.That(address.OffsetIn(PageSize.Small).Value, Is.EqualTo(offset));
        Assert.That(address.TryAlignUp(PageSize.Small, out DmaAddr alignedUp), Is.True);
        Assert.That(alignedUp.Value, Is.EqualTo(up));
    }

    [TestCase(ulong.MaxValue)]
    [TestCase(0xffff_ffff_ffff_f001UL)]
    public void TryAlignUp_NoMultipleBelowTheTop_IsRefused(ulong value)
    {
        Assert.That(new DmaAddr(value).TryAlignUp(PageSize.Small, out DmaAddr aligned), Is.False);
        Assert.That(aligned, Is.EqualTo(DmaAddr.Zero));
    }

    [Test]
    public void Compare_Neighbours_AreOrderedByValue()
    {
        var low = new DmaAddr(ulong.MaxValue - 1);
        DmaAddr high = DmaAddr.MaxValue;
        var same = new DmaAddr(low.Value);

        Assert.That(low < high && low <= high && high > low && high >= low, Is.True);
        Assert.That(high < low || high <= low || low > high || low >= high, Is.False);
        Assert.That(low <= same && low >= same, Is.True);
        Assert.That(low.CompareTo(high), Is.Negative);
    }

    [Test]
    public void ToString_TopAddress_IsHexadecimal()
    {
        Assert.That(DmaAddr.MaxValue.ToString(), Is.EqualTo("0xffffffffffffffff"));
        Assert.That(DmaAddr.Zero.ToString(), Is.EqualTo("0x0"));
    }
}
