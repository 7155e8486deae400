using Mm.Core.Checks;
using Mm.Core.Locking;
using Mm.Core.Spaces;
using Mm.Testing.Interleavings;
using static Mm.Core.Tests.Spaces.SpaceRig;

namespace Mm.Core.Tests.Spaces;

/// <summary>An owner takes its memory away while processes touch, fork and move it: when it has, no CPU reaches it.</summary>
internal sealed class AreaBackingInterleavings
{
    [Test]
    public void TouchAndRevoke_InEveryOrder_NeverReachMemoryThatIsGone()
    {
        Exploration done = new Explorer().Explore(points =>
        {
            var run = new Run(points, locksFaults: true);
            return run.Against(() => run.Touch(At(0)));
        });
        Assert.That(done.ThrowIfFailed().Schedules, Is.GreaterThan(2));
    }

    [Test]
    public void TouchAndRevoke_WithoutTheOwnersLock_IsCaught()
    {
        Exploration done = new Explorer().Explore(points =>
        {
            var run = new Run(points, locksFaults: false);
            return run.Against(() => run.Touch(At(0)));
        });
        Assert.That(done.Failure, Is.Not.Null, "a fault that looked before the revocation inserts after it");
    }

    [Test]
    public void ForkAndRevoke_InEveryOrder_LeaveNothingInTheChild()
    {
        Exploration done = new Explorer().Explore(points =>
        {
            var run = new Run(points, locksFaults: true);
            run.Rig.Write(0, 1);
            return run.Against(run.Fork);
        });
        Assert.That(done.ThrowIfFailed().Schedules, Is.GreaterThan(2));
    }

    [Test]
    public void MoveAndRevoke_InEveryOrder_LeaveNothingAtEitherPlace()
    {
        Exploration done = new Explorer().Explore(points =>
        {
            var run = new Run(points, locksFaults: true);
            run.Rig.Write(0, 1);
            return run.Against(run.Move);
        });
        Assert.That(done.ThrowIfFailed().Schedules, Is.GreaterThan(2));
    }

    [Test]
    public void UnmapAndRevoke_InEveryOrder_LeaveNothing()
    {
        Exploration done = new Explorer().Explore(points =>
        {
            var run = new Run(points, locksFaults: true);
            run.Rig.Write(0, 1);
            return run.Against(() => run.Rig.Space.TryUnmap(At(0), Pages(1)).ThrowIfError());
        });
        Assert.That(done.ThrowIfFailed().Schedules, Is.GreaterThan(2));
    }

    [Test]
    public void ExitAndRevoke_InEveryOrder_NeverUseTablesThatAreGone()
    {
        Exploration done = new Explorer().Explore(points =>
        {
            var run = new Run(points, locksFaults: true);
            run.Rig.Write(0, 1);
            return run.Against(run.Rig.Space.Dispose);
        });
        Assert.That(done.ThrowIfFailed().Schedules, Is.GreaterThan(2));
    }

    // A process on one side, the owner on the other: what is asked afterwards is of the tables, as a CPU would go by them.
    private sealed class Run : IAreaOperations
    {
        private readonly IYieldPoints points;
        private readonly WaitQueue queue;
        private readonly bool locksFaults;
        private readonly FrameOwner window;
        private readonly AreaBacking backing;
        private bool isLocked;
        private bool isRevoked;
        private bool isTaken; // revoked, and every entry taken away

        internal Run(IYieldPoints points, bool locksFaults)
        {
            this.points = points;
            this.locksFaults = locksFaults;
            queue = new WaitQueue(points);
            Rig = new SpaceRig(new OtherPoints(points));
            window = new FrameOwner(Rig.Machine);
            backing = new AreaBacking(AreaKind.DeviceMemory, this);
            Rig.Map(0, 1, backing.Describe(AreaAccess.ReadWrite));
        }

        internal SpaceRig Rig { get; }

        internal Scenario Against(Action process) => new Scenario()
            .Actor("process", process)
            .Actor("owner", Revoke)
            .Always("who has taken its memory away is not reached", () => !isTaken || !IsReached())
            .Finally("nothing is left", End);

        internal void Touch(VirtAddr at)
        {
            FaultResult result = Rig.Space.Write(at, [1]);
            Check.That(result is FaultResult.Done or FaultResult.BusError, $"it ends as a write or as a bus error: {result}");
        }

        internal void Fork() => _ = Rig.Fork();

        internal void Move() =>
            Rig.Space.TryMove(new AreaMove(At(0), Pages(1), Pages(1)) { MayMove = true, To = At(4) }, out _).ThrowIfError();

        public FaultResult Fault(AreaFilling filling, AreaFault fault)
        {
            Lock();
            points.Reach("owner-looks");
            FaultResult result = isRevoked ? FaultResult.BusError : filling.InsertFrame(fault.Address, window.Frame(0));
            Unlock();
            return result;
        }

        private void Revoke()
        {
            points.Reach("revoke");
            Lock();
            isRevoked = true;
            backing.Unmap();
            Unlock();
            isTaken = true;
        }

        private void Lock()
        {
            if (locksFaults)
            {
                queue.WaitUntil("lock", () => !isLocked);
                isLocked = true;
            }
        }

        private void Unlock()
        {
            isLocked = false;
            queue.WakeAll();
        }

        private bool IsReached() => Array.Exists(
            Rig.Spaces.Snapshot(), static space => space.Tables.Read(At(0)).IsPresent || space.Tables.Read(At(4)).IsPresent);

        private bool End()
        {
            bool isReached = IsReached();
            Rig.Dispose();
            return !isReached && window.Faults.Count == 0;
        }
    }
    // A fork stands there with its family's gate held, which the owner enters.
    private sealed class OtherPoints(IYieldPoints points) : IYieldPoints
    {
        public void Reach(string point)
        {
            if (point != "fork-unpinned")
            {
                points.Reach(point);
            }
        }

        public void WaitUntil(string point, Func<bool> isReady) => points.WaitUntil(point, isReady);
    }
}
