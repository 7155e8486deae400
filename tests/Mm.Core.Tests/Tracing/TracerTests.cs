using Mm.Core.Tracing;

namespace Mm.Core.Tests.Tracing;

internal sealed class TracerTests
{
    private static readonly TracePoint PageAlloc = new("kmem:mm_page_alloc", "pfn", "order");

    [Test]
    public void Emit_WhenOff_AllocatesAndReportsNothing()
    {
        using Machine machine = Machine.CreateBuilder().Build();
        Assert.That(machine.Tracer.IsOn, Is.False);
        machine.Tracer.Emit(PageAlloc, 1, 2);
        long before = GC.GetAllocatedBytesForCurrentThread();
        machine.Tracer.Emit(PageAlloc, 1, 2);
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    [Test]
    public void Emit_WhenOn_ReportsPlaceTimeAndNumbers()
    {
        using Machine machine = Machine.CreateBuilder().Build();
        var ring = new TraceRing(4);
        machine.Tracer.SendTo(ring);
        machine.Clock.AdvanceNs(1_000_000_012);
        machine.Tracer.Emit(PageAlloc, 0x100, 3);
        machine.Tracer.SendTo(null);
        machine.Tracer.Emit(PageAlloc, 0x200, 3);

        Assert.That(ring.Snapshot(), Has.Count.EqualTo(1));
        Assert.That(ring.Snapshot()[0].ToString(), Is.EqualTo("1.000000012 kmem:mm_page_alloc pfn=0x100 order=0x3"));
    }

    [Test]
    public void Point_WithFiveArguments_IsRefused() =>
        Assert.That(() => new TracePoint("mm:x", "a", "b", "c", "d", "e"), Throws.ArgumentException);

    [Test]
    public void Event_Default_SaysSo()
    {
        TraceEvent none = default;
        Assert.That(none.ToString(), Is.EqualTo("no event"));
        Assert.That(() => none.Argument(4), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }
}
