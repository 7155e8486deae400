namespace Mm.Core.Tests;

public sealed class ByteCountTests
{
    [Test]
    public void Default_IsNoBytes()
    {
        Assert.That(default(ByteCount), Is.EqualTo(ByteCount.Zero));
        Assert.That(ByteCount.Zero.IsZero, Is.True);
        Assert.That(ByteCount.MaxValue.IsZero, Is.False);
    }

    [Test]
    public void From_LargestUnitThatFits_IsExactAndOneMoreThrows()
    {
        Assert.That(ByteCount.FromKiB((1UL << 54) - 1).Value, Is.EqualTo(ulong.MaxValue - 1023));
        Assert.That(() => ByteCount.FromKiB(1UL << 54), Throws.TypeOf<OverflowException>().With.Message.Contains("KiB"));
        Assert.That(ByteCount.FromMiB((1UL << 44) - 1).Value, Is.EqualTo(ulong.MaxValue - ((1UL << 20) - 1)));
        Assert.That(() => ByteCount.FromMiB(1UL << 44), Throws.TypeOf<OverflowException>().With.Message.Contains("MiB"));
        Assert.That(ByteCount.FromGiB((1UL << 34) - 1).Value, Is.EqualTo(ulong.MaxValue - ((1UL << 30) - 1)));
        Assert.That(() => ByteCount.FromGiB(1UL << 34), Throws.TypeOf<OverflowException>().With.Message.Contains("GiB"));
    }

    [Test]
    public void Add_ToTheTopAndBeyond_ReachesItThenIsRefused()
    {
        var count = new ByteCount(ulong.MaxValue - 1);

        Assert.That(count.TryAdd(new ByteCount(1), out ByteCount sum), Is.True);
        Assert.That(sum, Is.EqualTo(ByteCount.MaxValue));
        Assert.That(count.TryAdd(new ByteCount(2), out sum), Is.False);
        Assert.That(sum, Is.EqualTo(ByteCount.Zero));
        Assert.That(count.AddChecked(new ByteCount(1)), Is.EqualTo(ByteCount.MaxValue));
        Assert.That(() => count.AddChecked(new ByteCount(2)), Throws.TypeOf<OverflowException>());
    }

    [Test]
    public void SubtractChecked_MoreThanThereIs_Throws()
    {
        Assert.That(new ByteCount(3).SubtractChecked(new ByteCount(3)), Is.EqualTo(ByteCount.Zero));
        Assert.That(() => new ByteCount(3).SubtractChecked(new ByteCount(4)), Throws.TypeOf<OverflowException>());
    }

    [TestCase(0UL, 0UL, 0UL)]
    [TestCase(1UL, 0UL, 1UL)]
    [TestCase(4095UL, 0UL, 1UL)]
    [TestCase(4096UL, 1UL, 1UL)]
    [TestCase(4097UL, 1UL, 2UL)]
    [TestCase(ulong.MaxValue, (1UL << 52) - 1, 1UL << 52)]
    public void ToPages_Bytes_RoundAsTheVerbSays(ulong bytes, ulong down, ulong up)
    {
        Assert.That(new ByteCount(bytes).ToPagesRoundDown(), Is.EqualTo(new PageCount(down)));
        Assert.That(new ByteCount(bytes).ToPagesRoundUp(), Is.EqualTo(new PageCount(up)));
    }

    [TestCase(0UL, "0 B")]
    [TestCase(4097UL, "4097 B")]
    [TestCase(4096UL, "4 KiB")]
    [TestCase(1UL << 21, "2 MiB")]
    [TestCase(3UL << 30, "3 GiB")]
    [TestCase(16UL << 40, "16 TiB")]
    [TestCase(ulong.MaxValue, "18446744073709551615 B")]
    public void ToString_Bytes_TakesTheLargestUnitThatDivides(ulong bytes, string text)
    {
        Assert.That(new ByteCount(bytes).ToString(), Is.EqualTo(text));
    }

    [Test]
    public void Compare_Neighbours_AreOrderedByValue()
    {
        var low = new ByteCount(7);
        var high = new ByteCount(8);

        Assert.That(low < high && low <= high && high > low && high >= low, Is.True);
        Assert.That(high < low || high <= low || low > high || low >= high, Is.False);
        Assert.That(low.CompareTo(high), Is.Negative);
    }
}
