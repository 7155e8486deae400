using Mm.Core;
using Mm.Hmm.Copying;
using Mm.Testing.Interleavings;

namespace Mm.Hmm.Tests.Copying;

/// <summary>The engine as an actor beside those that submit, wait, and end it, in every order of their steps.</summary>
internal sealed class DeviceCopyEngineInterleavings
{
    [Test]
    public void Submit_AgainstTheEngine_IsSeenWrittenByWhoeverWaited()
    {
        var rigs = new List<CopyRig>();
        Exploration result = new Explorer { MaxInterruptions = 3 }.Explore(points =>
        {
            CopyRig rig = Fresh(rigs, points);
            DeviceCopyEngine engine = rig.Stepped(points);
            rig.Fill(rig.Ram(0), 1);
            rig.Fill(rig.Private(1), 2);
            bool sawAll = false;
            return new Scenario()
                .Actor("migrator", () =>
                {
                    using CopyJob job = rig.Job(PageCopy.Of(rig.Ram(0), rig.Private(0)), PageCopy.Of(rig.Private(1), rig.Ram(1)));
                    engine.TrySubmit(job).ThrowIfError();
                    sawAll = job.Fence.Wait().IsOk && rig.Holds(rig.Private(0), 1) && rig.Holds(rig.Ram(1), 2) && job.WrittenPages.Value == 2;
                })
                .Actor("engine", () => Drive(points, engine, jobs: 1))
                .Finally("all was written", () => sawAll);
        });
        End(rigs);
        result.ThrowIfFailed();
    }

    [Test]
    public void Dispose_AgainstSubmitAndTheEngine_LeavesNoWaiter()
    {
        var rigs = new List<CopyRig>();
        Exploration result = new Explorer { MaxInterruptions = 3 }.Explore(points =>
        {
            CopyRig rig = Fresh(rigs, points);
            DeviceCopyEngine engine = rig.Stepped(points);
            rig.Fill(rig.Private(0), 0xEE);
            rig.Fill(rig.Private(1), 0xEE);
            bool isTrue = false;
            return new Scenario()
                .Actor("migrator", () =>
                {
                    using CopyJob job = rig.Job(PageCopy.Clear(rig.Private(0)), PageCopy.Clear(rig.Private(1)));
                    if (engine.TrySubmit(job) == Errno.ENODEV)
                    {
                        isTrue = job.State == CopyJobState.Filling;
                        return;
                    }

                    Errno ended = job.Fence.Wait();
                    isTrue = ended.IsOk
                        ? job.WrittenPages.Value == 2
                        : ended == Errno.ENODEV && !job.IsWritten(1) && (!job.IsWritten(0) || rig.Holds(rig.Private(0), 0));
                })
                .Actor("engine", () =>
                {
                    _ = engine.Step();
                    _ = engine.Step();
                })
                .Actor("unplug", engine.Dispose)
                .Finally("the migrator heard the truth", () => isTrue)
                .Finally("the engine is idle", () => !engine.HasWork);
        });
        End(rigs);
        result.ThrowIfFailed();
        Assert.That(result.Schedules, Is.GreaterThan(20));
    }

    private static void Drive(Core.Checks.IYieldPoints points, DeviceCopyEngine engine, ulong jobs)
    {
        while (engine.Counters.Jobs < jobs)
        {
            points.WaitUntil("work", () => engine.HasWork);
            _ = engine.Step();
        }
    }

    private static CopyRig Fresh(List<CopyRig> rigs, Core.Checks.IYieldPoints points)
    {
        End(rigs); // of the schedule before: thousands of machines at once are too many
        var rig = new CopyRig(points);
        rigs.Add(rig);
        return rig;
    }

    private static void End(List<CopyRig> rigs)
    {
        foreach (CopyRig rig in rigs)
        {
            rig.Dispose();
        }

        rigs.Clear();
    }
}
