using Mm.Core.Checks;
using Mm.Core.Frames;
using Mm.Core.Locking;
using Mm.Core.Spaces;

namespace Mm.Core.Tests.Spaces;

internal sealed class PageLocksTests
{
    private Machine machine = null!;
    private PageLocks locks = null!;
    private PageRef page;

    [SetUp]
    public void Build()
    {
        machine = Machine.CreateBuilder().AddRam(new NodeId(0), new PhysRange(default, ByteCount.FromMiB(4))).Build();
        locks = new PageLocks(machine.Frames, new WaitQueue());
        Assert.That(machine.Allocator.TryAllocate(AllocationRequest.User with { Order = 2 }, out page), Is.EqualTo(Errno.Ok));
    }

    [TearDown]
    public void LeavesNothing()
    {
        page.Dispose();
        machine.Validate();
        machine.Dispose();
    }

    [Test]
    public void TryLock_OfALockedPage_IsRefused()
    {
        Assert.That((locks.TryLock(page.Page), locks.IsLocked(page.Page), locks.TryLock(page.Page)), Is.EqualTo((true, true, false)));
        locks.Unlock(page.Page);
        Assert.That((locks.IsLocked(page.Page), locks.TryLock(page.Page)), Is.EqualTo((false, true)));
        locks.Unlock(page.Page);
    }

    [Test]
    public void TryLock_OfAFoliosPart_LocksTheFolio()
    {
        var part = new Pfn(page.Page.Value + 3);
        Assert.That((locks.TryLock(part), locks.IsLocked(page.Page), locks.TryLock(page.Page)), Is.EqualTo((true, true, false)));
        locks.Unlock(page.Page);
        Assert.That(locks.IsLocked(part), Is.False);
    }

    [Test]
    public void Unlock_OfWhatIsNotLocked_IsABug() =>
        Assert.That(() => locks.Unlock(page.Page), Throws.InstanceOf<MmBugException>());

    [Test]
    public void IsLocked_OfAFrameWithoutMetadata_IsNot() => Assert.That(locks.IsLocked(Pfn.MaxValue), Is.False);

    [Test]
    public void Lock_OfALockedPage_WaitsForItsHolder()
    {
        locks.Lock(page.Page);
        bool isLeft = false;
        bool wasLeft = false;
        var thread = new Thread(() =>
        {
            locks.Lock(page.Page);
            wasLeft = Volatile.Read(ref isLeft);
            locks.Unlock(page.Page);
        });
        thread.Start();
        Volatile.Write(ref isLeft, true);
        locks.Unlock(page.Page);
        thread.Join();
        Assert.That((wasLeft, locks.IsLocked(page.Page)), Is.EqualTo((true, false)));
    }

    [Test]
    public void WaitUntilUnlocked_OfAnUnlockedPage_ReturnsAtOnce() =>
        Assert.That(() => locks.WaitUntilUnlocked(page.Page), Throws.Nothing);

    [Test]
    public void WaitUntilUnlocked_UnderARankedLock_IsABug()
    {
        var gate = new RankedLock(LockRank.Leaf);
        using RankedLock.Guard guard = gate.Enter();
        Assert.That(() => locks.WaitUntilUnlocked(page.Page), Throws.InstanceOf<MmBugException>());
    }
}
