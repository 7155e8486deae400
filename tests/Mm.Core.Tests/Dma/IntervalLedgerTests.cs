using Mm.Core.Checks;
using Mm.Core.Dma;

namespace Mm.Core.Tests.Dma;

public sealed class IntervalLedgerTests
{
    private DmaRig rig = null!;
    private DmaDevice device = null!;
    private IntervalLedger ledger = null!;

    [SetUp]
    public void SetUp()
    {
        rig = new DmaRig();
        device = rig.Direct();
        ledger = new IntervalLedger();
    }

    [TearDown]
    public void TearDown() => rig.Dispose();

    [Test]
    public void TryFind_Overlapping_IsTheNewestOfThoseThatAllowIt()
    {
        using DmaMapping reads = Map(DmaDirection.ToDevice);
        using DmaMapping writes = Map(DmaDirection.FromDevice);
        _ = ledger.Add([new LedgerRun(0x1000, 0x1000, default)], reads);
        _ = ledger.Add([new LedgerRun(0x1800, 0x100, default)], writes);
        Assert.That(Find(0x1880, IoAccess.None), Is.SameAs(writes), "the newest");
        Assert.That(Find(0x1880, IoAccess.Read), Is.SameAs(reads), "the one that allows it");
        Assert.That(Find(0x1880, IoAccess.Write), Is.SameAs(writes));
        Assert.That(Find(0x1900, IoAccess.Write), Is.SameAs(reads), "none allows it: the one that is there");
    }

    [TestCase(0xfffUL, 1UL, false)]
    [TestCase(0xfffUL, 2UL, true)]
    [TestCase(0x1fffUL, 1UL, true)]
    [TestCase(0x2000UL, 1UL, false)]
    public void TryFind_AtTheBorders_IsHalfOpen(ulong start, ulong length, bool has)
    {
        using DmaMapping mapping = Map(DmaDirection.ToDevice);
        _ = ledger.Add([new LedgerRun(0x1000, 0x1000, default)], mapping);
        Assert.That(ledger.TryFind(start, length, IoAccess.None, out _, out _), Is.EqualTo(has));
    }

    [Test]
    public void Remove_Twice_IsABug()
    {
        using DmaMapping mapping = Map(DmaDirection.ToDevice);
        IntervalLedger.Block[] blocks = ledger.Add([new LedgerRun(ulong.MaxValue, 1, default)], mapping);
        ledger.Remove(blocks);
        Assert.That(ledger.Count, Is.Zero);
        Assert.That(() => ledger.Remove(blocks), Throws.InstanceOf<MmBugException>());
    }

    [Test]
    public void Add_OfRunsInNoOrder_FindsEach()
    {
        using DmaMapping mapping = Map(DmaDirection.ToDevice);
        LedgerRun[] runs = [.. Enumerable.Range(0, 1000).Select(static at => new LedgerRun((ulong)(at * 7 % 1000) * 0x2000, 0x1000, new PhysAddr((ulong)at << 12)))];
        IntervalLedger.Block[] blocks = ledger.Add([.. runs], mapping);
        Assert.That(blocks, Has.Length.EqualTo(16), "64 runs a block");
        foreach (LedgerRun run in runs)
        {
            Assert.That(ledger.TryFind(run.Last, 1, IoAccess.Read, out LedgerRun found, out _) && found == run, Is.True);
            Assert.That(ledger.TryFind(run.Last + 1, 0x1000, IoAccess.Read, out _, out _), Is.False, "the hole behind it");
        }

        ledger.Validate();
    }

    private DmaMapping? Find(ulong address, IoAccess access) =>
        ledger.TryFind(address, 1, access, out _, out DmaMapping? mapping) ? mapping : null;

    private DmaMapping Map(DmaDirection direction)
    {
        device.TryMap(rig.List(DmaRig.Range(0x200_0000, 1)), direction, out DmaMapping? mapping).ThrowIfError();
        return mapping!;
    }
}
