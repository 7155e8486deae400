using Mm.Core;
using Mm.Hmm.Copying;

namespace Mm.Hmm.Tests.Copying;

/// <summary>The contract catches each broken promise, and finds none in Mm's engines.</summary>
public sealed class CopyEngineContractTests
{
    [Test]
    public void ThrowIfBroken_OfMmsEngines_Passes()
    {
        using var rig = new CopyRig();
        using DeviceCopyEngine stepped = rig.Stepped();
        using var threaded = new DeviceCopyEngine("gpu-thread", rig.Device, rig.Faults);
        Pfn[] ram = [rig.Ram(0), rig.Ram(1), rig.Ram(2), rig.Ram(3), rig.Ram(4), rig.Ram(5)];
        Pfn[] mixed = [rig.Ram(0), rig.Private(1), rig.Private(2), rig.Ram(3), rig.Private(4), rig.Ram(5)];
        CopyEngineContract.ThrowIfBroken(new CpuCopyEngine(rig.Cpu, rig.Faults), rig.Cpu, rig.Jobs, ram);
        CopyEngineContract.ThrowIfBroken(stepped, rig.Device, rig.Jobs, mixed);
        CopyEngineContract.ThrowIfBroken(threaded, rig.Device, rig.Jobs, mixed);
    }

    [Test]
    public void ThrowIfBroken_OfAnEngineThatCopiesNothing_Throws()
    {
        using var rig = new CopyRig();
        Pfn[] pages = [rig.Ram(0), rig.Ram(1), rig.Ram(2), rig.Ram(3)];
        Assert.That(
            () => CopyEngineContract.ThrowIfBroken(new Fake(job => Report(job, Errno.Ok, Errno.Ok)), rig.Cpu, rig.Jobs, pages),
            Throws.ArgumentException.With.Message.Contains("a written page holds its source"));
    }

    [Test]
    public void TrySubmit_ToAnEngineThatTakesAndRefuses_Throws()
    {
        using var rig = new CopyRig();
        using CopyJob job = rig.Job(PageCopy.Clear(rig.Ram(0)));
        var engine = new Fake(job => Report(job, Errno.Ok, Errno.Ok)) { Answer = Errno.EAGAIN };
        Assert.That(() => CopyEngineContract.TrySubmit(engine, job), Throws.ArgumentException.With.Message.Contains("exactly when it was taken"));
    }

    [Test]
    public void TrySubmit_ToAnEngineThatForgetsTheJob_Throws()
    {
        using var rig = new CopyRig();
        using CopyJob job = rig.Job(PageCopy.Clear(rig.Ram(0)));
        Assert.That(() => CopyEngineContract.TrySubmit(new Fake(_ => { }), job), Throws.ArgumentException.With.Message.Contains("after ok"));
    }

    [Test]
    public void Wait_ForAJobWhoseErrorAndPagesDisagree_Throws()
    {
        using var rig = new CopyRig();
        using CopyJob lost = rig.Job(PageCopy.Clear(rig.Ram(0)));
        using CopyJob written = rig.Job(PageCopy.Clear(rig.Ram(0)));
        var loses = new Fake(job => Report(job, Errno.EIO, Errno.Ok));
        var complains = new Fake(job => Report(job, Errno.Ok, Errno.EIO));
        CopyEngineContract.TrySubmit(loses, lost).ThrowIfError();
        CopyEngineContract.TrySubmit(complains, written).ThrowIfError();
        Assert.That(() => CopyEngineContract.Wait(loses, lost), Throws.ArgumentException.With.Message.Contains("0 of 1"));
        Assert.That(() => CopyEngineContract.Wait(complains, written), Throws.ArgumentException.With.Message.Contains("1 of 1"));
    }

    // Pages 0 to 511 are one large page.
    private static readonly object[] Overlapping =
    [
        new object[] { "written twice", new[] { (1UL, 5UL, false), (2UL, 5UL, false) } },
        new object[] { "read and written", new[] { (1UL, 5UL, false), (5UL, 6UL, false) } },
        new object[] { "written and read", new[] { (5UL, 6UL, false), (1UL, 5UL, false) } },
        new object[] { "cleared inside a large one", new[] { (1024UL, 512UL, true), (600UL, 700UL, false) } },
        new object[] { "written inside a large source", new[] { (512UL, 1024UL, true), (1UL, 600UL, false) } },
    ];

    [TestCaseSource(nameof(Overlapping))]
    public void TrySubmit_OfAListThatOverlaps_IsRefusedByEveryEngine(string how, (ulong From, ulong To, bool IsLarge)[] entries)
    {
        using var rig = new CopyRig();
        using DeviceCopyEngine device = rig.Stepped();
        using CopyJob job = rig.Job([.. entries.Select(entry =>
            PageCopy.Of(rig.Ram(entry.From), rig.Ram(entry.To), entry.IsLarge ? PageSize.Large : PageSize.Small))]);
        foreach (ICopyEngine engine in new ICopyEngine[] { new CpuCopyEngine(rig.Cpu, rig.Faults), device })
        {
            Assert.That(() => engine.TrySubmit(job), Throws.ArgumentException.With.Message.Contains("each page once"), how);
            Assert.That(job.State, Is.EqualTo(CopyJobState.Filling), "a refused job is as it was");
        }
    }

    [Test]
    public void TrySubmit_OfOneSourceForTwo_IsTaken()
    {
        using var rig = new CopyRig();
        using CopyJob job = rig.Job(PageCopy.Of(rig.Ram(0), rig.Ram(1)), PageCopy.Of(rig.Ram(0), rig.Ram(2)));
        Assert.That(new CpuCopyEngine(rig.Cpu, rig.Faults).TrySubmit(job), Is.EqualTo(Errno.Ok));
    }

    private static void Report(CopyJob job, Errno outcome, Errno failure)
    {
        job.Begin();
        for (int index = 0; index < job.Count; index++)
        {
            job.Report(index, outcome);
        }

        job.Signal(failure);
    }

    private sealed class Fake(Action<CopyJob> work) : ICopyEngine
    {
        public Errno Answer { get; init; }

        public string Name => "fake";

        public CopyCounters Counters => default;

        public Errno TrySubmit(CopyJob job)
        {
            work(job);
            return Answer;
        }
    }
}
