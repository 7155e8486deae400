namespace Mm.Core.Tests;

internal sealed class FaultInjectorTests
{
    private static readonly FaultPoint Other = new("fail_other");

    [Test]
    public void Injector_Fresh_IsOffAndFailsAndCountsNothing()
    {
        var faults = new FaultInjector();
        Assert.That(faults.ShouldFail(FaultPoint.PageAlloc), Is.False);
        Assert.That((faults.IsOn, faults.CallCount(FaultPoint.PageAlloc)), Is.EqualTo((false, 0UL)));
    }

    [TestCase(1UL, 1UL, "x....")]
    [TestCase(3UL, 1UL, "..x..")]
    [TestCase(2UL, 3UL, ".xxx.")]
    [TestCase(9UL, 1UL, ".....")]
    public void FailNth_Planned_FailsExactlyThoseCalls(ulong nth, ulong count, string expected)
    {
        var faults = new FaultInjector();
        faults.FailNth(FaultPoint.PageAlloc, nth, count);

        string seen = string.Concat(Enumerable.Range(0, 5).Select(_ => faults.ShouldFail(FaultPoint.PageAlloc) ? 'x' : '.'));

        Assert.That(seen, Is.EqualTo(expected));
        Assert.That(faults.CallCount(FaultPoint.PageAlloc), Is.EqualTo(5));
        Assert.That(faults.FailureCount(FaultPoint.PageAlloc), Is.EqualTo((ulong)expected.Count(c => c == 'x')));
    }

    [Test]
    public void FailNth_PlannedAgain_CountsFromNow()
    {
        var faults = new FaultInjector();
        faults.Watch(FaultPoint.PageAlloc);
        _ = faults.ShouldFail(FaultPoint.PageAlloc);
        _ = faults.ShouldFail(FaultPoint.PageAlloc);
        faults.FailNth(FaultPoint.PageAlloc, 1);
        Assert.That(faults.ShouldFail(FaultPoint.PageAlloc), Is.True);
    }

    [Test]
    public void Points_AreCountedApart()
    {
        var faults = new FaultInjector();
        faults.FailNth(FaultPoint.PageAlloc, 1);
        Assert.That(faults.ShouldFail(Other), Is.False);
        Assert.That((faults.CallCount(Other), faults.CallCount(FaultPoint.PageAlloc)), Is.EqualTo((0UL, 0UL)));
    }

    [Test]
    public void Clear_TurnsOffAndForgets()
    {
        var faults = new FaultInjector();
        faults.FailNth(FaultPoint.PageAlloc, 1);
        faults.Clear();
        Assert.That(faults.ShouldFail(FaultPoint.PageAlloc), Is.False);
        Assert.That(faults.IsOn, Is.False);
    }

    [Test]
    public void FailNth_OfNothing_IsRefused()
    {
        var faults = new FaultInjector();
        Assert.That(() => faults.FailNth(FaultPoint.PageAlloc, 0), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => faults.FailNth(FaultPoint.PageAlloc, 1, 0), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => faults.FailNth(default, 1), Throws.ArgumentNullException);
        Assert.That(faults.IsOn, Is.False);
    }
}
