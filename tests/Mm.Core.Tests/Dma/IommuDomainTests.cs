using Mm.Core.Dma;
using Mm.Core.Native;
using static Mm.Core.Tests.Dma.DmaRig;

namespace Mm.Core.Tests.Dma;

public sealed class IommuDomainTests
{
    [TestCase(0x2000UL, 0x1000UL)]
    [TestCase(0UL, 1UL << 48)]
    public void Constructor_IllegalSpan_Throws(ulong first, ulong last) =>
        Assert.That(
            () => new IommuDomain("d", new DmaAddr(first), new DmaAddr(last)), Throws.InstanceOf<ArgumentOutOfRangeException>());

    [Test]
    public void TryMap_WideMask_StaysBelowFourGiBWhileThatWorks()
    {
        using var rig = new DmaRig();
        DmaDevice device = rig.Translated();
        using DmaMapping low = Map(rig, device);
        rig.Domain.Reserve(new DmaAddr(0), ByteCount.FromGiB(4));
        using DmaMapping high = Map(rig, device);
        Assert.That((low.Segments[0].Address.Value >> 32, high.Segments[0].Address.Value >> 32), Is.EqualTo((0UL, 0xffffUL)));
        low.Dispose();
        using DmaMapping next = Map(rig, device);
        Assert.That(next.Segments[0].Address.Value >> 32, Is.EqualTo(0xffff), "the device is known to reach further now");
    }

    [Test]
    public void TryMap_ReservedSpan_IsNeverUsed()
    {
        using var rig = new DmaRig();
        rig.Domain.Reserve(new DmaAddr(0x8000_0000), ByteCount.FromGiB(2));
        using DmaMapping mapping = Map(rig, rig.Translated());
        Assert.That(mapping.Segments[0].Address.Value, Is.LessThan(0x8000_0000));
    }

    [Test]
    public void TryTranslate_SharedDomain_ServesEveryDeviceOfIt()
    {
        using var rig = new DmaRig();
        DmaDevice neighbour = rig.Machine.Dma.Attach(rig.Machine.RegisterDevice("neighbour"), DmaMask.Bits64, default, rig.Domain);
        using DmaMapping mapping = Map(rig, rig.Translated());
        Assert.That(neighbour.Port.TryRead(mapping.Segments[0].Address, new byte[0x1000], out _), Is.EqualTo(Errno.Ok));
    }

    [Test]
    public void TryMap_PaddedWindow_LeavesThePaddingUnmapped()
    {
        using var rig = new DmaRig();
        DmaDevice device = rig.Translated(new DmaLimits(new ByteCount(0x4000), new ByteCount(0x4000)));
        device.TryMap(rig.List(Range(0x200_0000, 0x3000), Range(0x300_0000, 0x2000)), DmaDirection.ToDevice, out DmaMapping? mapping).ThrowIfError();
        using (mapping)
        {
            DmaAddr padding = mapping!.Segments[0].Address.AddChecked(new ByteCount(0x3000));
            Assert.That(rig.Domain.TryTranslate(padding, out _, out _), Is.False);
            Assert.That(mapping.Segments[1].Address.Value, Is.EqualTo(padding.Value + 0x1000));
        }
    }

    // 3 pages, then 2 pages that lie elsewhere: each run is told whole, from wherever it is asked, and no further than asked.
    [TestCase(0x0UL, 0x5000UL, 0x3000UL)]
    [TestCase(0x1010UL, 0x5000UL, 0x1ff0UL)]
    [TestCase(0x3000UL, 0x5000UL, 0x2000UL)]
    [TestCase(0x10UL, 0x8UL, 0xff0UL)]
    public void TryTranslateRun_OverLeavesThatGoOn_TellsOfThemAll(ulong offset, ulong most, ulong reach)
    {
        using var rig = new DmaRig();
        DmaDevice device = rig.Translated();
        device.TryMap(rig.List(Range(0x200_0000, 0x3000), Range(0x300_0000, 0x2000)), DmaDirection.ToDevice, out DmaMapping? mapping).ThrowIfError();
        using (mapping)
        {
            DmaAddr at = mapping!.Segments[0].Address.AddChecked(new ByteCount(offset));
            ulong wanted = offset < 0x3000 ? 0x200_0000 + offset : 0x300_0000 + (offset - 0x3000);
            Assert.That(rig.Domain.TryTranslateRun(at, most, IoAccess.Read, out PhysAddr target, out IoAccess allowed, out ulong found), Is.True);
            Assert.That((target.Value, allowed, found), Is.EqualTo((wanted, IoAccess.Read, reach)));
            Assert.That(rig.Domain.TryTranslateRun(at, most, IoAccess.Write, out _, out allowed, out found), Is.True, "the first leaf is told whatever it allows");
            Assert.That((allowed, found), Is.EqualTo((IoAccess.Read, 0x1000 - (offset & 0xfff))));
        }
    }

    [Test]
    public void TryTranslateRun_OfWhatIsNotMapped_IsFalse()
    {
        using var rig = new DmaRig();
        Assert.That(rig.Domain.TryTranslateRun(new DmaAddr(0x1000), 1, IoAccess.Read, out _, out _, out ulong reach), Is.False);
        Assert.That(reach, Is.Zero);
    }

    [Test]
    public void Lease_ThroughATranslation_ReachesOverItsPages()
    {
        using var rig = new DmaRig();
        DmaDevice device = rig.Translated();
        device.TryMap(rig.List(Range(0x200_0000, 0x8000)), DmaDirection.FromDevice, out DmaMapping? mapping).ThrowIfError();
        using (mapping)
        {
            device.Port.TryLease(mapping!.Segments[0].Address, new ByteCount(0x8000), IoAccess.Write, out SpanLease lease, out _).ThrowIfError();
            Assert.That(lease.Bytes.Length, Is.EqualTo(0x8000));
            lease.Dispose();
        }
    }

    private static DmaMapping Map(DmaRig rig, DmaDevice device)
    {
        device.TryMap(rig.List(Range(0x200_0000, 0x1000)), DmaDirection.Bidirectional, out DmaMapping? mapping).ThrowIfError();
        return mapping!;
    }
}
