using Mm.Core.PhysRanges;
using Mm.P2pDma.Routing;
using Mm.P2pDma.Topologies;
using static Mm.P2pDma.Tests.Routing.Machines;

namespace Mm.P2pDma.Tests.Routing;

/// <summary>What the rules say of shapes of machines that exist, reduced to what decides.</summary>
public sealed class RealMachineTests
{
    // Xeon Phi box: on socket 1 the first device is a root port that is not listed, on socket 0 device 00.0 is.
    private static P2pRouter PhiBox()
    {
        var builder = new TopologyBuilder();
        builder.AddHost(new CpuIdentity(CpuVendor.Intel, 6, 0x2d));
        builder.AddHostBridge(new HostBridge { Bus = new PciBusId(0, 0) });
        builder.AddHostBridge(new HostBridge { Bus = new PciBusId(0, 0x80) });
        builder.AddFunction(Root("00:00.0", "00", "8086:3c00", PciPortType.RootPort));
        builder.AddFunction(Root("00:02.0", "00", "8086:3c04", PciPortType.RootPort));
        builder.AddFunction(Below("05:00.0", "00:00.0", PciPortType.Endpoint));
        builder.AddFunction(Below("06:00.0", "00:02.0", PciPortType.Endpoint));
        builder.AddFunction(Root("80:02.0", "80", "8086:3c04", PciPortType.RootPort));
        builder.AddFunction(Root("80:03.0", "80", "8086:3c08", PciPortType.RootPort));
        builder.AddFunction(Below("82:00.0", "80:02.0", PciPortType.Endpoint));
        builder.AddFunction(Below("83:00.0", "80:03.0", PciPortType.Endpoint));
        return new P2pRouter(builder.Build());
    }

    [Test]
    public void PhiBox_SecondSocket_IsNotSupportedThoughTheFirstIs()
    {
        P2pRouter router = PhiBox();

        Assert.That(router.Decide(At("83:00.0"), At("82:00.0")).Kind, Is.EqualTo(P2pMapKind.NotSupported));
        Assert.That(router.Decide(At("05:00.0"), At("06:00.0")).Kind, Is.EqualTo(P2pMapKind.ThroughHostBridge));
        RouteExplanation why = router.Explain(At("83:00.0"), At("82:00.0"));
        Assert.That(why.ProviderHostBridge!.FirstDevice!.Address, Is.EqualTo(At("80:02.0")));
        Assert.That(why.ProviderHostBridge.Outcome, Is.EqualTo(HostBridgeOutcome.NotListed));
        Assert.That(why.Relation, Is.EqualTo(SmiRelation.Phb));
    }

    [Test]
    public void Dgx2_SkylakeRootPorts_CarryAcrossBridges()
    {
        var router = new P2pRouter(TwoSockets(Intel, "8086:2030", "8086:2030").Build());

        RouteExplanation why = router.Explain(At("17:00.0"), At("81:00.0"));

        Assert.That(why.Verdict.Kind, Is.EqualTo(P2pMapKind.ThroughHostBridge));
        Assert.That(why.ClientHostBridge!.Entry!.Device, Is.EqualTo(0x2030));
        Assert.That(why.Relation, Is.EqualTo(SmiRelation.Sys));
    }

    [Test]
    public void Genoa_AcrossSockets_IsCarriedByTheCpuRule()
    {
        var router = new P2pRouter(TwoSockets(new CpuIdentity(CpuVendor.Amd, 0x19, 0x11), "1022:14a4", "1022:14a4").Build());

        RouteExplanation why = router.Explain(At("17:00.0"), At("81:00.0"));

        Assert.That(why.Verdict.Kind, Is.EqualTo(P2pMapKind.ThroughHostBridge));
        Assert.That(why.CpuCarriesPeerTraffic, Is.True);
    }

    [TestCase(CpuVendor.Intel, "8086:3407", TestName = "NehalemEx_OffSwitch_IsNotSupported")]
    [TestCase(CpuVendor.Ibm, "1014:04c1", TestName = "Power9_OffSwitch_IsNotSupported")]
    [TestCase(CpuVendor.Intel, "1d0f:0200", TestName = "NitroGuest_OffSwitch_IsNotSupported")]
    public void OffSwitch_UnlistedRoot(CpuVendor vendor, string id)
    {
        var router = new P2pRouter(TwoSockets(new CpuIdentity(vendor, 6, null), id, id).Build());

        Assert.That(router.Decide(At("17:00.0"), At("18:00.0")).Kind, Is.EqualTo(P2pMapKind.NotSupported));
        Assert.That(router.Decide(At("17:00.0"), At("81:00.0")).Kind, Is.EqualTo(P2pMapKind.NotSupported));
    }

    [Test]
    public void NitroGuest_InsideASwitch_IsDirect()
    {
        var router = new P2pRouter(Switch(Intel, "1d0f:0200").Build());

        Assert.That(router.Decide(At("03:00.0"), At("04:00.0")).Kind, Is.EqualTo(P2pMapKind.BusAddress));
    }

    [Test]
    public void GppBridges_AcsWithoutRedirects_StayDirect()
    {
        Topology topology = Switch(Intel).Build();
        Assert.That(topology.TrySetAcs(At("01:00.0"), AcsControl.Of(AcsBits.SourceValidation), out _).IsOk);

        Assert.That(new P2pRouter(topology).Decide(At("03:00.0"), At("04:00.0")).Kind, Is.EqualTo(P2pMapKind.BusAddress));
    }

    [Test]
    public void HungCollectives_AcsOnEveryPort_AreDirectAfterSetpci()
    {
        Topology topology = Switch(Intel).Build();
        foreach (string port in new[] { "00:00.0", "02:00.0", "02:01.0" })
        {
            Assert.That(topology.TrySetAcs(At(port), AcsControl.Of((AcsBits)0x1d), out _).IsOk);
        }

        var router = new P2pRouter(topology);
        Assert.That(router.Decide(At("03:00.0"), At("04:00.0")).Kind, Is.EqualTo(P2pMapKind.NotSupported));
        Assert.That(
            router.Explain(At("03:00.0"), At("04:00.0")).AcsRedirects.Select(finding => (finding.Function.Address, finding.Bits)),
            Is.EqualTo(new[]
            {
                (At("02:00.0"), AcsBits.RequestRedirect | AcsBits.CompletionRedirect),
                (At("02:01.0"), AcsBits.RequestRedirect | AcsBits.CompletionRedirect),
            }));

        foreach (string port in new[] { "00:00.0", "02:00.0", "02:01.0" })
        {
            Assert.That(topology.TrySetAcs(At(port), AcsControl.Of(AcsBits.None), out _).IsOk);
        }

        Assert.That(router.Decide(At("03:00.0"), At("04:00.0")).Kind, Is.EqualTo(P2pMapKind.BusAddress));
    }
}
