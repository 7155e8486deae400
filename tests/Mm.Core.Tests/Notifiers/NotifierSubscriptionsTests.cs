using Mm.Core.Checks;
using Mm.Core.Notifiers;

namespace Mm.Core.Tests.Notifiers;

[TestFixture]
internal sealed class NotifierSubscriptionsTests
{
    private static readonly ByteCount Page = PageSize.Small.Bytes;

    private readonly RecordingListener listener = new();
    private NotifierSubscriptions subscriptions = null!;

    [SetUp]
    public void Start()
    {
        subscriptions = new NotifierSubscriptions();
        listener.Seen.Clear();
    }

    [Test]
    public void Sequence_Fresh_IsTwoAndIdle() =>
        Assert.That((subscriptions.Now.Value, subscriptions.Now.IsInvalidating), Is.EqualTo((2UL, false)));

    [Test]
    public void Invalidation_ThatHitsNobody_LeavesTheSequenceAlone()
    {
        using IntervalNotifier notifier = Insert(0x1000);
        using (Invalidate(0x2000))
        {
            Assert.That(subscriptions.Now.Value, Is.EqualTo(2UL));
        }

        Assert.That((subscriptions.Now.Value, listener.Seen.Count), Is.EqualTo((2UL, 0)));
    }

    [Test]
    public void Invalidation_ThatHits_MakesTheSequenceOddUntilItsEnd()
    {
        using IntervalNotifier notifier = Insert(0x1000);
        using (Invalidate(0x1000))
        {
            Assert.That(subscriptions.Now.Value, Is.EqualTo(3UL));
        }

        Assert.That((subscriptions.Now.Value, listener.Seen.Count), Is.EqualTo((4UL, 1)));
    }

    [Test]
    public void OverlappingInvalidations_NeedBothEndsToBeIdle()
    {
        using IntervalNotifier notifier = Insert(0x1000);
        NotifierInvalidation first = Invalidate(0x1000);
        NotifierInvalidation second = Invalidate(0x1000);
        first.Dispose();
        Assert.That(subscriptions.Now.IsInvalidating, Is.True);
        second.Dispose();
        Assert.That(subscriptions.Now.Value, Is.EqualTo(4UL));
    }

    [Test]
    public void Reader_InsideAnInvalidation_HasToWait()
    {
        using IntervalNotifier notifier = Insert(0x1000);
        using (Invalidate(0x1000))
        {
            Assert.That(notifier.TryReadBegin(out _), Is.False);
        }

        Assert.That(notifier.TryReadBegin(out NotifierSequence moment), Is.True);
        Assert.That(notifier.IsRetryNeeded(moment), Is.False);
    }

    [Test]
    public void Reader_ThatAnInvalidationOvertakes_HasToRetry()
    {
        using IntervalNotifier notifier = Insert(0x1000);
        NotifierSequence moment = notifier.ReadBegin();
        using (Invalidate(0x1000))
        {
        }

        Assert.That(notifier.IsRetryNeeded(moment), Is.True);
    }

    [Test]
    public void Insertion_WhileSomebodyElseIsInvalidated_IsDeferredAndItsReadersWait()
    {
        using IntervalNotifier other = Insert(0x1000);
        NotifierInvalidation first = Invalidate(0x1000);
        using IntervalNotifier late = Insert(0x5000);
        Assert.That(late.TryReadBegin(out _), Is.False);
        NotifierInvalidation second = Invalidate(0x5000);
        Assert.That(listener.Seen, Has.Count.EqualTo(1), "the deferred one is not walked yet");
        first.Dispose();
        second.Dispose();
        Assert.That(late.TryReadBegin(out _), Is.True);
        Invalidate(0x5000).Dispose();
        Assert.That(listener.Seen, Has.Count.EqualTo(2));
    }

    [Test]
    public void Insertion_WhileAnInvalidationOfNobodyRuns_MakesItsReadersWait()
    {
        NotifierInvalidation running = Invalidate(0x1000);
        using IntervalNotifier late = Insert(0x1000);
        Assert.That((late.TryReadBegin(out _), subscriptions.Now.IsInvalidating), Is.EqualTo((false, true)));
        running.Dispose();
        Assert.That(late.TryReadBegin(out _), Is.True);
    }

    [Test]
    public void Removal_OfADeferredInsertion_DoesNotWait()
    {
        using IntervalNotifier other = Insert(0x1000);
        NotifierInvalidation running = Invalidate(0x1000);
        IntervalNotifier late = Insert(0x5000);
        late.Dispose();
        running.Dispose();
        Invalidate(0x5000).Dispose();
        Assert.That(listener.Seen, Has.Count.EqualTo(1));
    }

    [Test]
    public void Removal_Idle_EndsTheCallbacks()
    {
        IntervalNotifier notifier = Insert(0x1000);
        notifier.Dispose();
        notifier.Dispose();
        Invalidate(0x1000).Dispose();
        Assert.That((listener.Seen.Count, notifier.IsRemoved, subscriptions.Now.Value), Is.EqualTo((0, true, 2UL)));
    }

    [Test]
    public void NonBlockingStart_ThatIsRefused_AnswersEagainAndLeavesNothingOpen()
    {
        var stubborn = new RecordingListener { Refuses = true };
        Assert.That(subscriptions.TryInsert(new VirtAddr(0x1000), Page, stubborn, out IntervalNotifier? notifier).IsOk);
        using (notifier)
        {
            Assert.That(subscriptions.TryInvalidate(Range(0x1000) with { CanBlock = false }, out _), Is.EqualTo(Errno.EAGAIN));
            Assert.That(subscriptions.Now.Value, Is.EqualTo(4UL));
            Invalidate(0x1000).Dispose();
            Assert.That(stubborn.Seen, Has.Count.EqualTo(1));
        }
    }

