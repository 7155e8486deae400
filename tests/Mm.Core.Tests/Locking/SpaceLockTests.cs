using Mm.Core.Checks;
using Mm.Core.Locking;

namespace Mm.Core.Tests.Locking;

internal sealed class SpaceLockTests
{
    private readonly SpaceLock space = new();

    [Test]
    public void EnterRead_Twice_IsHeldUntilBothLeave()
    {
        SpaceLock.Held first = space.EnterRead();
        SpaceLock.Held second = space.EnterRead();
        first.Dispose();
        Assert.That(space.IsHeld, Is.True);
        second.Dispose();
        Assert.That(space.IsHeld, Is.False);
    }

    [Test]
    public void EnterWrite_AndLeave_LetsReadersIn()
    {
        using (space.EnterWrite())
        {
            Assert.That(space.IsHeld, Is.True);
        }

        space.EnterRead().Dispose();
        Assert.That(space.IsHeld, Is.False);
    }

    [Test]
    public void Held_OfNothing_DoesNothing()
    {
        default(SpaceLock.Held).Dispose();
        Assert.That(space.IsHeld, Is.False);
    }

    [Test]
    public void Held_LeftTwice_IsABug()
    {
        SpaceLock.Held held = space.EnterRead();
        held.Dispose();
        Assert.That(held.Dispose, Throws.InstanceOf<MmBugException>());
    }

    [Test]
    public void Held_LeftByAnotherThread_IsLeft()
    {
        SpaceLock.Held held = space.EnterWrite();
        var thread = new Thread(held.Dispose);
        thread.Start();
        thread.Join();
        Assert.That(space.IsHeld, Is.False);
    }

    [Test]
    public void Enter_WithALaterLockHeld_IsABug()
    {
        var later = new RankedLock(LockRank.Leaf);
        using RankedLock.Guard guard = later.Enter();
        Assert.That(() => space.EnterRead(), Throws.InstanceOf<MmBugException>());
        Assert.That(() => space.EnterWrite(), Throws.InstanceOf<MmBugException>());
        Assert.That(space.IsHeld, Is.False);
    }

    [Test]
    public void Enter_WithAnEarlierLockHeld_IsAllowed()
    {
        var earlier = new RankedLock(LockRank.IoSpacePages);
        using RankedLock.Guard guard = earlier.Enter();
        space.EnterRead().Dispose();
        space.EnterWrite().Dispose();
        Assert.That(space.IsHeld, Is.False);
    }
}
