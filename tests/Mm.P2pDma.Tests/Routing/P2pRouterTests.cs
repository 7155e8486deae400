using Mm.Core;
using Mm.Core.PhysRanges;
using Mm.P2pDma.Routing;
using Mm.P2pDma.Topologies;
using static Mm.P2pDma.Tests.Routing.Machines;

namespace Mm.P2pDma.Tests.Routing;

public sealed class P2pRouterTests
{
    [TestCase("03:00.0", "03:00.0", 0)]
    [TestCase("03:00.0", "03:00.1", 2)]
    [TestCase("03:00.0", "04:00.0", 4)]
    public void Decide_OneSwitchNoAcs_IsDirectAtTheKernelsDistance(string provider, string client, int hops)
    {
        P2pVerdict verdict = new P2pRouter(Switch(Intel).Build()).Decide(At(provider), At(client));

        Assert.That((verdict.Kind, verdict.Hops, verdict.IsCertain), Is.EqualTo((P2pMapKind.BusAddress, (int?)hops, true)));
    }

    [TestCase(AcsBits.RequestRedirect)]
    [TestCase(AcsBits.CompletionRedirect)]
    [TestCase(AcsBits.EgressControl)]
    public void Decide_AcsOnADownstreamPort_GoesThroughTheHostBridgeAtTheSameDistance(AcsBits bit)
    {
        Topology topology = Switch(Intel, "8086:09a2").Build();
        var router = new P2pRouter(topology);
        Assert.That(router.Decide(At("03:00.0"), At("04:00.0")).Kind, Is.EqualTo(P2pMapKind.BusAddress));

        Assert.That(topology.TrySetAcs(At("02:01.0"), AcsControl.Of(bit), out _), Is.EqualTo(Errno.Ok));

        P2pVerdict verdict = router.Decide(At("03:00.0"), At("04:00.0"));
        Assert.That((verdict.Kind, verdict.Hops), Is.EqualTo((P2pMapKind.ThroughHostBridge, (int?)4)));
    }

    [TestCase(AcsBits.SourceValidation)]
    [TestCase(AcsBits.TranslationBlocking)]
    [TestCase(AcsBits.UpstreamForwarding)]
    [TestCase(AcsBits.DirectTranslated)]
    public void Decide_OtherAcsBits_StayDirect(AcsBits bit)
    {
        Topology topology = Switch(Intel).Build();
        Assert.That(topology.TrySetAcs(At("02:01.0"), AcsControl.Of(bit), out _), Is.EqualTo(Errno.Ok));

        Assert.That(new P2pRouter(topology).Decide(At("03:00.0"), At("04:00.0")).Kind, Is.EqualTo(P2pMapKind.BusAddress));
    }

    [TestCase("03:00.0", true, TestName = "Decide_AcsOnTheProvider_Redirects")]
    [TestCase("02:00.0", true, TestName = "Decide_AcsOnTheProvidersPort_Redirects")]
    [TestCase("01:00.0", true, TestName = "Decide_AcsOnTheCommonBridge_Redirects")]
    [TestCase("02:01.0", true, TestName = "Decide_AcsOnTheClientsPort_Redirects")]
    [TestCase("04:00.0", true, TestName = "Decide_AcsOnTheClient_Redirects")]
    [TestCase("00:00.0", false, TestName = "Decide_AcsAboveTheCommonBridge_IsNotAsked")]
    public void Decide_AcsAt(string where, bool redirects)
    {
        Topology topology = Switch(Intel).Build();
        Assert.That(topology.TrySetAcs(At(where), AcsControl.Of(AcsBits.RequestRedirect), out _), Is.EqualTo(Errno.Ok));

        P2pMapKind kind = new P2pRouter(topology).Decide(At("03:00.0"), At("04:00.0")).Kind;

        Assert.That(kind, Is.EqualTo(redirects ? P2pMapKind.NotSupported : P2pMapKind.BusAddress));
    }

