using Mm.Core.Checks;
using Mm.Core.Locking;
using Mm.Testing.Interleavings;

namespace Mm.Core.Tests.Locking;

/// <summary>Readers and writers of one lock, in every order.</summary>
internal sealed class SpaceLockInterleavings
{
    [Test]
    public void TwoReadersAndAWriter_InEveryOrder_LeaveTheWriterAlone()
    {
        bool haveReadersMet = false;
        Exploration done = new Explorer().Explore(points =>
        {
            var run = new Run(points);
            return new Scenario()
                .Actor("one", run.Read)
                .Actor("two", run.Read)
                .Actor("writer", run.Write)
                .Always("a writer is alone", run.IsSound)
                .Finally("nobody holds it", () => !run.Lock.IsHeld)
                .Finally("readers may meet", () => (haveReadersMet |= run.HaveReadersMet) || true);
        });
        Assert.That(done.ThrowIfFailed().Schedules, Is.GreaterThan(10));
        Assert.That(haveReadersMet, Is.True);
    }

    [Test]
    public void TwoWritersAndAReader_InEveryOrder_AllGetTheirTurn()
    {
        Exploration done = new Explorer().Explore(points =>
        {
            var run = new Run(points);
            return new Scenario()
                .Actor("one", run.Write)
                .Actor("two", run.Write)
                .Actor("reader", run.Read)
                .Always("a writer is alone", run.IsSound)
                .Finally("nobody holds it", () => !run.Lock.IsHeld);
        });
        Assert.That(done.ThrowIfFailed().Schedules, Is.GreaterThan(10));
    }

    [Test]
    public void AWriterThatWaits_KeepsANewReaderOut()
    {
        // The first reader holds the lock from before, and leaves when the other two have come.
        bool hasOvertaken = false;
        Exploration done = new Explorer().Explore(points =>
        {
            var run = new Run(points);
            bool isWriterWaiting = false;
            SpaceLock.Held first = run.Lock.EnterRead();
            return new Scenario()
                .Actor("writer", () =>
                {
                    isWriterWaiting = true; // and at once it asks: no other actor runs in between
                    using SpaceLock.Held held = run.Lock.EnterWrite();
                    isWriterWaiting = false;
                })
                .Actor("reader", () =>
                {
                    points.Reach("come");
                    bool hasWriterCome = isWriterWaiting;
                    using SpaceLock.Held held = run.Lock.EnterRead();
                    hasOvertaken |= hasWriterCome && isWriterWaiting;
                })
                .Actor("first", () =>
                {
                    points.Reach("leave");
                    first.Dispose();
                });
        });
        _ = done.ThrowIfFailed();
        Assert.That(hasOvertaken, Is.False);
    }

    private sealed class Run(IYieldPoints points)
    {
        private int readers;

        internal SpaceLock Lock { get; } = new(points);

        internal int Writers { get; private set; }

        internal bool HaveReadersMet { get; private set; }

        internal bool IsSound() => Writers == 0 || (Writers == 1 && readers == 0);

        internal void Read()
        {
            points.Reach("come");
            using SpaceLock.Held held = Lock.EnterRead();
            readers++;
            HaveReadersMet |= readers == 2;
            points.Reach("reading");
            readers--;
        }

        internal void Write()
        {
            points.Reach("come");
            using SpaceLock.Held held = Lock.EnterWrite();
            Writers++;
            points.Reach("writing");
            Writers--;
        }
    }
}
