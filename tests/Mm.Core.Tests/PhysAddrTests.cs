namespace Mm.Core.Tests;

public sealed class PhysAddrTests
{
    [Test]
    public void Default_IsAddressZero()
    {
        Assert.That(default(PhysAddr), Is.EqualTo(PhysAddr.Zero));
        Assert.That(PhysAddr.Zero.Value, Is.Zero);
        Assert.That(PhysAddr.MaxValue.Value, Is.EqualTo(ulong.MaxValue));
    }

    [TestCase(0UL, 0UL, 0UL)]
    [TestCase(0UL, ulong.MaxValue, ulong.MaxValue)]
    [TestCase(ulong.MaxValue - 1, 1UL, ulong.MaxValue)]
    public void Add_ThatFits_IsTheSumByEveryVerb(ulong start, ulong count, ulong expected)
    {
        var address = new PhysAddr(start);

        Assert.That(address.TryAdd(new ByteCount(count), out PhysAddr sum), Is.True);
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
        var address = new PhysAddr(start);

        Assert.That(address.TryAdd(new ByteCount(count), out PhysAddr sum), Is.False);
        Assert.That(sum, Is.EqualTo(PhysAddr.Zero));
        Assert.That(() => address.AddChecked(new ByteCount(count)), Throws.TypeOf<OverflowException>());
        Assert.That(address.AddWrapping(new ByteCount(count)).Value, Is.EqualTo(wrapped));
    }

    [Test]
    public void OffsetFrom_OriginAbove_Throws()
    {
        Assert.That(() => PhysAddr.Zero.OffsetFrom(new PhysAddr(1)), Throws.TypeOf<OverflowException>());
    }

    [TestCase(0UL, true, 0UL, 0UL, 0UL)]
    [TestCase(1UL, false, 0UL, 1UL, 0x1000UL)]
    [TestCase(0xfffUL, false, 0UL, 0xfffUL, 0x1000UL)]
    [TestCase(0x1000UL, true, 0x1000UL, 0UL, 0x1000UL)]
    [TestCase(0xffff_ffff_ffff_f000UL, true, 0xffff_ffff_ffff_f000UL, 0UL, 0xffff_ffff_ffff_f000UL)]
    public void Align_SmallPage_SplitsTheAddress(ulong value, bool aligned, ulong down, ulong offset, ulong up)
    {
        var address = new PhysAddr(value);

        Assert.That(address.IsAligned(PageSize.Small), Is.EqualTo(aligned));
        Assert.That(address.AlignDown(PageSize.Small).Value, Is.EqualTo(down));
        Assert.That(address.OffsetIn(PageSize.Small).Value, Is.EqualTo(offset));
        Assert.That(address.TryAlignUp(PageSize.Small, out PhysAddr alignedUp), Is.True);
        Assert.That(alignedUp.Value, Is.EqualTo(up));
    }

    [TestCase(ulong.MaxValue)]
    [TestCase(0xffff_ffff_ffff_f001UL)]
    public void TryAlignUp_NoMultipleBelowTheTop_IsRefused(ulong value)
    {
        Assert.That(new PhysAddr(value).TryAlignUp(PageSize.Small, out PhysAddr aligned), Is.False);
        Assert.That(aligned, Is.EqualTo(PhysAddr.Zero));
    }

    [Test]
    public void Compare_Neighbours_AreOrderedByValue()
    {
        var low = new PhysAddr(ulong.MaxValue - 1);
        PhysAddr high = PhysAddr.MaxValue;
        var same = new PhysAddr(low.Value);

        Assert.That(low < high && low <= high && high > low && high >= low, Is.True);
        Assert.That(high < low || high <= low || low > high || low >= high, Is.False);
        Assert.That(low <= same && low >= same, Is.True);
        Assert.That(low.CompareTo(high), Is.Negative);
    }

    [Test]
    public void ToString_TopAddress_IsHexadecimal()
    {
        Assert.That(PhysAddr.MaxValue.ToString(), Is.EqualTo("0xffffffffffffffff"));
        Assert.That(PhysAddr.Zero.ToString(), Is.EqualTo("0x0"));
    }

    [TestCase(0UL, 0UL)]
    [TestCase(0xfffUL, 0UL)]
    [TestCase(0x1000UL, 1UL)]
    [TestCase(ulong.MaxValue, (1UL << 52) - 1)]
    public void Pfn_OfAddress_IsTheFrameThatHoldsIt(ulong value, ulong frame)
    {
        Assert.That(new PhysAddr(value).Pfn, Is.EqualTo(new Pfn(frame)));
    }
}
