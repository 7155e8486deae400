using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.Spaces;
using Mm.Devices.Gpus.Svm;
using Mm.Testing.Interleavings;

namespace Mm.Devices.Tests.Gpus.Svm;

/// <summary>A fault of the GPU against what CPUs and the process do meanwhile, in every order of their steps.</summary>
internal sealed class GpuSvmInterleavings
{
    private const ulong Base = 0x4000_0000;

    [Test]
    public void FaultAndUnmap_InEveryOrder_LeaveNoEntryOfWhatIsGone([Values] bool toDevice)
    {
        Explore(interruptions: 4, (rig, scenario) =>
        {
            VirtRange array = Fill(rig);
            Errno fault = Errno.Ok;
            _ = scenario
                .Actor("gpu", () => fault = rig.Svm.TryFault(array.Start, new SvmRequest { WantsDevice = toDevice }))
                .Actor("unmap", () => rig.Space.TryUnmap(new VirtAddr(Base + 4096), new ByteCount(4096)).ThrowIfError())
                .Finally("the GPU reaches what is there", () => fault.IsOk && Sees(rig, Base))
                .Finally("and not what is gone", () => rig.Svm.TryRead(new VirtAddr(Base + 4096), new byte[1]) == Errno.ENOENT)
                .Finally("neither half is on the GPU twice", () => IsSound(rig));
        });
    }

    [Test]
    public void MigrationAndCpuWrite_InEveryOrder_LoseNoByte()
    {
        Explore(interruptions: 4, (rig, scenario) =>
        {
            VirtRange array = Fill(rig);
            _ = scenario
                .Actor("gpu", () => rig.Svm.TryFault(array.Start, SvmRig.ToDevice).ThrowIfError())
                .Actor("cpu", () => Assert.That(rig.Space.Write(array.Start, [77]), Is.EqualTo(FaultResult.Done)))
                .Finally("both see the CPU's byte", () => Sees(rig, Base, 77))
                .Finally("and the others", () => Sees(rig, Base + 4096))
                .Finally("the books add up", () => IsSound(rig));
        });
    }

    [Test]
    public void GpuWriteAndCpuTouch_InEveryOrder_LoseNoByte()
    {
        Explore(interruptions: 4, (rig, scenario) =>
        {
            VirtRange array = Fill(rig);
            rig.Svm.TryFault(array.Start, SvmRig.OnDevice).ThrowIfError();
            _ = scenario
                .Actor("gpu", () => rig.Svm.TryWrite(array.Start, [55]).ThrowIfError())
                .Actor("cpu", () => Assert.That(rig.Space.Write(new VirtAddr(Base + 1), [66]), Is.EqualTo(FaultResult.Done)))
                .Finally("both bytes are there", () => Sees(rig, Base, 55) && Sees(rig, Base + 1, 66))
                .Finally("the books add up", () => IsSound(rig));
        });
    }

    [Test]
    public void EvictionAndCpuTouch_InEveryOrder_BringThePagesHomeOnce()
    {
        Explore(interruptions: 4, (rig, scenario) =>
        {
            VirtRange array = Fill(rig);
            rig.Svm.TryFault(array.Start, SvmRig.OnDevice).ThrowIfError();
            _ = scenario
                .Actor("evict", () => rig.Gpu.Gpu.EvictProcesses())
                .Actor("cpu", () => Assert.That(rig.Space.Write(array.Start, [77]), Is.EqualTo(FaultResult.Done)))
                .Finally("the bytes are there", () => Sees(rig, Base, 77) && Sees(rig, Base + 4096))
                .Finally("the books add up", () => IsSound(rig));
        });
    }

    private static VirtRange Fill(SvmRig rig)
    {
        VirtRange array = rig.Map(2 * 4096, at: Base);
        Assert.That(rig.Space.Write(array.Start, [1]), Is.EqualTo(FaultResult.Done));
        Assert.That(rig.Space.Write(new VirtAddr(Base + 4096), [1]), Is.EqualTo(FaultResult.Done));
        return array;
    }

    private static bool Sees(SvmRig rig, ulong at, byte value = 1)
    {
        byte[] byGpu = new byte[1];
        byte[] byCpu = new byte[1];
        rig.Svm.TryRead(new VirtAddr(at), byGpu).ThrowIfError();
        return rig.Space.Read(new VirtAddr(at), byCpu) == FaultResult.Done && byGpu[0] == value && byCpu[0] == value;
    }

    private static bool IsSound(SvmRig rig)
    {
        rig.Svm.CollectGarbage();
        rig.Gpu.Gpu.Validate();
        rig.Gpu.Spaces.Validate();
        rig.Dispose();
        return true;
    }

    private static void Explore(int interruptions, Action<SvmRig, Scenario> cast)
    {
        Exploration done = new Explorer { MaxInterruptions = interruptions }.Explore(points =>
        {
            var options = new SvmOptions { Chunks = [ByteCount.FromKiB(8), ByteCount.FromKiB(4)] };
            var rig = new SvmRig(memoryKiB: 2048, visibleKiB: 4, options, new OtherPoints(points));
            var scenario = new Scenario();
            cast(rig, scenario);
            return scenario;
        });
        done.ThrowIfFailed();
        Assert.That(done.Schedules, Is.GreaterThan(4));
    }

    // Where a mover stands with its family's gate held, which another one enters, is passed by.
    private sealed class OtherPoints(IYieldPoints points) : IYieldPoints
    {
        public void Reach(string point)
        {
            if (point is not ("entry-taken" or "invalidate" or "end" or "fork-unpinned"))
            {
                points.Reach(point);
            }
        }

        public void WaitUntil(string point, Func<bool> isReady) => points.WaitUntil(point, isReady);
    }
}
