using Mm.Core.Checks;
using Mm.Core.Notifiers;
using Mm.Testing.Interleavings;

namespace Mm.Core.Tests.Notifiers;

/// <summary>The sequence protocol in every order of its steps.</summary>
[TestFixture]
internal sealed class NotifierSubscriptionsInterleavings
{
    private static readonly NotifierRange Hit =
        new(new VirtRange(new VirtAddr(0x1000), PageSize.Small.Bytes), NotifierEvent.Clear) { CanBlock = true };

    [Test]
    public void Reader_AgainstTwoInvalidations_NeverUsesAStaleValue()
    {
        Exploration result = new Explorer { MaxInterruptions = 4 }.Explore(points =>
        {
            var mirror = new Mirror(points);
            return new Scenario()
                .Actor("reader", mirror.Mirrors)
                .Actor("first", mirror.ChangesTheMapping)
                .Actor("second", mirror.ChangesTheMapping)
                .Always("a copy in use is the mapping, unless a change is under way", mirror.IsCoherent)
                .Finally("idle in the end", () => !mirror.Subscriptions.Now.IsInvalidating);
        });
        result.ThrowIfFailed();
        Assert.That(result.Schedules, Is.GreaterThan(100));
    }

    [Test]
    public void Reader_ThatForgetsToAsk_IsCaught()
    {
        Exploration result = new Explorer { MaxInterruptions = 4 }.Explore(points =>
        {
            var mirror = new Mirror(points) { ForgetsToAsk = true };
            return new Scenario()
                .Actor("reader", mirror.Mirrors)
                .Actor("first", mirror.ChangesTheMapping)
                .Always("a copy in use is the mapping, unless a change is under way", mirror.IsCoherent);
        });
        Assert.That(result.Failure, Is.Not.Null);
    }

    [Test]
    public void Removal_AgainstTwoInvalidations_EndsAndNoCallbackFollows()
    {
        Exploration result = new Explorer { MaxInterruptions = 4 }.Explore(points =>
        {
            var mirror = new Mirror(points);
            return new Scenario()
                .Actor("remover", mirror.Ends)
                .Actor("first", mirror.ChangesTheMapping)
                .Actor("second", mirror.ChangesTheMapping)
                .Always("no callback starts after the removal returned", () => !mirror.WasCalledAfterItsEnd)
                .Finally("idle in the end", () => !mirror.Subscriptions.Now.IsInvalidating);
        });
        result.ThrowIfFailed();
        Assert.That(result.Schedules, Is.GreaterThan(100));
    }

    [Test]
    public void Removal_ThatReadsTheSequenceLate_IsCaughtWaitingForever()
    {
        Exploration result = new Explorer { MaxInterruptions = 4 }.Explore(points =>
        {
            var mirror = new Mirror(points, readsSequenceLate: true);
            return new Scenario()
                .Actor("remover", mirror.Ends)
                .Actor("first", mirror.ChangesTheMapping);
        });
        Assert.That(result.Failure?.Kind, Is.EqualTo(FailureKind.Deadlock));
    }

    [Test]
    public void Insertion_AgainstAnInvalidation_NeverUsesAStaleValue()
    {
        Exploration result = new Explorer { MaxInterruptions = 4 }.Explore(points =>
        {
            var mirror = new Mirror(points, isInserted: false);
            return new Scenario()
                .Actor("newcomer", () =>
                {
                    mirror.Begins();
                    mirror.Mirrors();
                })
                .Actor("first", mirror.ChangesTheMapping)
                .Actor("second", mirror.ChangesTheMapping)
                .Always("a copy in use is the mapping, unless a change is under way", mirror.IsCoherent);
        });
        result.ThrowIfFailed();
    }

    /// <summary>One page of a process and a device's copy of its entry, kept by the protocol.</summary>
    private sealed class Mirror : IIntervalListener
    {
        private readonly IYieldPoints points;
        private IntervalNotifier? notifier;
        private int mapping = 1;
        private int? copy;
        private int changing;
        private bool hasEnded;

        public Mirror(IYieldPoints points, bool isInserted = true, bool readsSequenceLate = false)
        {
            this.points = points;
            Subscriptions = new NotifierSubscriptions(points) { ReadsSequenceLate = readsSequenceLate };
            if (isInserted)
            {
                Begins();
            }
        }

        public NotifierSubscriptions Subscriptions { get; }

        public bool ForgetsToAsk { get; init; }

        public bool WasCalledAfterItsEnd { get; private set; }

        public bool IsCoherent() => copy is null || changing > 0 || copy == mapping;

        public void Begins()
        {
            Subscriptions.TryInsert(Hit.Range.Start, Hit.Range.Length, this, out notifier).ThrowIfError();
            points.Reach("inserted");
        }

        public void Ends()
        {
            notifier!.Dispose();
            hasEnded = true;
        }

        public void Mirrors()
        {
            NotifierSequence moment;
            int read;
            do
            {
                moment = notifier!.ReadBegin();
                points.Reach("read");
                read = mapping;
                points.Reach("use");
            }
            while (!ForgetsToAsk && notifier.IsRetryNeeded(moment));
            copy = read; // the explorer switches at points only: asking and using are one step, as under a lock
        }

        public void ChangesTheMapping()
        {
            Subscriptions.TryInvalidate(Hit, out NotifierInvalidation invalidation).ThrowIfError();
            using (invalidation)
            {
                changing++;
                points.Reach("change");
                mapping++;
                changing--;
            }
        }

        public bool Invalidate(IntervalNotifier notifier, in NotifierRange range, NotifierSequence sequence)
        {
            WasCalledAfterItsEnd |= hasEnded;
            notifier.SetSequence(sequence);
            copy = null;
            return true;
        }
    }
}
