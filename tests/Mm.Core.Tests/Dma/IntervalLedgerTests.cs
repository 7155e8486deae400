using Mm.Core.Checks;
using Mm.Core.Dma;

namespace Mm.Core.Tests.Dma;

public sealed class IntervalLedgerTests
{
    [Test]
    public void TryFind_Overlapping_PrefersTheNewestOfTheBetter()
    {
        using var rig = new DmaRig();
        using DmaMapping mapping = Map(rig);
        var ledger = new IntervalLedger();
        IntervalLedger.Entry wide = ledger.Add(0x1000, 0x1000, default, mapping);
        IntervalLedger.Entry narrow = ledger.Add(0x1800, 0x100, default, mapping);
        Assert.That(ledger.TryFind(0x1880, 1, static _ => true, out IntervalLedger.Entry? found), Is.True);
        Assert.That(found, Is.SameAs(narrow));
        Assert.That(ledger.TryFind(0x1880, 1, e => e == wide, out found) && found == wide, Is.True);
        Assert.That(ledger.TryFind(0x1900, 1, static _ => true, out found) && found == wide, Is.True);
    }

    [TestCase(0xfffUL, 1UL, false)]
    [TestCase(0xfffUL, 2UL, true)]
    [TestCase(0x1fffUL, 1UL, true)]
    [TestCase(0x2000UL, 1UL, false)]
    public void TryFind_AtTheBorders_IsHalfOpen(ulong start, ulong length, bool has)
    {
        using var rig = new DmaRig();
        using DmaMapping mapping = Map(rig);
        var ledger = new IntervalLedger();
        _ = ledger.Add(0x1000, 0x1000, default, mapping);
        Assert.That(ledger.TryFind(start, length, static _ => true, out _), Is.EqualTo(has));
    }

    [Test]
    public void Remove_Twice_IsABug()
    {
        using var rig = new DmaRig();
        using DmaMapping mapping = Map(rig);
        var ledger = new IntervalLedger();
        IntervalLedger.Entry entry = ledger.Add(ulong.MaxValue, 1, default, mapping);
        ledger.Remove(entry);
        Assert.That(ledger.Count, Is.Zero);
        Assert.That(() => ledger.Remove(entry), Throws.InstanceOf<MmBugException>());
    }

    private static DmaMapping Map(DmaRig rig)
    {
        rig.Direct().TryMap(rig.List(DmaRig.Range(0x200_0000, 1)), DmaDirection.ToDevice, out DmaMapping? mapping).ThrowIfError();
        return mapping!;
    }
}
