using Mm.Core;
using Mm.Core.Frames;
using Mm.Core.Notifiers;
using Mm.Devices.Gpus.Svm;
using Mm.Devices.Gpus.Vram;
using Mm.Devices.Tests.Gpus;
using Mm.Hmm.Faulting;

namespace Mm.Devices.Tests.Seeds;

/// <summary>S3: who migrates chooses where each page goes; the kernel's allocator has no say.</summary>
[Category("Seeds")]
internal sealed class DestinationByCallerTests
{
    private const ulong Base = 0x4000_0000;
    private const int Pages = 16;

    [Test]
    public void Migration_GoesToThePagesThatTheDriverChose([Values] bool isVisible, [Values] bool isTouched)
    {
        using var rig = new SvmRig();
        byte[] bytes = new byte[Pages * GpuRig.Page];
        VirtRange array = isTouched ? rig.MapFilled((ulong)bytes.Length, out bytes, Base) : rig.Map((ulong)bytes.Length, at: Base);
        rig.Svm.TryFindOrInsert(array.Start, default, out SvmRange? range).ThrowIfError();
        AllocatorStatistics before = rig.Machine.Allocator.Statistics;

        VramPart chosen = isVisible ? VramPart.Visible : VramPart.Hidden;
        rig.Svm.TryMigrateToDevice(range!, default, [chosen]).ThrowIfError();

        AllocatorStatistics after = rig.Machine.Allocator.Statistics;
        Assert.That(after.Taken, Is.EqualTo(before.Taken), "the kernel gave no page");
        Assert.That(after.Returned.Value - before.Returned.Value, Is.EqualTo(isTouched ? Pages : 0), "what moved away is free");
        SvmMemory memory = range!.Memory!;
        Assert.That(FramesOf(rig, array), Is.EqualTo(memory.Frames), "slot for slot");
        Assert.That(memory.Runs.TrueForAll(run => rig.Gpu.Gpu.Memory.PartAt(run.First) == chosen), Is.True);
        Assert.That(rig.GpuRead(array), Is.EqualTo(bytes));
    }

    private static Pfn[] FramesOf(SvmRig rig, VirtRange array)
    {
        rig.Space.Notifiers.TryInsert(array.Start, array.Length, new Silent(), out IntervalNotifier? watch).ThrowIfError();
        using (watch)
        {
            var question = new HmmRange(watch!) { Owner = rig.Gpu.Gpu.Pages.Owner };
            question.Reset(array);
            question.Sequence = watch!.ReadBegin();
            RangeFault.TryFault(rig.Space, question).ThrowIfError();
            var frames = new Pfn[question.Pfns.Length];
            for (int index = 0; index < frames.Length; index++)
            {
                frames[index] = question.Pfns[index].Frame;
            }

            return frames;
        }
    }

    private sealed class Silent : IIntervalListener
    {
        public bool Invalidate(IntervalNotifier notifier, in NotifierRange range, NotifierSequence sequence) => true;
    }
}
