using Mm.Core.Dma;

namespace Mm.Core.Tests.Dma;

public sealed class DmaLimitsTests
{
    [Test]
    public void Default_IsLinuxsDefault()
    {
        DmaLimits limits = default;
        Assert.That(limits.MaxSegmentSize, Is.EqualTo(ByteCount.FromKiB(64)));
        Assert.That(limits.Boundary, Is.EqualTo(ByteCount.FromGiB(4)));
        Assert.That(limits.MaxSegments, Is.EqualTo(int.MaxValue));
    }

    [TestCase(0xfffUL, 0x1000UL, 1)]
    [TestCase(0x1_0000_0000UL, 0x1000UL, 1)]
    [TestCase(0x1000UL, 0x800UL, 1)]
    [TestCase(0x1000UL, 0x1800UL, 1)]
    [TestCase(0x1000UL, 0x1000UL, 0)]
    public void Constructor_LimitOutOfRange_Throws(ulong segment, ulong boundary, int count) =>
        Assert.That(
            () => new DmaLimits(new ByteCount(segment), new ByteCount(boundary), count),
            Throws.InstanceOf<ArgumentOutOfRangeException>());

    [Test]
    public void Constructor_Extremes_AreKept()
    {
        var limits = new DmaLimits(new ByteCount(uint.MaxValue), new ByteCount(1UL << 63), 1);
        Assert.That(limits.MaxSegmentSize.Value, Is.EqualTo(uint.MaxValue));
        Assert.That(limits.Boundary.Value, Is.EqualTo(1UL << 63));
        Assert.That(limits.MaxSegments, Is.EqualTo(1));
    }
}
