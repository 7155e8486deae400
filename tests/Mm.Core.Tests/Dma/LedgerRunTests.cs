using Mm.Core.Dma;

namespace Mm.Core.Tests.Dma;

public sealed class LedgerRunTests
{
    [Test]
    public void Append_OfARunThatGoesOn_IsOneRun()
    {
        var runs = new List<LedgerRun>();
        LedgerRun.Append(runs, Run(0x1000, 0x8000));
        LedgerRun.Append(runs, Run(0x2000, 0x9000));
        Assert.That(runs, Is.EqualTo(new[] { new LedgerRun(0x1000, 0x2000, new PhysAddr(0x8000)) }));
    }

    [TestCase(0x2001UL, 0x9001UL, false, TestName = "Append_AfterAHole_IsTwoRuns")]
    [TestCase(0x2000UL, 0xa000UL, false, TestName = "Append_OfAnotherTarget_IsTwoRuns")]
    [TestCase(0x2000UL, 0x9000UL, true, TestName = "Append_OfABusAddress_IsTwoRuns")]
    [TestCase(0x1000UL, 0x8000UL, false, TestName = "Append_OfTheSameAgain_IsTwoRuns")]
    public void Append_OfAnother_IsTwoRuns(ulong start, ulong target, bool isBusAddress)
    {
        var runs = new List<LedgerRun>();
        LedgerRun.Append(runs, Run(0x1000, 0x8000));
        LedgerRun.Append(runs, Run(start, target, isBusAddress));
        Assert.That(runs, Has.Count.EqualTo(2));
    }

    [Test]
    public void Append_AtTheEndOfAllAddresses_DoesNotWrap()
    {
        var runs = new List<LedgerRun>();
        LedgerRun.Append(runs, new LedgerRun(ulong.MaxValue, 1, default));
        LedgerRun.Append(runs, new LedgerRun(0, 1, new PhysAddr(1)));
        Assert.That((runs.Count, runs[0].Last), Is.EqualTo((2, ulong.MaxValue)));
    }

    private static LedgerRun Run(ulong start, ulong target, bool isBusAddress = false) =>
        new(start, 0x1000, new PhysAddr(target), isBusAddress);
}
