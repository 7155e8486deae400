namespace Mm.Core.Tests;

public sealed class VirtAddrTests
{
    [Test]
    public void Default_IsAddressZero()
    {
        Assert.That(default(VirtAddr), Is.EqualTo(VirtAddr.Zero));
        Assert.That(VirtAddr.Zero.Value, Is.Zero);
        Assert.That(VirtAddr.MaxValue.Value, Is.EqualTo(ulong.MaxValue));
    }

    [TestCase(0UL, 0UL, 0UL)]
    [TestCase(0UL, ulong.MaxValue, ulong.MaxValue)]
    [TestCase(ulong.MaxValue - 1, 1UL, ulong.MaxValue)]
    public void Add_ThatFits_IsTheSumByEveryVerb(ulong start, ulong count, ulong expected)
    {
        var address = new VirtAddr(start);

        Assert.That(address.TryAdd(new ByteCount(count), out VirtAddr sum), Is.True);
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
        var address = new VirtAddr(start);

        Assert.That(address.TryAdd(new ByteCount(count), out VirtAddr sum), Is.False);
        Assert.That(sum, Is.EqualTo(VirtAddr.Zero));
        Assert.That(() => address.AddChecked(new ByteCount(count)), Throws.TypeOf<OverflowException>());
        Assert.That(address.AddWrapping(new ByteCount(count)).Value, Is.EqualTo(wrapped));
    }

    [Test]
    public void OffsetFrom_OriginAbove_Throws()
    {
        Assert.That(() => VirtAddr.Zero.OffsetFrom(new VirtAddr(1)), Throws.TypeOf<OverflowException>());
    }

    [TestCase(0UL, true, 0UL, 0UL, 0UL)]
    [TestCase(1UL, false, 0UL, 1UL, 0x1000UL)]
    [TestCase(0xfffUL, false, 0UL, 0xfffUL, 0x1000UL)]
    [TestCase(0x1000UL, true, 0x1000UL, 0UL, 0x1000UL)]
    [TestCase(0xffff_ffff_ffff_f000UL, true, 0xffff_ffff_ffff_f000UL, 0UL, 0xffff_ffff_ffff_f000UL)]
    public void Align_SmallPage_SplitsTheAddress(ulong value, bool aligned, ulong down, ulong offset, ulong up)
    {
        var address = new VirtAddr(value);

        Assert.That(address.IsAligned(PageSize.Small), Is.EqualTo(aligned));
        Assert.That(address.AlignDown(PageSize.Small).Value, Is.EqualTo(down));
        Assert.That(address.OffsetIn(PageSize.Small).Value, Is.EqualTo(offset));
        Assert.That(address.TryAlignUp(PageSize.Small, out VirtAddr alignedUp), Is.True);
        Assert.That(alignedUp.Value, Is.EqualTo(up));
    }

    [TestCase(ulong.MaxValue)]
    [TestCase(0xffff_ffff_ffff_f001UL)]
    public void TryAlignUp_NoMultipleBelowTheTop_IsRefused(ulong value)
    {
        Assert.That(new VirtAddr(value).TryAlignUp(PageSize.Small, out VirtAddr aligned), Is.False);
        Assert.That(aligned, Is.EqualTo(VirtAddr.Zero));
    }

    [Test]
    public void Compare_Neighbours_AreOrderedByValue()
    {
        var low = new VirtAddr(ulong.MaxValue - 1);
        VirtAddr high = VirtAddr.MaxValue;
        var same = new VirtAddr(low.Value);

        Assert.That(low < high && low <= high && high > low && high >= low, Is.True);
        Assert.That(high < low || high <= low || low > high || low >= high, Is.False);
        Assert.That(low <= same && low >= same, Is.True);
        Assert.That(low.CompareTo(high), Is.Negative);
    }

    [Test]
    public void ToString_TopAddress_IsHexadecimal()
    {
        Assert.That(VirtAddr.MaxValue.ToString(), Is.EqualTo("0xffffffffffffffff"));
        Assert.That(VirtAddr.Zero.ToString(), Is.EqualTo("0x0"));
    }
}
