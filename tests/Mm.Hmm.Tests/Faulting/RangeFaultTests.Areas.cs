using Mm.Core;
using Mm.Core.Spaces;
using Mm.Hmm.Faulting;
using Mm.Hmm.Tests.Mirrors;
using static Mm.Hmm.Tests.Mirrors.MirrorRig;

namespace Mm.Hmm.Tests.Faulting;

/// <summary>Range faults over what drivers map: see hmm_vma_walk_test and hmm_vma_handle_pte.</summary>
public sealed partial class RangeFaultTests
{
    private static readonly PhysRange Window = new(new PhysAddr(8UL << 30), ByteCount.FromMiB(1));

    [Test]
    public void BareFrames_CannotBeMirrored([Values(AreaKind.PfnMapped, AreaKind.DeviceMemory)] AreaKind kind)
    {
        using var rig = new RangeFaultRig();
        VirtRange range = MapWindow(rig, kind);
        HmmRange request = rig.Ask(range);
        Assert.That(rig.TryFault(request), Is.EqualTo(Errno.Ok));
        Assert.That(request.Pfns.ToArray(), Is.All.EqualTo(HmmPfn.Error));
        Assert.That(rig.TryFault(rig.Ask(range, HmmPfn.RequestFault)), Is.EqualTo(Errno.EFAULT));
    }

    [Test]
    public void BareFrames_BesideMemory_StopOnlyWhoAsksForThem()
    {
        using var rig = new RangeFaultRig();
        VirtRange memory = rig.Base.MapFilled(2);
        VirtRange bare = MapWindow(rig, AreaKind.DeviceMemory, new VirtAddr(memory.Start.Value - (2 * PageBytes)));
        HmmRange request = rig.Ask(new VirtRange(bare.Start, new ByteCount(4 * PageBytes)));
        request.FlagsMask = HmmPfn.RequestFault;
        request.Pfns[2] = HmmPfn.RequestFault;
        Assert.That(rig.TryFault(request), Is.EqualTo(Errno.Ok));
        Assert.That(request.Pfns.ToArray().Select(word => (word.IsError, word.IsValid)), Is.EqualTo(new[] { (true, false), (true, false), (false, true), (false, true) }));
        request = rig.Ask(new VirtRange(bare.Start, new ByteCount(4 * PageBytes)));
        request.FlagsMask = HmmPfn.RequestFault;
        request.Pfns[1] = HmmPfn.RequestFault;
        Assert.That(rig.TryFault(request), Is.EqualTo(Errno.EFAULT));
    }

    [Test]
    public void MixedArea_TellsCountedPages_AndFramesAsErrors()
    {
        using var rig = new RangeFaultRig();
        VirtRange counted = Map(rig, new DriverPages(rig.Base.Machine));
        HmmRange request = rig.Ask(counted, HmmPfn.RequestWrite);
        Assert.That(rig.TryFault(request), Is.EqualTo(Errno.Ok));
        Assert.That(request.Pfns.ToArray().Select(word => word.IsWritable), Is.All.True);

        VirtRange frames = MapWindow(rig, AreaKind.Mixed);
        Assert.That(rig.Base.Read(frames), Is.All.Zero);
        request = rig.Ask(frames);
        Assert.That(rig.TryFault(request), Is.EqualTo(Errno.Ok));
        Assert.That(request.Pfns.ToArray(), Is.All.EqualTo(HmmPfn.Error), "an entry, and no page behind it");
        Assert.That(rig.TryFault(rig.Ask(frames, HmmPfn.RequestFault)), Is.EqualTo(Errno.EFAULT));
    }

    [Test]
    public void MixedArea_Faulted_AsksItsOwner([Values] bool answers)
    {
        using var rig = new RangeFaultRig();
        var owner = new DriverPages(rig.Base.Machine) { AnswersFaults = answers };
        VirtRange range = Map(rig, owner);
        owner.Backing.Unmap();
        HmmRange request = rig.Ask(range, HmmPfn.RequestFault);
        Assert.That(rig.TryFault(request), Is.EqualTo(answers ? Errno.Ok : Errno.EFAULT));
        Assert.That(request.Pfns.ToArray().Select(word => word.IsValid), Is.All.EqualTo(answers));
    }

    private static VirtRange Map(RangeFaultRig rig, DriverPages owner, VirtAddr at = default)
    {
        var request = new AreaRequest(new ByteCount(2 * PageBytes), owner.Backing.Describe(AreaAccess.ReadWrite)) { At = at };
        rig.Space.TryMap(request, out VirtRange range).ThrowIfError();
        return range;
    }

    private static VirtRange MapWindow(RangeFaultRig rig, AreaKind kind, VirtAddr at = default)
    {
        Assert.That(rig.Base.Machine.TryAddDeviceWindow("registers", Window, out _), Is.EqualTo(Errno.Ok));
        var owner = new DriverPages(rig.Base.Machine, kind, isCounted: false) { Frame = Window.Start.Pfn };
        return Map(rig, owner, at);
    }
}
