using Mm.Core;
using Mm.DmaBuf.Fences;

namespace Mm.DmaBuf.Tests.Fences;

internal sealed class DmaFenceTests
{
    private readonly FenceRig rig = new();

    [Test]
    public void Contexts_Made_AreNeverTheStubs()
    {
        FenceContext first = rig.Contexts.Next();
        Assert.That(rig.Contexts.Next(), Is.Not.EqualTo(first));
        Assert.That(first, Is.Not.EqualTo(default(FenceContext)));
        Assert.That(rig.Contexts.Stub.Context, Is.EqualTo(default(FenceContext)));
    }

    [Test]
    public void Callbacks_OfOneFence_RunInTheOrderOfAdding()
    {
        DmaFence fence = rig.Fence();
        var ran = new List<int>();
        var callbacks = new FenceCallback?[5];
        for (int each = 0; each < 5; each++)
        {
            int number = each;
            fence.TryAddCallback(_ => ran.Add(number), out callbacks[each]).ThrowIfError();
        }

        Assert.That(fence.RemoveCallback(callbacks[0]!), Is.True);
        Assert.That(fence.RemoveCallback(callbacks[2]!), Is.True);
        Assert.That(fence.RemoveCallback(callbacks[4]!), Is.True);
        Assert.That(fence.RemoveCallback(callbacks[4]!), Is.False, "removed before");
        fence.Signal().ThrowIfError();
        Assert.That(ran, Is.EqualTo([1, 3]));
        Assert.That(fence.RemoveCallback(callbacks[2]!), Is.False, "removed, then signaled: nothing to wait for");
    }

    [Test]
    public void Callback_RemovingItself_DoesNotWaitForItself()
    {
        DmaFence fence = rig.Fence();
        FenceCallback? own = null;
        bool removed = true;
        fence.TryAddCallback(_ => removed = fence.RemoveCallback(own!), out own).ThrowIfError();
        fence.Signal().ThrowIfError();
        Assert.That(removed, Is.False);
    }

    [Test]
    public void Callback_OfAnotherFence_IsTheCallersMistake()
    {
        rig.Fence().TryAddCallback(_ => { }, out FenceCallback? callback).ThrowIfError();
        Assert.That(() => rig.Fence().RemoveCallback(callback!), Throws.ArgumentException);
    }

    [Test]
    public void Callback_ThatThrows_KeepsNoOtherWaitingAndTellsTheSignaler()
    {
        DmaFence fence = rig.Fence();
        bool seen = false;
        fence.TryAddCallback(_ => throw new InvalidOperationException("mine"), out FenceCallback? first).ThrowIfError();
        fence.TryAddCallback(_ => seen = true, out _).ThrowIfError();
        Assert.That(() => fence.Signal(), Throws.InvalidOperationException.With.Message.EqualTo("mine"));
        Assert.That(seen, Is.True);
        Assert.That(fence.RemoveCallback(first!), Is.False);
    }

    [Test]
    public void Error_SetAfterSignal_IsTheCallersMistake()
    {
        DmaFence fence = rig.Fence();
        Assert.That(() => fence.SetError(Errno.Ok), Throws.ArgumentException);
        fence.Signal().ThrowIfError();
        Assert.That(() => fence.SetError(Errno.EIO), Throws.InvalidOperationException);
    }

    [Test]
    public void Error_SetFirst_IsNotReplacedByTheSignals()
    {
        DmaFence fence = rig.Fence();
        fence.SetError(Errno.EIO);
        fence.Signal(Errno.ECANCELED).ThrowIfError();
        Assert.That(fence.GetStatus().Error, Is.EqualTo(Errno.EIO));
        Assert.That(fence.GetStatus().ToString(), Is.EqualTo("EIO"));
    }

    [Test]
    public void Abandon_OfAPendingFence_FailsItWithEdeadlkAndRunsCallbacks()
    {
        DmaFence fence = rig.Fence();
        FenceStatus seen = FenceStatus.Pending;
        fence.TryAddCallback(ended => seen = ended.GetStatus(), out _).ThrowIfError();
        fence.Abandon();
        Assert.That(seen, Is.EqualTo(FenceStatus.Failed(Errno.EDEADLK)));
        Assert.That(seen.Number, Is.EqualTo(-35));
    }

    [Test]
    public void Abandon_OfASignaledFence_ChangesNothing()
    {
        DmaFence fence = rig.Fence();
        fence.Signal().ThrowIfError();
        fence.Abandon();
        Assert.That(fence.GetStatus(), Is.EqualTo(FenceStatus.Signaled));
    }

