using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.PhysRanges;
using Mm.P2pDma.Providers;
using static Mm.P2pDma.Tests.PciRig;

namespace Mm.P2pDma.Tests.Providers;

public sealed class PeerPagemapsTests
{
    [Test]
    public void FindOwner_BetweenTwoMaps_TellsTheGap()
    {
        using var rig = new PciRig();
        Add(rig, 0x20_0000, 0x40_0000);
        Add(rig, 0x20_0000, 0x80_0000);
        PeerPagemaps maps = rig.System.Pagemaps;
        Assert.That(maps.FindOwner(new PhysAddr(GpuBar.Start.Value + 0x60_0000), out PhysRange gap), Is.Null);
        Assert.That(gap, Is.EqualTo(Range(GpuBar.Start.Value + 0x60_0000, 0x20_0000)));
        Assert.That(maps.FindOwner(PhysAddr.Zero, out gap), Is.Null);
        Assert.That(gap, Is.EqualTo(Range(0, GpuBar.Start.Value + 0x40_0000)));
        Assert.That(maps.FindOwner(PhysAddr.MaxValue, out gap), Is.Null);
        Assert.That(gap.Start.Value, Is.EqualTo(GpuBar.Start.Value + 0xa0_0000));
    }

    [Test]
    public void FindOwner_InsideAMap_IsItsOwnIdentity()
    {
        using var rig = new PciRig();
        PeerPagemap map = Add(rig, 0x20_0000, 0x40_0000);
        RangeOwner? owner = rig.System.Pagemaps.FindOwner(map.Range.Start, out PhysRange extent);
        Assert.That((owner, extent), Is.EqualTo((map.Owner, map.Range)));
    }

    [Test]
    public void Sweep_DeadMap_ForgetsItAndIsAnotherVersion()
    {
        using var rig = new PciRig();
        PeerPagemap map = Add(rig, 0x20_0000, 0x40_0000);
        long before = rig.System.Pagemaps.Version;
        map.Kill();
        rig.System.Pagemaps.Sweep();
        Assert.That(rig.System.Pagemaps.Collect(), Is.Empty);
        Assert.That(rig.System.Pagemaps.Version, Is.GreaterThan(before));
    }

    [Test]
    public void PutReference_WithoutOne_IsABug()
    {
        using var rig = new PciRig();
        PeerPagemap map = Add(rig, 0x20_0000, 0x40_0000);
        Assert.That(map.PutReference, Throws.InstanceOf<MmBugException>());
    }

    [Test]
    public void TryTakeReference_Dying_IsRefusedAndDeathWaits()
    {
        using var rig = new PciRig();
        PeerPagemap map = Add(rig, 0x20_0000, 0x40_0000);
        Assert.That(map.TryTakeReference(), Is.True);
        map.Kill();
        Assert.That((map.TryTakeReference(), map.IsDead), Is.EqualTo((false, false)));
        map.PutReference();
        Assert.That(map.IsDead, Is.True);
    }

    private static PeerPagemap Add(PciRig rig, ulong size, ulong offset)
    {
        rig.System.Pools.TryAddResource(Gpu, 0, new ByteCount(size), new ByteCount(offset), out PeerPagemap? map).ThrowIfError();
        return map!;
    }
}
