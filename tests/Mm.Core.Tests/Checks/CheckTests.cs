using Mm.Core.Checks;

namespace Mm.Core.Tests.Checks;

public sealed class CheckTests
{
    [Test]
    public void Enabled_InEveryTestProject_IsOn()
    {
        Assert.That(Check.Enabled, Is.True);
    }

    [Test]
    public void That_Broken_ThrowsWithExpressionAndValues()
    {
        int count = 3;

        Assert.That(() => Check.That(count == 3), Throws.Nothing);
        Assert.That(
            () => Check.That(count > 3, $"invariant 2, count {count}"),
            Throws.TypeOf<MmBugException>().With.Message.EqualTo("invariant broken: count > 3 (invariant 2, count 3)"));
    }

    [Test]
    public void That_WhileItHolds_ComputesNoHoleOfItsText()
    {
        var computed = new List<int>();
        Check.That(computed.Count == 0, $"{Compute(computed)}");
        Assert.That(computed, Is.Empty);
        Assert.That(
            () => Check.That(computed.Count == 1, $"pfn {Compute(computed):x2} of {nameof(CheckDetail)}"),
            Throws.TypeOf<MmBugException>().With.Message.EqualTo("invariant broken: computed.Count == 1 (pfn 01 of CheckDetail)"));
        Assert.That(computed, Is.EqualTo(new[] { 1 }));
    }

    [Test]
    public void Slow_BrokenWhileEnabled_Throws()
    {
        int count = 3;

        Assert.That(() => Check.Slow(count == 3), Throws.Nothing);
        Assert.That(
            () => Check.Slow(count > 3),
            Throws.TypeOf<MmBugException>().With.Message.EqualTo("invariant broken: count > 3"));
    }

    private static int Compute(List<int> computed)
    {
        computed.Add(computed.Count + 1);
        return computed.Count;
    }
}
