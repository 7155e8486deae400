using FsCheck;
using FsCheck.Fluent;
using Mm.Core;
using Mm.Hmm.Copying;

namespace Mm.Hmm.Tests.Copying;

/// <summary>Any list between RAM and a device's own memory, stepped or by the thread, whatever fails.</summary>
internal sealed class DeviceCopyEngineProperties
{
    [FsCheck.NUnit.Property(MaxTest = 40)]
    public Property TrySubmit_OfAnyList_WritesEveryPageAsReckoned(uint seed, bool isStepped)
    {
        using var rig = new CopyRig();
        using DeviceCopyEngine engine = Engine(rig, isStepped);
        var copies = new RandomCopies(rig, seed, isCpu: false);
        using CopyJob job = rig.Job([.. copies.List]);
        engine.TrySubmit(job).ThrowIfError();
        return (job.Fence.Wait().IsOk && copies.List.TrueForAll(copies.Arrived)).Label($"seed {seed}, {job.Count} entries");
    }

    [FsCheck.NUnit.Property(MaxTest = 40)]
    public Property TrySubmit_WithACopyThatFails_ReportsWrittenWhatArrived(uint seed, bool isStepped)
    {
        using var rig = new CopyRig();
        using DeviceCopyEngine engine = Engine(rig, isStepped);
        var copies = new RandomCopies(rig, seed, isCpu: false);
        ulong nth = new MachineRandom(seed).NextBelow((ulong)copies.List.Count) + 1;
        rig.Faults.FailNth(CopyFaults.Page, nth);
        using CopyJob job = rig.Job([.. copies.List]);
        engine.TrySubmit(job).ThrowIfError();
        bool holds = job.Fence.Wait() == Errno.EIO;
        for (int index = 0; index < job.Count; index++)
        {
            holds &= job.IsWritten(index) == (ulong)index + 1 < nth && (!job.IsWritten(index) || copies.Arrived(job[index]));
        }

        return holds.Label($"seed {seed}, page {nth} of {job.Count}");
    }

    // Jobs of several threads: each fence signals once, and each page arrives.
    [FsCheck.NUnit.Property(MaxTest = 20)]
    public Property TrySubmit_FromSeveralThreads_SignalsEachJobOnce(byte threads)
    {
        using var rig = new CopyRig();
        using var engine = new DeviceCopyEngine("gpu", rig.Device, rig.Faults, depth: 2);
        int signals = 0;
        int failures = 0;
        Parallel.For(0, (threads % 4) + 1, worker =>
        {
            for (int round = 0; round < 20; round++)
            {
                using CopyJob job = rig.Job(PageCopy.Clear(rig.Private((ulong)worker)));
                job.Fence.TryAddCallback(_ => Interlocked.Increment(ref signals)).ThrowIfError();
                while (engine.TrySubmit(job) == Errno.EAGAIN)
                {
                    Thread.Yield();
                }

                Interlocked.Add(ref failures, job.Fence.Wait().IsOk ? 0 : 1);
            }
        });
        return (signals == ((threads % 4) + 1) * 20 && failures == 0).Label($"{signals} signals, {failures} failures");
    }

    private static DeviceCopyEngine Engine(CopyRig rig, bool isStepped) =>
        isStepped ? rig.Stepped() : new DeviceCopyEngine("gpu", rig.Device, rig.Faults);
}
