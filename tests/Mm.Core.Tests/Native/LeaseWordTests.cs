using Mm.Core.Native;

namespace Mm.Core.Tests.Native;

internal sealed class LeaseWordTests
{
    private static readonly ulong[] Counts = [0, 1, 2, 1000, LeaseWord.MaxLeases - 1, LeaseWord.MaxLeases];

    [Test]
    public void Open_OnEveryWord_AddsOneLeaseUnlessClosedOrFull([ValueSource(nameof(Counts))] ulong leases, [Values] bool closed)
    {
        LeaseWord word = Word(leases, closed);
        bool legal = !closed && leases < LeaseWord.MaxLeases;

        Assert.That(word.TryOpen(out LeaseWord next), Is.EqualTo(legal));
        Assert.That(next, Is.EqualTo(legal ? Word(leases + 1, closed) : word));
    }

    [Test]
    public void End_OnEveryWord_TakesOneLeaseUnlessThereIsNone([ValueSource(nameof(Counts))] ulong leases, [Values] bool closed)
    {
        LeaseWord word = Word(leases, closed);

        Assert.That(word.TryEnd(out LeaseWord next), Is.EqualTo(leases > 0));
        Assert.That(next, Is.EqualTo(leases > 0 ? Word(leases - 1, closed) : word));
        Assert.That(next.IsEnded, Is.EqualTo(closed && leases <= 1));
    }

    [Test]
    public void Close_OnEveryWord_HappensOnceAndKeepsTheLeases([ValueSource(nameof(Counts))] ulong leases, [Values] bool closed)
    {
        Assert.That(Word(leases, closed).TryClose(out LeaseWord next), Is.EqualTo(!closed));
        Assert.That((next.IsClosed, next.OpenLeases), Is.EqualTo((true, leases)));
        Assert.That(next.IsEnded, Is.EqualTo(leases == 0));
    }

    private static LeaseWord Word(ulong leases, bool closed) => new((leases << 1) | (closed ? 1UL : 0));
}