    [Test]
    public void Timestamp_OfTheSignal_IsTheClocks()
    {
        DmaFence fence = rig.Fence();
        Assert.That(fence.TimestampNs, Is.Null);
        rig.Clock.AdvanceNs(40);
        fence.Signal().ThrowIfError();
        rig.Clock.AdvanceNs(2);
        Assert.That(fence.TimestampNs, Is.EqualTo(40));
    }

    [TestCase(1UL, 0UL, true)]
    [TestCase(0UL, 1UL, false)]
    [TestCase(7UL, 7UL, false)]
    [TestCase(0UL, 0xffff_ffffUL, true)]
    [TestCase(0x7fff_ffffUL, 0UL, true)]
    [TestCase(0x8000_0000UL, 0UL, false)]
    public void Order_OfShortSeqnos_Wraps(ulong later, ulong earlier, bool expected)
    {
        FenceContext context = rig.Contexts.Next();
        Assert.That(DmaFence.IsLater(rig.Fence(context, later), rig.Fence(context, earlier)), Is.EqualTo(expected));
    }

    [Test]
    public void Order_OfLongSeqnos_DoesNotWrap()
    {
        var first = new FenceChain(previous: null, rig.Fence(), seqno: 1);
        var second = new FenceChain(first, rig.Fence(), seqno: 0x1_0000_0000);
        Assert.That(DmaFence.IsLater(second, first), Is.True);
        Assert.That(DmaFence.IsLater(first, second), Is.False);
    }

    [Test]
    public void Order_OfTwoContexts_IsTheCallersMistake()
    {
        Assert.That(() => DmaFence.IsLater(rig.Fence(), rig.Fence()), Throws.ArgumentException);
    }

    [Test]
    public void Deadline_TheEarliest_Counts()
    {
        DmaFence fence = rig.Fence();
        fence.SetDeadline(50);
        fence.SetDeadline(30);
        fence.SetDeadline(70);
        Assert.That(fence.DeadlineNs, Is.EqualTo(30));
        DmaFence done = rig.Fence();
        done.Signal().ThrowIfError();
        done.SetDeadline(5);
        Assert.That(done.DeadlineNs, Is.Null);
    }

    [Test]
    public void Wait_Cancelled_IsInterrupted()
    {
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.That(rig.Fence().Wait(10, out ulong remaining, cancelled.Token), Is.EqualTo(Errno.EINTR));
        Assert.That(remaining, Is.Zero);
    }

    [Test]
    public void Wait_EndedByTheClock_SaysEtime()
    {
        DmaFence fence = rig.Fence();
        using var begun = new ManualResetEventSlim();
        Errno waited = Errno.Ok;
        var waiter = new Thread(() =>
        {
            begun.Set();
            waited = fence.Wait(100, out _);
        });
        waiter.Start();
        begun.Wait();
        while (!waiter.Join(TimeSpan.FromMilliseconds(1)))
        {
            rig.Clock.AdvanceNs(100);
        }

        Assert.That(waited, Is.EqualTo(Errno.ETIME));
    }

    [Test]
    public void Wait_FailedWork_IsAnEndedWait()
    {
        DmaFence fence = rig.Fence();
        fence.Signal(Errno.EIO).ThrowIfError();
        Assert.That(fence.Wait(5, out ulong remaining), Is.EqualTo(Errno.Ok));
        Assert.That(remaining, Is.EqualTo(5));
    }

    [Test]
    public async Task Await_OfAFence_GivesItsStatus()
    {
        DmaFence fence = rig.Fence();
        Task<FenceStatus> waiting = fence.AsTask();
        Assert.That(waiting.IsCompleted, Is.False);
        fence.Signal(Errno.EIO).ThrowIfError();
        Assert.That(await waiting, Is.EqualTo(FenceStatus.Failed(Errno.EIO)));
        Assert.That((await fence).Number, Is.EqualTo(-5));
    }

    [Test]
    public void Work_ThatEndedBeforeAnybodyAsked_SignalsAtTheQuestion()
    {
        var fence = new PolledFence(rig.Contexts);
        Assert.That(fence.IsSignaled, Is.False);
        fence.HasEnded = true;
        Assert.That(fence.TryAddCallback(_ => { }, out _), Is.EqualTo(Errno.ENOENT));
        Assert.That(fence.Starts, Is.EqualTo(1));
        fence.EnableSignaling();
        Assert.That(fence.Starts, Is.EqualTo(1), "is asked to signal once at most");
        Assert.That(fence.ToString(), Does.StartWith("mm-unbound").And.EndWith("signaled"));
    }

    private sealed class PolledFence(FenceContexts contexts) : DmaFence(contexts, contexts.Next(), seqno: 1)
    {
        public bool HasEnded { get; set; }

        public int Starts { get; private set; }

        protected override bool HasCompleted() => HasEnded;

        protected override bool StartSignaling()
        {
            Starts++;
            return !HasEnded;
        }
    }
}
