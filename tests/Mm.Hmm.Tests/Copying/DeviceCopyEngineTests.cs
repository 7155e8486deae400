using Mm.Core;
using Mm.Hmm.Copying;

namespace Mm.Hmm.Tests.Copying;

public sealed class DeviceCopyEngineTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Test]
    public void Step_OfAQueuedJob_WritesOnePageAtATimeAndSignalsAtTheLast()
    {
        using var rig = new CopyRig();
        using DeviceCopyEngine engine = rig.Stepped();
        rig.Fill(rig.Ram(0), 1);
        rig.Fill(rig.Private(0), 2);
        using CopyJob job = rig.Job(PageCopy.Of(rig.Ram(0), rig.Private(1)), PageCopy.Of(rig.Private(0), rig.Ram(1)));
        engine.TrySubmit(job).ThrowIfError();
        Assert.That((job.State, engine.QueuedJobs, engine.HasWork), Is.EqualTo((CopyJobState.InFlight, 1, true)));
        Assert.That(engine.Step(), Is.True);
        Assert.That((rig.Holds(rig.Private(1), 1), rig.Holds(rig.Ram(1), 2), job.Fence.IsSignaled), Is.EqualTo((true, false, false)));
        Assert.That(engine.Step(), Is.True);
        Assert.That((rig.Holds(rig.Ram(1), 2), job.Fence.IsSignaled, job.WrittenPages), Is.EqualTo((true, true, new PageCount(2))));
        Assert.That((engine.Step(), engine.HasWork), Is.EqualTo((false, false)));
        Assert.That(engine.Counters, Is.EqualTo(new CopyCounters(new PageCount(2), PageCount.Zero, 1, 0)));
    }

    [Test]
    public void Wait_ForASteppedEngine_DrivesItThroughTheJobsBefore()
    {
        using var rig = new CopyRig();
        using DeviceCopyEngine engine = rig.Stepped();
        using CopyJob first = rig.Job(PageCopy.Clear(rig.Private(0)));
        using CopyJob second = rig.Job(PageCopy.Clear(rig.Private(1)));
        using CopyJob third = rig.Job(PageCopy.Clear(rig.Private(2)));
        engine.TrySubmit(first).ThrowIfError();
        engine.TrySubmit(second).ThrowIfError();
        engine.TrySubmit(third).ThrowIfError();
        second.Fence.Wait().ThrowIfError();
        Assert.That((first.Fence.IsSignaled, second.Fence.IsSignaled, third.Fence.IsSignaled), Is.EqualTo((true, true, false)));
        third.Fence.Wait().ThrowIfError();
    }

    [Test]
    public void Wait_ForTheThread_Ends()
    {
        using var rig = new CopyRig();
        using var engine = new DeviceCopyEngine("gpu", rig.Device, rig.Faults);
        rig.Fill(rig.Ram(512), 5, PageSize.Large);
        using CopyJob job = rig.Job(PageCopy.Of(rig.Ram(512), rig.Private(512), PageSize.Large));
        CopyEngineContract.TrySubmit(engine, job).ThrowIfError();
        CopyEngineContract.Wait(engine, job).ThrowIfError();
        Assert.That(rig.Holds(rig.Private(512), 5, PageSize.Large), Is.True);
        Assert.That(engine.Step, Throws.InvalidOperationException);
    }

    [Test]
    public async Task Await_TheFence_GivesTheError()
    {
        using var rig = new CopyRig();
        using var engine = new DeviceCopyEngine("gpu", rig.Device, rig.Faults);
        rig.Faults.FailNth(CopyFaults.Page, 1);
        using CopyJob failing = rig.Job(PageCopy.Clear(rig.Private(0)));
        using CopyJob passing = rig.Job(PageCopy.Clear(rig.Private(0)));
        engine.TrySubmit(failing).ThrowIfError();
        engine.TrySubmit(passing).ThrowIfError();
        Assert.That((await failing.Fence, await passing.Fence), Is.EqualTo((Errno.EIO, Errno.Ok)));
        Assert.That(await passing.Fence.AsTask(), Is.EqualTo(Errno.Ok)); // also when it has signaled before
    }

    [Test]
    public void TrySubmit_EachPageFailingInTurn_WritesThoseBeforeAndGoesOnWithTheNextJob([Range(1, 5)] int nth)
    {
        using var rig = new CopyRig();
        using DeviceCopyEngine engine = rig.Stepped();
        using CopyJob job = rig.Jobs.Rent();
        using CopyJob next = rig.Job(PageCopy.Of(rig.Ram(0), rig.Private(9)));
        for (ulong page = 0; page < 4; page++)
        {
            rig.Fill(rig.Ram(page), 1);
            rig.Fill(rig.Private(page), 0xEE);
            job.Add(PageCopy.Of(rig.Ram(page), rig.Private(page)));
        }

        rig.Faults.FailNth(CopyFaults.Page, (ulong)nth);
        engine.TrySubmit(job).ThrowIfError();
        engine.TrySubmit(next).ThrowIfError();
        Assert.That(CopyEngineContract.Wait(engine, next), Is.EqualTo(nth == 5 ? Errno.EIO : Errno.Ok));
        Assert.That(CopyEngineContract.Wait(engine, job), Is.EqualTo(nth < 5 ? Errno.EIO : Errno.Ok));
        for (int page = 0; page < 4; page++)
        {
            Errno outcome = page < nth - 1 ? Errno.Ok : page == nth - 1 ? Errno.EIO : Errno.ECANCELED;
            byte[] bytes = rig.Read(rig.Private((ulong)page));
            Assert.That(job.OutcomeOf(page), Is.EqualTo(outcome));
            Assert.That((bytes[0] == 1, bytes[4095] == 1), Is.EqualTo((page < nth, page < nth - 1)), "the failing page is torn");
        }

        Assert.That(engine.Counters, Is.EqualTo(new CopyCounters(new PageCount(nth == 5 ? 4UL : (ulong)nth), PageCount.Zero, 2, 1)));
    }

    [Test]
    public void TrySubmit_ToAFullQueue_IsEAGAINAndLeavesTheJob()
    {
        using var rig = new CopyRig();
        using DeviceCopyEngine engine = rig.Stepped(depth: 1);
        using CopyJob first = rig.Job(PageCopy.Clear(rig.Private(0)));
        using CopyJob second = rig.Job(PageCopy.Clear(rig.Private(1)));
        engine.TrySubmit(first).ThrowIfError();
        Assert.That(CopyEngineContract.TrySubmit(engine, second), Is.EqualTo(Errno.EAGAIN));
        Assert.That(second.State, Is.EqualTo(CopyJobState.Filling));
        first.Fence.Wait().ThrowIfError();
        engine.TrySubmit(second).ThrowIfError();
        second.Fence.Wait().ThrowIfError();
    }

    [Test]
    public void TrySubmit_WithTheQueueFailing_IsEAGAINAndLeavesTheJob()
    {
        using var rig = new CopyRig();
        using DeviceCopyEngine engine = rig.Stepped();
        using CopyJob job = rig.Job(PageCopy.Clear(rig.Private(0)));
        rig.Faults.FailNth(CopyFaults.Queue, 1);
        Assert.That(CopyEngineContract.TrySubmit(engine, job), Is.EqualTo(Errno.EAGAIN));
        Assert.That(CopyEngineContract.TrySubmit(engine, job), Is.EqualTo(Errno.Ok));
        job.Fence.Wait().ThrowIfError();
    }

    [Test]
    public void Dispose_WithJobsOutstanding_FailsThemAndRefusesLaterOnes([Values] CopyEngineDrive drive)
    {
        using var rig = new CopyRig();
        using var held = new HeldBytes(rig.Device);
        var engine = new DeviceCopyEngine("gpu", held, rig.Faults, drive);
        CopyJob[] jobs = [.. Enumerable.Range(0, 3).Select(_ => rig.Jobs.Rent())];
        foreach (CopyJob job in jobs)
        {
            for (ulong page = 0; page < 200; page++)
            {
                job.Add(PageCopy.Clear(rig.Private(page)));
            }

            engine.TrySubmit(job).ThrowIfError();
        }

        if (drive == CopyEngineDrive.Stepped)
        {
            held.Release();
            _ = engine.Step();
            engine.Dispose();
        }
        else
        {
            held.WaitUntilTouched(); // the first job is being copied
            Task ending = Task.Run(engine.Dispose);
            Assert.That(SpinWait.SpinUntil(() => Refused(rig, engine) == Errno.ENODEV, Patience), Is.True, "the end is not seen");
            held.Release();
            Assert.That(ending.Wait(Patience), Is.True, "the thread did not end");
        }

        foreach (CopyJob job in jobs)
        {
            Assert.That(job.Fence.Wait(), Is.EqualTo(Errno.ENODEV));
            Assert.That(job.OutcomeOf(199), Is.EqualTo(Errno.ECANCELED));
            job.Dispose();
        }

        Assert.That(Refused(rig, engine), Is.EqualTo(Errno.ENODEV));
        Assert.That((engine.HasWork, engine.Counters.FailedJobs), Is.EqualTo((false, engine.Counters.Jobs)));
        engine.Dispose();
    }

    [Test]
    public void Dispose_FromACallback_Ends()
    {
        using var rig = new CopyRig();
        var engine = new DeviceCopyEngine("gpu", rig.Device, rig.Faults);
        using CopyJob job = rig.Job(PageCopy.Clear(rig.Private(0)));
        job.Fence.TryAddCallback(_ => engine.Dispose()).ThrowIfError();
        engine.TrySubmit(job).ThrowIfError();
        job.Fence.Wait().ThrowIfError();
        engine.Dispose();
        Assert.That(Refused(rig, engine), Is.EqualTo(Errno.ENODEV));
    }

    [Test]
    public void Thread_ThatMeetsAnException_FailsItsJobsAndTellsTheNextSubmitter()
    {
        using var rig = new CopyRig();
        using var engine = new DeviceCopyEngine("gpu", new ThrowingBytes(rig.Device, rig.Private(1)), rig.Faults);
        using CopyJob job = rig.Job(PageCopy.Clear(rig.Private(0)), PageCopy.Clear(rig.Private(1)));
        engine.TrySubmit(job).ThrowIfError();
        Assert.That(job.Fence.Wait(), Is.EqualTo(Errno.EIO));
        Assert.That((job.IsWritten(0), job.IsWritten(1)), Is.EqualTo((true, false)));
        engine.Dispose();
        using CopyJob next = rig.Job(PageCopy.Clear(rig.Private(0)));
        Assert.That(() => engine.TrySubmit(next), Throws.InstanceOf<ThrowingBytes.Thrown>());
    }

    [Test]
    public void Step_ThatMeetsAnException_FailsTheJobAndThrows()
    {
        using var rig = new CopyRig();
        using var engine = new DeviceCopyEngine("gpu", new ThrowingBytes(rig.Device, rig.Private(0)), rig.Faults, CopyEngineDrive.Stepped);
        using CopyJob job = rig.Job(PageCopy.Clear(rig.Private(0)));
        using CopyJob next = rig.Job(PageCopy.Clear(rig.Private(1)));
        engine.TrySubmit(job).ThrowIfError();
        engine.TrySubmit(next).ThrowIfError();
        Assert.That(engine.Step, Throws.InstanceOf<ThrowingBytes.Thrown>());
        Assert.That((job.Fence.Error, next.Fence.Wait()), Is.EqualTo((Errno.EIO, Errno.Ok)));
    }

    [Test]
    public void Callback_ThatSubmitsToASteppedEngineAndWaits_Ends([Values] CopyEngineDrive drive)
    {
        using var rig = new CopyRig();
        using var engine = new DeviceCopyEngine("gpu", rig.Device, rig.Faults, drive);
        using DeviceCopyEngine stepped = rig.Stepped();
        DeviceCopyEngine other = drive == CopyEngineDrive.Stepped ? engine : stepped; // a stepped one may be the very same
        using CopyJob job = rig.Job(PageCopy.Clear(rig.Private(0)));
        using CopyJob next = rig.Job(PageCopy.Clear(rig.Private(1)));
        Errno inner = Errno.EIO;
        job.Fence.TryAddCallback(_ =>
        {
            other.TrySubmit(next).ThrowIfError();
            inner = next.Fence.Wait();
        }).ThrowIfError();
        engine.TrySubmit(job).ThrowIfError();
        job.Fence.Wait().ThrowIfError();
        Assert.That(inner, Is.EqualTo(Errno.Ok));
    }

    [Test]
    public void Constructor_WithPointsAndAThread_Throws()
    {
        using var rig = new CopyRig();
        Assert.That(
            () => new DeviceCopyEngine("gpu", rig.Device, rig.Faults, CopyEngineDrive.OwnThread, points: new NoPoints()),
            Throws.ArgumentException.With.Message.Contains("stepped"));
        Assert.That(() => rig.Stepped(depth: 0), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => new DeviceCopyEngine(" ", rig.Device, rig.Faults), Throws.ArgumentException);
    }

    [TestCase(1)]
    [TestCase(64)]
    public void RentSubmitWaitAndDispose_OfASteppedEngine_AllocateNothing(int pages)
    {
        using var rig = new CopyRig();
        using DeviceCopyEngine engine = rig.Stepped();
        Assert.That(Allocations.BytesOf(() => CopyOnce(rig, engine, pages, then: null)), Is.Zero);
    }

    [Test]
    public void Job_OnTheThread_AllocatesNothingThere()
    {
        using var rig = new CopyRig();
        using var engine = new DeviceCopyEngine("gpu", rig.Device, rig.Faults);
        long[] allocated = new long[2];
        int round = 0;
        Action<CopyFence> measure = _ => allocated[round] = GC.GetAllocatedBytesForCurrentThread();
        for (int count = 0; count < 64; count++)
        {
            CopyOnce(rig, engine, 64, measure); // the last of them says where counting starts
        }

        round = 1;
        for (int count = 0; count < 64; count++)
        {
            CopyOnce(rig, engine, 64, measure);
        }

        Assert.That(allocated[1] - allocated[0], Is.Zero);
    }

    private static void CopyOnce(CopyRig rig, ICopyEngine engine, int pages, Action<CopyFence>? then)
    {
        using CopyJob job = rig.Jobs.Rent();
        for (int page = 0; page < pages; page++)
        {
            job.Add(PageCopy.Of(rig.Ram((ulong)page), rig.Private((ulong)page)));
        }

        if (then is not null)
        {
            job.Fence.TryAddCallback(then).ThrowIfError();
        }

        CopyEngineContract.TrySubmit(engine, job).ThrowIfError();
        CopyEngineContract.Wait(engine, job).ThrowIfError();
    }

    private static Errno Refused(CopyRig rig, DeviceCopyEngine engine)
    {
        using CopyJob job = rig.Job(PageCopy.Clear(rig.Private(0)));
        return engine.TrySubmit(job);
    }
}