    [Test]
    public void Decide_SameFunctionWithItsOwnRedirect_IsNotDirect()
    {
        Topology topology = Switch(Intel, "8086:3c00").Build();
        Assert.That(topology.TrySetAcs(At("03:00.0"), AcsControl.Of(AcsBits.CompletionRedirect), out _), Is.EqualTo(Errno.Ok));

        P2pVerdict verdict = new P2pRouter(topology).Decide(At("03:00.0"), At("03:00.0"));

        Assert.That((verdict.Kind, verdict.Hops), Is.EqualTo((P2pMapKind.ThroughHostBridge, (int?)0)));
    }

    [Test]
    public void Decide_TwoBridgesThatNeedToBeOne_IsNotSupportedButWithinOneIs()
    {
        var router = new P2pRouter(TwoSockets(Intel, "8086:3c00", "8086:3c00").Build());

        Assert.That(router.Decide(At("17:00.0"), At("81:00.0")).Kind, Is.EqualTo(P2pMapKind.NotSupported));
        Assert.That(router.Decide(At("17:00.0"), At("18:00.0")).Kind, Is.EqualTo(P2pMapKind.ThroughHostBridge));
        Assert.That(
            router.Explain(At("17:00.0"), At("81:00.0")).ProviderHostBridge!.Outcome,
            Is.EqualTo(HostBridgeOutcome.NeedsSameBridge));
    }

    [TestCase("8086:2030", "8086:2030", true)]
    [TestCase("8086:09a2", "8086:2020", true)]
    [TestCase("8086:2030", "8086:3c00", false)]
    [TestCase("8086:2030", "8086:2034", false)]
    [TestCase("1022:1480", "1022:1480", false)]
    public void Decide_AcrossBridges_BothMustBeListed(string one, string other, bool isAllowed)
    {
        var router = new P2pRouter(TwoSockets(Intel, one, other).Build());

        P2pMapKind expected = isAllowed ? P2pMapKind.ThroughHostBridge : P2pMapKind.NotSupported;
        Assert.That(router.Decide(At("17:00.0"), At("81:00.0")).Kind, Is.EqualTo(expected));
        Assert.That(router.Decide(At("81:00.0"), At("17:00.0")).Kind, Is.EqualTo(expected));
    }

    [TestCase(CpuVendor.Amd, 0x16, false)]
    [TestCase(CpuVendor.Amd, 0x17, true)]
    [TestCase(CpuVendor.Amd, 0x1a, true)]
    [TestCase(CpuVendor.Hygon, 0x18, false)]
    [TestCase(CpuVendor.Intel, 0x17, false)]
    [TestCase(CpuVendor.Ibm, 0, false)]
    public void Decide_CpuRule_IsAmdFromZenOn(CpuVendor vendor, int family, bool isAllowed)
    {
        var router = new P2pRouter(TwoSockets(new CpuIdentity(vendor, family, null), "1b36:000c", "1b36:000c").Build());

        Assert.That(router.Decide(At("17:00.0"), At("81:00.0")).IsSupported, Is.EqualTo(isAllowed));
    }

    [Test]
    public void Decide_DifferentHosts_IsNotSupportedAndHasNoDistance()
    {
        var builder = new TopologyBuilder();
        var other = new HostId(1);
        builder.AddHost(new TopologyHost(HostId.First)).AddHost(new TopologyHost(other));
        builder.AddHostBridge(new HostBridge { Bus = default }).AddHostBridge(new HostBridge { Host = other, Bus = default });
        builder.AddFunction(Root("00:01.0", "00", "8086:2030", PciPortType.Endpoint));
        builder.AddFunction(Root("00:01.0", "00", "8086:2030", PciPortType.Endpoint) with { Host = other });
        var router = new P2pRouter(builder.Build());
        var far = new PciPlace(other, At("00:01.0"));

        P2pVerdict verdict = router.Decide(At("00:01.0"), far);

        Assert.That((verdict.Kind, verdict.Hops), Is.EqualTo((P2pMapKind.NotSupported, (int?)null)));
        Assert.That(router.Explain(At("00:01.0"), far).Reason, Is.EqualTo(P2pReason.DifferentHosts));
    }

