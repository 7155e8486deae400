using Mm.Core;
using Mm.Core.Frames;
using Mm.Devices.Iommufd;

namespace Mm.Devices.Tests.Iommufd;

internal sealed class UserPagesContractTests
{
    [Test]
    public void Require_OfOneThatPinsNothingAndSaysOk_Throws() => Assert.That(
        () => UserPagesContract.Require(new Liar(pinned: 0), VirtAddr.Zero, new VirtAddr(4096)),
        Throws.ArgumentException.With.Message.Contains("0 pinned"));

    [Test]
    public void Require_OfOneThatPinsMoreThanAsked_Throws() => Assert.That(
        () => UserPagesContract.Require(new Liar(pinned: 9), VirtAddr.Zero, new VirtAddr(4096)),
        Throws.ArgumentException.With.Message.Contains("9 pinned"));

    [Test]
    public void Require_OfOneThatHasEverything_Throws() => Assert.That(
        () => UserPagesContract.Require(new Liar(pinned: 1), VirtAddr.Zero, new VirtAddr(4096)),
        Throws.ArgumentException.With.Message.Contains("can be pinned"));

    [Test]
    public void UserPin_OfTheZeroPage_HoldsNoPin()
    {
        UserPin pin = UserPin.OfZeroPage(new Pfn(7));

        Assert.That((pin.Page, pin.Pin.IsEmpty), Is.EqualTo((new Pfn(7), true)));
        pin.Dispose();
        Assert.That(default(UserPin).Pin, Is.EqualTo(default(PagePin)));
    }

    private sealed class Liar(int pinned) : IUserPages
    {
        public Errno TryPin(VirtAddr start, bool isWritable, Span<UserPin> pins, out int count)
        {
            count = pinned;
            return Errno.Ok;
        }

        public Errno TryRead(VirtAddr start, Span<byte> bytes)
        {
            bytes.Fill(0x5a);
            return Errno.Ok;
        }

        public Errno TryWrite(VirtAddr start, ReadOnlySpan<byte> bytes) => Errno.Ok;
    }
}
