using Mm.Core.Dma;

namespace Mm.Core.Tests.Dma;

public sealed class DmaMaskTests
{
    [Test]
    public void Default_IsThirtyTwoBits() =>
        Assert.That((default(DmaMask).Bits, default(DmaMask).Limit), Is.EqualTo((32, new DmaAddr(0xffff_ffff))));

    [TestCase(1, 1UL)]
    [TestCase(24, 0xff_ffffUL)]
    [TestCase(63, ulong.MaxValue >> 1)]
    [TestCase(64, ulong.MaxValue)]
    public void OfBits_LegalCount_ReachesAllOnes(int bits, ulong limit) =>
        Assert.That(DmaMask.OfBits(bits).Limit.Value, Is.EqualTo(limit));

    [TestCase(0)]
    [TestCase(65)]
    [TestCase(-1)]
    public void OfBits_IllegalCount_Throws(int bits) =>
        Assert.That(() => DmaMask.OfBits(bits), Throws.InstanceOf<ArgumentOutOfRangeException>());

    [TestCase(0xffff_f000UL, 0x1000UL, true)]
    [TestCase(0xffff_f000UL, 0x1001UL, false)]
    [TestCase(0xffff_ffffUL, 0UL, true)]
    [TestCase(0x1_0000_0000UL, 0UL, false)]
    [TestCase(0UL, ulong.MaxValue, false)]
    public void Reaches_RunAtTheLimit_CountsEveryByte(ulong start, ulong length, bool reaches) =>
        Assert.That(DmaMask.Bits32.Reaches(new DmaAddr(start), new ByteCount(length)), Is.EqualTo(reaches));

    [Test]
    public void Reaches_WholeSpaceWith64Bits_IsTrue() =>
        Assert.That(DmaMask.Bits64.Reaches(new DmaAddr(1), new ByteCount(ulong.MaxValue)), Is.True);
}
