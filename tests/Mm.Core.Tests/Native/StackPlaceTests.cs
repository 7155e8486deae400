using Mm.Core.Native;

namespace Mm.Core.Tests.Native;

public sealed class StackPlaceTests
{
    [Test]
    public void Place_OfTwoThreadsAtOnce_Differs()
    {
        uint other = 0;
        var thread = new Thread(() => other = StackPlace.Current());
        thread.Start();
        thread.Join();
        Assert.That(other, Is.Not.EqualTo(StackPlace.Current()));
    }

    [Test]
    public void LowBits_OfStacksAsFarApartAsSystemsPutThem_Differ(
        [Values(1024, 1536, 2048, 8192, 8196, 16384, 65536)] int kibApart, [Values(1, 2, 3)] int neighbour)
    {
        nuint top = unchecked((nuint)0x7F00_0000_0000);
        nuint distance = (nuint)(uint)kibApart * 1024;
        for (nuint stack = 0; stack < 64; stack++)
        {
            uint one = StackPlace.Of(top - (stack * distance));
            uint other = StackPlace.Of(top - ((stack + (nuint)(uint)neighbour) * distance));
            Assert.That(other & 63, Is.Not.EqualTo(one & 63), $"stack {stack}");
        }
    }
}
