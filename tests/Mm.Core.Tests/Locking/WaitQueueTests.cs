using Mm.Core.Locking;
using Mm.Testing.Interleavings;

namespace Mm.Core.Tests.Locking;

[TestFixture]
internal sealed class WaitQueueTests
{
    [Test]
    public void Wait_ForWhatHoldsAlready_ReturnsAtOnce()
    {
        int asked = 0;
        new WaitQueue().WaitUntil("ready", () =>
        {
            asked++;
            return true;
        });
        Assert.That(asked, Is.EqualTo(1));
    }

    [Test]
    [CancelAfter(30_000)]
    public async Task Wait_OfManyThreads_EndsWhenTheConditionComes()
    {
        var queue = new WaitQueue();
        int isOpen = 0;
        Task[] waiters = [.. Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
            queue.WaitUntil("open", () => Volatile.Read(ref isOpen) != 0)))];
        queue.WakeAll(); // without the condition nobody gets through
        Volatile.Write(ref isOpen, 1);
        queue.WakeAll();
        await Task.WhenAll(waiters);
        Assert.That(waiters, Has.All.Property(nameof(Task.IsCompletedSuccessfully)).True);
    }

    [Test]
    public void Wait_InEveryOrder_IsNeverLost()
    {
        Exploration result = new Explorer().Explore(points =>
        {
            var queue = new WaitQueue(points);
            bool isOpen = false;
            return new Scenario()
                .Actor("waiter", () => queue.WaitUntil("open", () => isOpen))
                .Actor("waker", () =>
                {
                    points.Reach("change");
                    isOpen = true;
                    queue.WakeAll();
                });
        });
        Assert.That(result.ThrowIfFailed().Schedules, Is.GreaterThan(1));
    }

    [Test]
    public void Wait_ForWhatNeverComes_IsADeadlockThatTheExplorerFinds()
    {
        Exploration result = new Explorer().Explore(points =>
        {
            var queue = new WaitQueue(points);
            return new Scenario()
                .Actor("waiter", () => queue.WaitUntil("never", static () => false))
                .Actor("other", () => points.Reach("nothing"));
        });
        Assert.That(result.Failure?.Kind, Is.EqualTo(FailureKind.Deadlock));
    }
}
