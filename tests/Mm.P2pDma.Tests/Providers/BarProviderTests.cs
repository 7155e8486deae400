using Mm.Core;
using Mm.Core.Dma;
using Mm.Core.PhysRanges;
using Mm.P2pDma.Providers;
using Mm.P2pDma.Topologies;
using static Mm.P2pDma.Tests.PciRig;

namespace Mm.P2pDma.Tests.Providers;

public sealed class BarProviderTests
{
    [Test]
    public void Contract_EveryProvider_Holds()
    {
        using var rig = new PciRig();
        P2pProviderContract.ThrowIfBroken(rig.Provider(Gpu), rig.Id(Nic), rig.Id(Far), rig.Id(Gpu), new DeviceId(99));
        P2pProviderContract.ThrowIfBroken(rig.Provider(Nvme), rig.Id(Nic), rig.Id(Far), rig.Id(Gpu), new DeviceId(99));
    }

    [TestCase("0000:03:00.0", P2pMapKind.BusAddress)]
    [TestCase("0000:03:00.1", P2pMapKind.BusAddress)]
    [TestCase("0000:04:00.0", P2pMapKind.BusAddress)]
    [TestCase("0000:05:00.0", P2pMapKind.ThroughHostBridge)]
    public void MapKindFor_Client_IsTheRoutersVerdict(string client, P2pMapKind kind)
    {
        using var rig = new PciRig();
        Assert.That(rig.Provider(Gpu).MapKindFor(rig.Id(PciAddress.Parse(client))), Is.EqualTo(kind));
    }

    [Test]
    public void MapKindFor_NoPciDevice_IsNotSupported()
    {
        using var rig = new PciRig();
        DeviceId other = rig.Machine.RegisterDevice("platform device");
        Assert.That(rig.Provider(Gpu).MapKindFor(other), Is.EqualTo(P2pMapKind.NotSupported));
    }

    [Test] // the deliberate difference to M4
    public void MapKindFor_AcsChanged_FollowsAndTokensEnd()
    {
        using var rig = new PciRig();
        BarProvider provider = rig.Provider(Gpu);
        ValidityToken token = provider.Validity;
        Assert.That(provider.MapKindFor(rig.Id(Nic)), Is.EqualTo(P2pMapKind.BusAddress));
        rig.SetAcs(NicPort, AcsBits.RequestRedirect);
        Assert.That((provider.MapKindFor(rig.Id(Nic)), token.IsValid), Is.EqualTo((P2pMapKind.ThroughHostBridge, false)));
    }

    [Test] // M4
    public void MapKindFor_AcsChangedLikeLinux_StaysStaleUntilADistanceIsAsked()
    {
        using var rig = new PciRig(keeping: VerdictKeeping.LikeLinux);
        BarProvider provider = rig.Provider(Gpu);
        Assert.That(provider.MapKindFor(rig.Id(Nic)), Is.EqualTo(P2pMapKind.BusAddress));
        rig.SetAcs(NicPort, AcsBits.RequestRedirect);
        Assert.That(provider.MapKindFor(rig.Id(Nic)), Is.EqualTo(P2pMapKind.BusAddress), "stale, as the kernel's");
        _ = rig.System.Bars.MeasureDistance(provider.Device, [Nic]);
        Assert.That(provider.MapKindFor(rig.Id(Nic)), Is.EqualTo(P2pMapKind.ThroughHostBridge));
    }

    [Test] // L3
    public void TryUnbind_LiveMapping_EndsItAndRefusesEveryLaterOne()
    {
        using var rig = new PciRig();
        BarProvider provider = rig.Provider(Gpu);
        DmaDevice nic = rig.Attach(Nic);
        PhysRangeList list = rig.List(Range(GpuBar.Start.Value, 0x1000));
        nic.TryMap(list, DmaDirection.Bidirectional, out DmaMapping? live).ThrowIfError();
        rig.System.TryUnbind(Gpu).ThrowIfError();
        Assert.That((live!.IsValid, provider.IsLive), Is.EqualTo((false, false)));
        Assert.That(nic.TryMap(list, DmaDirection.Bidirectional, out _), Is.EqualTo(Errno.EREMOTEIO));
        Assert.That(nic.Port.TryRead(live.Segments[0].Address, new byte[1], out DmaFault fault), Is.EqualTo(Errno.EFAULT));
        Assert.That(fault.Kind, Is.EqualTo(DmaFaultKind.Stale));
        live.Dispose();
        Assert.That(rig.Provider(Gpu), Is.Not.SameAs(provider), "bound again, it is another provider");
    }

    [Test]
    public void TryUnbind_NoSuchFunction_IsENODEV()
    {
        using var rig = new PciRig();
        Assert.That(rig.System.TryUnbind(PciAddress.Parse("09:00.0")), Is.EqualTo(Errno.ENODEV));
    }

    [Test]
    public void ToBusAddress_TranslatingHost_AddsTheOffset()
    {
        using var rig = new PciRig();
        Assert.That(
            rig.Provider(Nvme).ToBusAddress(NvmeBar.Start).Value, Is.EqualTo(NvmeBar.Start.Value - (BusOffset / 16)));
    }
}
