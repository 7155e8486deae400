using Mm.Core;
using Mm.Core.Checks;
using Mm.DmaBuf.Fences;
using Mm.Testing.Interleavings;

namespace Mm.DmaBuf.Tests.Fences;

/// <summary>Signal against add-callback against remove-callback, in every order of their steps.</summary>
internal sealed class DmaFenceInterleavings
{
    [Test]
    public void Signal_AgainstAddAndRemove_RunsOrRemovesEachCallbackOnce()
    {
        Exploration result = new Explorer { MaxInterruptions = 4 }.Explore(points =>
        {
            DmaFence fence = new FenceRig(points).Fence();
            var first = new Listener(fence, points);
            var second = new Listener(fence, points);
            return new Scenario()
                .Actor("signaler", () => _ = fence.Signal())
                .Actor("first", first.AddsAndRemoves)
                .Actor("second", second.Adds)
                .Always("no callback runs after its removal returned", () => first.IsQuiet && second.IsQuiet)
                .Finally("each ran, was removed or was refused", () => first.IsAccounted && second.IsAccounted);
        });
        result.ThrowIfFailed();
        Assert.That(result.Schedules, Is.GreaterThan(50));
    }

    [Test]
    public void Signal_AgainstSignal_OneIsRefused()
    {
        new Explorer().Explore(points =>
        {
            DmaFence fence = new FenceRig(points).Fence();
            Errno first = Errno.EIO;
            Errno second = Errno.EIO;
            return new Scenario()
                .Actor("first", () => first = fence.Signal())
                .Actor("second", () => second = fence.Signal(Errno.ECANCELED))
                .Finally("one is refused", () => first.IsOk != second.IsOk && (first == Errno.EINVAL || second == Errno.EINVAL))
                .Finally("the error is the winner's", () => fence.GetStatus().Error.IsOk == first.IsOk);
        }).ThrowIfFailed();
    }

    [Test]
    public void Wait_AgainstSignalAndClock_Ends()
    {
        new Explorer { MaxInterruptions = 4 }.Explore(points =>
        {
            var rig = new FenceRig(points);
            DmaFence fence = rig.Fence();
            Errno waited = Errno.EIO;
            return new Scenario()
                .Actor("waiter", () => waited = fence.Wait(10, out _))
                .Actor("signaler", () => _ = fence.Signal())
                .Actor("clock", () => rig.Clock.AdvanceNs(10))
                .Finally("signaled or over", () => waited.IsOk || waited == Errno.ETIME);
        }).ThrowIfFailed();
    }

    [Test]
    public void Array_AgainstItsMembersSignals_RunsItsCallbackOnce()
    {
        new Explorer { MaxInterruptions = 3 }.Explore(points =>
        {
            var rig = new FenceRig(points);
            DmaFence[] members = [rig.Fence(), rig.Fence()];
            var listener = new Listener(rig.Array(members), points);
            return new Scenario()
                .Actor("adder", listener.Adds)
                .Actor("first", () => members[0].Signal().ThrowIfError())
                .Actor("second", () => members[1].Signal().ThrowIfError())
                .Finally("ran or was refused", () => listener.IsAccounted);
        }).ThrowIfFailed();
    }

    [Test]
    public void Chain_WalkedByTwo_LosesNoPendingLink()
    {
        new Explorer { MaxInterruptions = 4 }.Explore(points =>
        {
            var rig = new FenceRig(points);
            DmaFence[] fences = [rig.Fence(), rig.Fence(), rig.Fence(), rig.Fence()];
            FenceChain? tail = null;
            for (int index = 0; index < fences.Length; index++)
            {
                tail = new FenceChain(tail, fences[index], (ulong)index + 1);
            }

            return new Scenario()
                .Actor("first", () => _ = FenceChain.Walk(tail!))
                .Actor("second", () => _ = FenceChain.Walk(tail!))
                .Actor("signaler", () =>
                {
                    fences[2].Signal().ThrowIfError();
                    fences[1].Signal().ThrowIfError();
                })
                .Finally("the oldest is found", () => FenceUnwrap.Enumerate(tail).Last() == fences[0]);
        }).ThrowIfFailed();
    }

    private sealed class Listener(DmaFence fence, IYieldPoints points)
    {
        private FenceCallback? callback;
        private bool isRefused;
        private bool isRemoved;
        private bool hasReturned;
        private bool isRunning;
        private int runs;

        public bool IsQuiet => !hasReturned || (!isRunning && (!isRemoved || runs == 0));

        public bool IsAccounted => (isRefused ? 1 : 0) + (isRemoved ? 1 : 0) + runs == 1 || (runs == 0 && !fence.IsSignaled);

        public void Adds() => isRefused = fence.TryAddCallback(_ => Runs(), out callback) == Errno.ENOENT;

        public void AddsAndRemoves()
        {
            Adds();
            if (!isRefused)
            {
                isRemoved = fence.RemoveCallback(callback!);
                hasReturned = true;
            }
        }

        private void Runs()
        {
            isRunning = true;
            points.Reach("callback-runs");
            isRunning = false;
            runs++;
        }
    }
}
