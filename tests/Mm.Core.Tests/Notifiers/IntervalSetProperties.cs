using FsCheck;
using FsCheck.Fluent;
using Mm.Core.Notifiers;

namespace Mm.Core.Tests.Notifiers;

/// <summary>The interval set against the naive search: every notifier asked, in order of start.</summary>
[TestFixture]
internal sealed class IntervalSetProperties
{
    [FsCheck.NUnit.Property]
    public FsCheck.Property Find_WalksExactlyTheOverlappingOnes_InOrder()
    {
        Gen<VirtRange> ranges =
            from start in Gen.Choose(0, 40)
            from length in Gen.Choose(1, 12)
            from atTop in Gen.Elements(false, true)
            select new VirtRange(new VirtAddr(atTop ? ulong.MaxValue - 52 + (ulong)start : (ulong)start), new ByteCount((ulong)length));
        Gen<(VirtRange[] Kept, VirtRange[] Removed, VirtRange Asked)> cases =
            from kept in ranges.ArrayOf()
            from removed in ranges.ArrayOf()
            from asked in ranges
            select (kept, removed, asked);
        return Prop.ForAll(cases.ToArbitrary(), sample => Walks(sample.Kept, sample.Removed, sample.Asked));
    }

    private static bool Walks(VirtRange[] kept, VirtRange[] removed, VirtRange asked)
    {
        var subscriptions = new NotifierSubscriptions();
        var listener = new RecordingListener();
        var set = new IntervalSet();
        IntervalNotifier[] stay = [.. kept.Select(Make)];
        IntervalNotifier[] go = [.. removed.Select(Make)];
        foreach (IntervalNotifier notifier in go.Concat(stay))
        {
            set.Add(notifier);
        }

        _ = set.Find(asked, 0); // an index made now must not survive the removals
        foreach (IntervalNotifier notifier in go)
        {
            set.Remove(notifier);
        }

        var found = new List<IntervalNotifier>();
        for (int place = set.Find(asked, 0); place >= 0; place = set.Find(asked, place + 1))
        {
            found.Add(set[place]);
        }

        VirtAddr[] starts = [.. found.Select(notifier => notifier.Range.Start)];
        return set.Count == stay.Length
            && found.ToHashSet().SetEquals(stay.Where(notifier => notifier.Range.Overlaps(asked)))
            && starts.SequenceEqual(starts.Order());

        IntervalNotifier Make(VirtRange range) => new(subscriptions, range, listener);
    }
}