    [Test]
    public void BlockingStart_ThatIsRefused_IsABug()
    {
        // Not disposed: after the bug the invalidation never ends, and a removal would wait for it.
        var broken = new BrokenListener();
        Assert.That(subscriptions.TryInsert(new VirtAddr(0x1000), Page, broken, out _).IsOk);
        Assert.That(() => Invalidate(0x1000).Dispose(), Throws.InstanceOf<MmBugException>());
    }

    [TestCase(0x1000UL, 0UL)]
    [TestCase(ulong.MaxValue, 2UL)]
    public void Insertion_OfAnEmptyOrWrappingInterval_AnswersEoverflow(ulong start, ulong length) =>
        Assert.That(
            subscriptions.TryInsert(new VirtAddr(start), new ByteCount(length), listener, out _),
            Is.EqualTo(Errno.EOVERFLOW));

    [Test]
    public void Insertion_UpToTheTop_IsFoundThere()
    {
        Assert.That(subscriptions.TryInsert(VirtAddr.MaxValue, new ByteCount(1), listener, out IntervalNotifier? top).IsOk);
        using (top)
        {
            var last = new NotifierRange(new VirtRange(VirtAddr.MaxValue, new ByteCount(1)), NotifierEvent.Unmap) { CanBlock = true };
            Assert.That(subscriptions.TryInvalidate(last, out NotifierInvalidation invalidation).IsOk);
            invalidation.Dispose();
            Assert.That(listener.Seen, Has.Count.EqualTo(1));
        }
    }

    [Test]
    public void EndedSpace_TakesNobody()
    {
        using IntervalNotifier notifier = Insert(0x1000);
        var everything = new RecordingNotifier(MmuNotifierOps.None);
        Assert.That(subscriptions.TryRegister(everything).IsOk);
        subscriptions.Release();
        subscriptions.Release();
        Assert.That((everything.Releases, listener.Seen[0].Event), Is.EqualTo((1, NotifierEvent.Release)));
        Assert.That(subscriptions.TryInsert(VirtAddr.Zero, Page, listener, out _), Is.EqualTo(Errno.EINVAL));
        Assert.That(subscriptions.TryRegister(everything), Is.EqualTo(Errno.EINVAL));
    }

    [TestCase(MmuNotifierOps.SecondaryTlb | MmuNotifierOps.Start)]
    [TestCase(MmuNotifierOps.SecondaryTlb | MmuNotifierOps.End)]
    public void Registration_OfSecondaryTlbWithRanges_AnswersEinval(MmuNotifierOps ops) =>
        Assert.That(subscriptions.TryRegister(new RecordingNotifier(ops)), Is.EqualTo(Errno.EINVAL));

    [Test]
    public void Registration_Twice_AnswersEexist_AndOnceMoreGone_Enoent()
    {
        var notifier = new RecordingNotifier(MmuNotifierOps.SecondaryTlb);
        Assert.That(subscriptions.TryRegister(notifier).IsOk);
        Assert.That(subscriptions.TryRegister(notifier), Is.EqualTo(Errno.EEXIST));
        subscriptions.FlushSecondaryTlbs(VirtRange.All);
        Assert.That(subscriptions.TryUnregister(notifier).IsOk);
        Assert.That(subscriptions.TryUnregister(notifier), Is.EqualTo(Errno.ENOENT));
        Assert.That((notifier.Flushes, notifier.Releases), Is.EqualTo((1, 1)));
    }

    [Test]
    public void RefusedStart_RunsTheEndsOfThoseThatWantThem()
    {
        var refusing = new RecordingNotifier(MmuNotifierOps.Start) { Answer = Errno.EAGAIN };
        var pair = new RecordingNotifier(MmuNotifierOps.Start | MmuNotifierOps.End);
        Assert.That(subscriptions.TryRegister(refusing).IsOk && subscriptions.TryRegister(pair).IsOk);
        using IntervalNotifier notifier = Insert(0x1000);
        Assert.That(subscriptions.TryInvalidate(Range(0x1000) with { CanBlock = false }, out _), Is.EqualTo(Errno.EAGAIN));
        Assert.That((pair.Starts, pair.Ends, subscriptions.Now.Value), Is.EqualTo((1, 1, 4UL)));
    }

    [Test]
    public void RefusingListener_ThatWantsEnds_IsABug()
    {
        var wrong = new RecordingNotifier(MmuNotifierOps.Start | MmuNotifierOps.End) { Answer = Errno.EAGAIN };
        Assert.That(subscriptions.TryRegister(wrong).IsOk);
        Assert.That(
            () => subscriptions.TryInvalidate(Range(0x1000) with { CanBlock = false }, out _),
            Throws.InstanceOf<MmBugException>());
    }

    [Test]
    public void SetSequence_ToAnIdleMoment_IsRefused()
    {
        using IntervalNotifier notifier = Insert(0x1000);
        Assert.That(() => notifier.SetSequence(new NotifierSequence(4)), Throws.ArgumentException);
    }

    private static NotifierRange Range(ulong start) =>
        new(new VirtRange(new VirtAddr(start), Page), NotifierEvent.Clear) { CanBlock = true };

    private IntervalNotifier Insert(ulong start)
    {
        subscriptions.TryInsert(new VirtAddr(start), Page, listener, out IntervalNotifier? notifier).ThrowIfError();
        return notifier!;
    }

    private NotifierInvalidation Invalidate(ulong start)
    {
        subscriptions.TryInvalidate(Range(start), out NotifierInvalidation invalidation).ThrowIfError();
        return invalidation;
    }

    private sealed class BrokenListener : IIntervalListener
    {
        public bool Invalidate(IntervalNotifier notifier, in NotifierRange range, NotifierSequence sequence) => false;
    }
}
