using Mm.Core;
using Mm.Devices.Iommufd;

namespace Mm.Devices.Tests.Iommufd;

internal sealed class IoRangeTests
{
    [TestCase(0UL, 1UL, 0UL)]
    [TestCase(0x1000UL, 0x2000UL, 0x2fffUL)]
    [TestCase(ulong.MaxValue, 1UL, ulong.MaxValue)]
    [TestCase(1UL, ulong.MaxValue, ulong.MaxValue)]
    public void Range_OfALength_EndsAtItsLastByte(ulong first, ulong length, ulong last)
    {
        Errno errno = IoRange.TryCreate(new DmaAddr(first), new ByteCount(length), out IoRange range);

        Assert.That((errno, range.Last.Value, range.Length.Value), Is.EqualTo((Errno.Ok, last, length)));
    }

    [Test]
    public void Range_OfNoLengthOrPastTheTop_IsRefused()
    {
        Assert.That(IoRange.TryCreate(new DmaAddr(5), ByteCount.Zero, out _), Is.EqualTo(Errno.EINVAL));
        Assert.That(IoRange.TryCreate(new DmaAddr(2), ByteCount.MaxValue, out _), Is.EqualTo(Errno.EOVERFLOW));
        Assert.That(() => new IoRange(new DmaAddr(2), new DmaAddr(1)), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => IoRange.All.Length, Throws.InstanceOf<OverflowException>());
    }

    [Test]
    public void Ranges_ThatTouch_ShareNothing()
    {
        var low = new IoRange(new DmaAddr(0x1000), new DmaAddr(0x1fff));
        var high = new IoRange(new DmaAddr(0x2000), DmaAddr.MaxValue);

        Assert.That((low.Overlaps(high), high.Overlaps(low), low.Overlaps(low)), Is.EqualTo((false, false, true)));
        Assert.That((IoRange.All.Contains(high), high.Contains(IoRange.All)), Is.EqualTo((true, false)));
        Assert.That((low.Contains(new DmaAddr(0x1fff)), low.Contains(new DmaAddr(0x2000))), Is.EqualTo((true, false)));
        Assert.That(high.ToString(), Is.EqualTo("[0x2000, 0x10000000000000000)"));
    }
}
