using Mm.Core.Checks;
using Mm.Core.Locking;

namespace Mm.Core.Tests.Locking;

internal sealed class RankedLockTests
{
    private readonly RankedLock outer = new(LockRank.Pagemaps);
    private readonly RankedLock inner = new(LockRank.Zone);

    [Test]
    public void Enter_InOrder_IsLegal()
    {
        using (outer.Enter())
        using (inner.Enter())
        {
            outer.CheckHeld();
            inner.CheckHeld();
        }

        RankedLock.CheckNoneHeld("the test");
    }

    [Test]
    public void Enter_AgainstTheOrder_IsABugThatNamesBothRanks()
    {
        Assert.That(
            () =>
            {
                using (inner.Enter())
                {
                    outer.Enter().Dispose();
                }
            },
            Throws.InstanceOf<MmBugException>().With.Message.Contains("Pagemaps").And.Message.Contains("Zone"));
        RankedLock.CheckNoneHeld("the test, after the violation");
    }

    [Test]
    public void Enter_TheSameRankTwice_IsABug()
    {
        var twin = new RankedLock(LockRank.Zone);
        Assert.That(
            () =>
            {
                using (inner.Enter())
                {
                    twin.Enter().Dispose();
                }
            },
            Throws.InstanceOf<MmBugException>());
        Assert.That(
            () =>
            {
                using (inner.Enter())
                {
                    _ = twin.TryEnter(out _);
                }
            },
            Throws.InstanceOf<MmBugException>());
    }

    [Test]
    public void TryEnter_AgainstTheOrder_IsLegal()
    {
        using (inner.Enter())
        {
            Assert.That(outer.TryEnter(out RankedLock.Guard guard), Is.True);
            guard.Dispose();
        }

        RankedLock.CheckNoneHeld("the test");
    }

    [Test]
    public void Leave_OutOfOrder_ForgetsTheRightRank()
    {
        RankedLock.Guard first = outer.Enter();
        RankedLock.Guard second = inner.Enter();
        first.Dispose();
        Assert.That(outer.CheckHeld, Throws.InstanceOf<MmBugException>());
        inner.CheckHeld();
        second.Dispose();
    }

    [Test]
    public void TryEnter_WhileAnotherThreadHolds_IsRefusedAndHoldsNothing()
    {
        bool entered = true;
        using (outer.Enter())
        {
            var other = new Thread(() =>
            {
                entered = outer.TryEnter(out RankedLock.Guard guard);
                guard.Dispose();
                RankedLock.CheckNoneHeld("the other thread");
            });
            other.Start();
            other.Join();
        }

        Assert.That(entered, Is.False);
    }

    [Test]
    public void CheckNoneHeld_WhileHolding_IsABugThatNamesTheRank() =>
        Assert.That(
            () =>
            {
                using (inner.Enter())
                {
                    RankedLock.CheckNoneHeld("a callback");
                }
            },
            Throws.InstanceOf<MmBugException>().With.Message.Contains("a callback").And.Message.Contains("Zone"));

    [Test]
    public void Guard_DisposedTwice_IsCaught() =>
        Assert.That(
            () =>
            {
                RankedLock.Guard guard = outer.Enter();
                RankedLock.Guard copy = guard;
                guard.Dispose();
                copy.Dispose();
            },
            Throws.InstanceOf<SynchronizationLockException>());

    [Test]
    public void Ranks_All_FitInOneWordAndDiffer()
    {
        LockRank[] ranks = Enum.GetValues<LockRank>();
        Assert.That(ranks.Select(rank => (int)rank), Is.Unique.And.All.InRange(0, 63));
    }
}
