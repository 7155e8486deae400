using Mm.Core.Frames;
using Mm.Core.Locking;
using Mm.Core.Spaces;
using Mm.Testing.Interleavings;

namespace Mm.Core.Tests.Spaces;

/// <summary>Those who lock one page, and one who only waits, in every order.</summary>
internal sealed class PageLocksInterleavings
{
    [Test]
    public void TwoLockersAndAWaiter_InEveryOrder_NeverMeetAndNeverHang()
    {
        Exploration done = new Explorer().Explore(points =>
        {
            Machine machine = Machine.CreateBuilder()
                .AddRam(new NodeId(0), new PhysRange(default, ByteCount.FromMiB(4))).Build();
            machine.Allocator.TryAllocate(AllocationRequest.User, out PageRef page).ThrowIfError();
            var locks = new PageLocks(machine.Frames, new WaitQueue(points));
            int holders = 0;
            Action locker = () =>
            {
                points.Reach("come");
                locks.Lock(page.Page);
                holders++;
                points.Reach("hold");
                holders--;
                locks.Unlock(page.Page);
            };
            return new Scenario()
                .Actor("one", locker)
                .Actor("two", locker)
                .Actor("waiter", () =>
                {
                    points.Reach("come");
                    locks.WaitUntilUnlocked(page.Page);
                })
                .Always("a lock has one holder", () => holders <= 1)
                .Finally("nothing is left", () =>
                {
                    page.Dispose(); // a locked page would be a bad one
                    machine.Validate();
                    machine.Dispose();
                    return true;
                });
        });
        Assert.That(done.ThrowIfFailed().Schedules, Is.GreaterThan(20));
    }
}
