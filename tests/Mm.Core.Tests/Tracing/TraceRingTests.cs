using Mm.Core.Tracing;

namespace Mm.Core.Tests.Tracing;

internal sealed class TraceRingTests
{
    private static readonly TracePoint Point = new("mm:test", "n");

    [TestCase(0UL, 0UL, 0)]
    [TestCase(3UL, 0UL, 3)]
    [TestCase(4UL, 0UL, 4)]
    [TestCase(11UL, 7UL, 4)]
    public void Ring_OfFour_KeepsTheNewestInOrderAndCountsTheRest(ulong written, ulong lost, int kept)
    {
        var ring = new TraceRing(4);
        for (ulong i = 0; i < written; i++)
        {
            ring.Write(new TraceEvent(Point, i, i, 0, 0, 0));
        }

        Assert.That(ring.Lost, Is.EqualTo(lost));
        Assert.That(ring.Snapshot().Select(e => e.A), Is.EqualTo(Enumerable.Range((int)lost, kept).Select(i => (ulong)i)));
    }

    [Test]
    public void Ring_OfNothing_IsRefused() =>
        Assert.That(() => new TraceRing(0), Throws.InstanceOf<ArgumentOutOfRangeException>());
}
