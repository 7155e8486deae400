using FsCheck;
using FsCheck.Fluent;
using Mm.Core;
using Mm.Hmm.Copying;

namespace Mm.Hmm.Tests.Copying;

/// <summary>Any list, in any order: what is reported written is what its source held, whatever fails.</summary>
internal sealed class CpuCopyEngineProperties
{
    [FsCheck.NUnit.Property(MaxTest = 40)]
    public Property TrySubmit_OfAnyList_WritesEveryPageAsReckoned(uint seed)
    {
        using var rig = new CopyRig();
        var copies = new RandomCopies(rig, seed, isCpu: true);
        using CopyJob job = rig.Job([.. copies.List]);
        new CpuCopyEngine(rig.Cpu, rig.Faults).TrySubmit(job).ThrowIfError();
        return (job.Fence.Error.IsOk && copies.List.TrueForAll(copies.Arrived)).Label($"seed {seed}, {job.Count} entries");
    }

    [FsCheck.NUnit.Property(MaxTest = 40)]
    public Property TrySubmit_WithACopyThatFails_ReportsWrittenWhatArrived(uint seed)
    {
        using var rig = new CopyRig();
        var copies = new RandomCopies(rig, seed, isCpu: true);
        ulong nth = new MachineRandom(seed).NextBelow((ulong)copies.List.Count) + 1;
        rig.Faults.FailNth(CopyFaults.Page, nth);
        using CopyJob job = rig.Job([.. copies.List]);
        new CpuCopyEngine(rig.Cpu, rig.Faults).TrySubmit(job).ThrowIfError();
        bool holds = job.Fence.Error == Errno.EHWPOISON;
        for (int index = 0; index < job.Count; index++)
        {
            holds &= job.IsWritten(index) == (ulong)index + 1 < nth && (!job.IsWritten(index) || copies.Arrived(job[index]));
        }

        return holds.Label($"seed {seed}, page {nth} of {job.Count}");
    }
}