    [Test]
    public void Decide_NoSuchFunction_IsTheCallersMistake()
    {
        var router = new P2pRouter(Switch(Intel).Build());

        Assert.That(() => router.Decide(At("77:00.0"), At("03:00.0")), Throws.ArgumentException.With.Message.Contains("0000:77:00.0"));
    }

    [Test]
    public void DistanceMany_SumsOverClients_AndNamesTheFirstRefused()
    {
        var router = new P2pRouter(Switch(Intel).Build());

        Assert.That(router.DistanceMany(At("03:00.0"), At("03:00.1"), At("04:00.0"), At("04:00.0")).Total, Is.EqualTo(10));
        P2pDistance refused = router.DistanceMany(At("03:00.0"), At("04:00.0"), At("05:00.0"));
        Assert.That((refused.IsSupported, refused.FirstRefused), Is.EqualTo((false, (PciPlace?)At("05:00.0"))));
        Assert.That(refused.ToString(), Is.EqualTo("-1"));
    }

    [Test]
    public void DistanceMany_NoClientOrOneThatIsNoPciDevice_IsNotSupported()
    {
        var router = new P2pRouter(Switch(Intel).Build());

        Assert.That(router.DistanceMany(At("03:00.0")).IsSupported, Is.False);
        Assert.That(router.DistanceMany(At("03:00.0"), At("7f:00.0")).FirstRefused, Is.EqualTo((PciPlace?)At("7f:00.0")));
    }

    [Test]
    public void FindAcsRemedy_TwoBridges_PrintsTheLinesThatClearOnlyTheseBits()
    {
        Topology topology = Switch(Intel).Build();
        Assert.That(topology.TrySetAcs(At("02:00.0"), AcsControl.Of((AcsBits)0x1d), out _), Is.EqualTo(Errno.Ok));
        Assert.That(topology.TrySetAcs(At("04:00.0"), AcsControl.Of((AcsBits)0x65), out _), Is.EqualTo(Errno.Ok));
        var router = new P2pRouter(topology);

        AcsRemedy remedy = router.FindAcsRemedy(At("03:00.0"), At("04:00.0"), At("03:00.1"));

        Assert.That(remedy.ToSetPciLines(), Is.EqualTo(new[]
        {
            "setpci -s 0000:02:00.0 ECAP_ACS+6.w=0011",
            "setpci -s 0000:04:00.0 ECAP_ACS+6.w=0041",
        }));
        Assert.That(router.WhatIf(remedy).Decide(At("03:00.0"), At("04:00.0")).Kind, Is.EqualTo(P2pMapKind.BusAddress));
        Assert.That(router.Decide(At("03:00.0"), At("04:00.0")).Kind, Is.EqualTo(P2pMapKind.NotSupported), "what-if edits nothing");
    }

    [Test]
    public void FindAcsRemedy_NoCommonBridge_IsImpossible()
    {
        AcsRemedy remedy = new P2pRouter(Switch(Intel).Build()).FindAcsRemedy(At("03:00.0"), At("05:00.0"));

        Assert.That((remedy.IsPossible, remedy.ToSetPciLines().Count), Is.EqualTo((false, 0)));
    }

    [Test]
    public void FindAcsRemedy_UnknownAcs_ClearsByMask()
    {
        Topology topology = Switch(Intel).Build();
        Assert.That(topology.TrySetAcs(At("02:00.0"), AcsControl.Unknown, out _), Is.EqualTo(Errno.Ok));

        AcsRemedy remedy = new P2pRouter(topology).FindAcsRemedy(At("03:00.0"), At("04:00.0"));

        Assert.That(remedy.ToSetPciLines(), Is.EqualTo(new[] { "setpci -s 0000:02:00.0 ECAP_ACS+6.w=0000:002c" }));
        Assert.That(remedy.IsNeedless, Is.False);
    }

    [Test]
    public void FindAcsRemedy_NoClient_IsTheCallersMistake()
    {
        var router = new P2pRouter(Switch(Intel).Build());

        Assert.That(() => router.FindAcsRemedy(At("03:00.0")), Throws.ArgumentException);
    }
}
