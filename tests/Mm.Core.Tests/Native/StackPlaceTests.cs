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
}
