using Mm.Core;
using Mm.Core.PhysRanges;
using Mm.P2pDma.Routing;
using Mm.P2pDma.Topologies;
using static Mm.P2pDma.Tests.Routing.Machines;

namespace Mm.P2pDma.Tests.Routing;

public sealed class RouteExplanationTests
{
    [Test]
    public void ToString_AcsRedirectWithoutListedRoot_TellsPathBitAndRule()
    {
        Topology topology = Switch(Intel).Build();
        Assert.That(topology.TrySetAcs(At("02:01.0"), AcsControl.Of((AcsBits)0x1d), out _).IsOk);

        string text = new P2pRouter(topology).Explain(At("03:00.0"), At("04:00.0")).ToString();

        Assert.That(text, Is.EqualTo(
            """
            0000:04:00.0 -> 0000:03:00.0: not supported, 4 hops (PIX)
              ACS sends the traffic up to the root, which is not known to carry peer traffic
              path: 0000:04:00.0 ^ 0000:02:01.0 ^ 0000:01:00.0 v 0000:02:00.0 v 0000:03:00.0
              ACS redirects at 0000:02:01.0 RR+CR (control 0x001d)
              CPU Intel family 0x6 model 0x8f has no rule of its own
              pci0000:00: first device 0000:00:00.0 1b36:000c is not in the allow list
            """.ReplaceLineEndings("\n")));
    }

    [Test]
    public void Explain_UnknownAcsAndCpu_NamesBothAndEveryOutcome()
    {
        Topology topology = Switch(CpuIdentity.Unknown).Build();
        Assert.That(topology.TrySetAcs(At("02:00.0"), AcsControl.Unknown, out _).IsOk);

        RouteExplanation why = new P2pRouter(topology).Explain(At("03:00.0"), At("04:00.0"));

        Assert.That((why.Verdict.Kind, why.Verdict.IsCertain), Is.EqualTo((P2pMapKind.BusAddress, false)));
        Assert.That(why.Missing, Is.EqualTo(new[]
        {
            new MissingFact(MissingFactKind.Acs, "0000:02:00.0"),
            new MissingFact(MissingFactKind.Cpu, "host 0"),
        }));
        Assert.That(
            why.Alternatives.Select(alternative => alternative.Kind),
            Is.EqualTo(new[] { P2pMapKind.BusAddress, P2pMapKind.ThroughHostBridge, P2pMapKind.NotSupported }));
        Assert.That(why.ToString(), Does.Contain("not known: ACS control of 0000:02:00.0"));
    }

    [Test]
    public void Explain_RootBusListedInPart_DoesNotKnowTheFirstDeviceUnlessItIsDeviceZero()
    {
        HostBridge partly = new() { Bus = new PciBusId(0, 0x10), IsRootBusComplete = false };
        var builder = new TopologyBuilder();
        builder.AddHost(Intel).AddHostBridge(partly).AddHostBridge(partly with { Bus = new PciBusId(0, 0x20) });
        builder.AddFunction(Root("10:02.0", "10", "8086:2030", PciPortType.RootPort));
        builder.AddFunction(Root("10:03.0", "10", "8086:2031", PciPortType.Endpoint));
        builder.AddFunction(Root("20:00.0", "20", "8086:2030", PciPortType.RootPort));
        builder.AddFunction(Root("20:03.0", "20", "8086:2031", PciPortType.Endpoint));
        var router = new P2pRouter(builder.Build());

        RouteExplanation open = router.Explain(At("10:02.0"), At("10:03.0"));

        Assert.That(open.Missing.Single(), Is.EqualTo(new MissingFact(MissingFactKind.FirstDevice, "pci0000:10")));
        Assert.That(router.Decide(At("20:00.0"), At("20:03.0")).IsCertain, Is.True);
    }

    [TestCase(PciPortType.RootPort, HostBridgeOutcome.Listed)]
    [TestCase(PciPortType.Endpoint, HostBridgeOutcome.FirstDeviceUnsuitable)]
    [TestCase(PciPortType.Unknown, HostBridgeOutcome.FirstDeviceTypeUnknown)]
    public void Explain_FirstDeviceNotDeviceZero_MustBeARootPort(PciPortType type, HostBridgeOutcome outcome)
    {
        var builder = new TopologyBuilder();
        builder.AddHost(Intel).AddHostBridge(new HostBridge { Bus = new PciBusId(0, 0) });
        builder.AddFunction(Root("00:01.0", "00", "8086:2030", type));
        builder.AddFunction(Root("00:02.0", "00", "1af4:1110", PciPortType.Endpoint));
        builder.AddFunction(Root("00:03.0", "00", "1af4:1110", PciPortType.Endpoint));

        RouteExplanation why = new P2pRouter(builder.Build()).Explain(At("00:02.0"), At("00:03.0"));

        Assert.That(why.ProviderHostBridge!.Outcome, Is.EqualTo(outcome));
    }

    [Test]
    public void Explain_PortsLeftOut_DistanceIsALowerBoundAndDirectIsNotCertain()
    {
        var builder = new TopologyBuilder { Omissions = TopologyOmissions.Ports };
        builder.AddHost(Intel);
        builder.AddFunction(new PciFunction { Address = At("01:00.0"), PortType = PciPortType.SwitchUpstream, Acs = AcsControl.Absent });
        builder.AddFunction(Below("03:00.0", "01:00.0", PciPortType.Endpoint));
        builder.AddFunction(Below("04:00.0", "01:00.0", PciPortType.Endpoint));

        RouteExplanation why = new P2pRouter(builder.Build()).Explain(At("03:00.0"), At("04:00.0"));

        Assert.That((why.Verdict.Hops, why.Verdict.AreHopsExact, why.Verdict.IsCertain), Is.EqualTo(((int?)2, false, false)));
        Assert.That(why.Missing.Select(fact => fact.Kind), Does.Contain(MissingFactKind.Ports));
        Assert.That(why.Verdict.ToString(), Is.EqualTo("bus address (?), at least 2 hops"));
    }

    [Test]
    public void Explain_LinksOfAPath_BoundItsBandwidth()
    {
        PciLink fast = Link(4, 16);
        PciLink slow = Link(3, 8);
        Topology topology = Switch(Intel).Build();
        Set(topology, "03:00.0", fast);
        Set(topology, "04:00.0", slow);

        PathBandwidth partly = new P2pRouter(topology).Explain(At("03:00.0"), At("04:00.0")).Bandwidth!;

        Assert.That(partly.Bound, Is.EqualTo(slow.Bandwidth));
        Assert.That(partly.Bound.ToString(), Is.EqualTo("7.877 GB/s"));
        Assert.That((partly.SlowestAt!.Address, partly.IsComplete), Is.EqualTo((At("04:00.0"), true)));
    }

    [Test]
    public void Explain_UpstreamLinkFarSlowerThanItsChild_IsSuspicious()
    {
        Topology topology = Switch(new CpuIdentity(CpuVendor.Amd, 0x19, null)).Build();
        Set(topology, "03:00.0", Link(5, 16));
        Set(topology, "01:00.0", Link(1, 1));

        PathBandwidth bandwidth = new P2pRouter(topology).Explain(At("03:00.0"), At("05:00.0")).Bandwidth!;

        Assert.That(bandwidth.Suspects.Single().Address, Is.EqualTo(At("01:00.0")));
        Assert.That(bandwidth.IsComplete, Is.False);
    }

    [TestCase("03:00.0", "03:00.0", SmiRelation.Self)]
    [TestCase("03:00.0", "03:00.1", SmiRelation.Pix)]
    [TestCase("03:00.0", "04:00.0", SmiRelation.Pix)]
    [TestCase("03:00.0", "05:00.0", SmiRelation.Phb)]
    public void Relation_OneHostBridge_IsNvidiaSmis(string provider, string client, SmiRelation relation)
    {
        Assert.That(new P2pRouter(Switch(Intel).Build()).Explain(At(provider), At(client)).Relation, Is.EqualTo(relation));
    }

    [Test]
    public void Relation_NestedSwitches_IsPxb()
    {
        TopologyBuilder builder = Switch(Intel);
        builder.AddFunction(Below("06:00.0", "02:01.0", PciPortType.SwitchUpstream));
        builder.AddFunction(Below("07:00.0", "06:00.0", PciPortType.SwitchDownstream));
        builder.AddFunction(Below("08:00.0", "07:00.0", PciPortType.Endpoint));

        Assert.That(new P2pRouter(builder.Build()).Explain(At("03:00.0"), At("08:00.0")).Relation, Is.EqualTo(SmiRelation.Pxb));
    }

    private static PciLink Link(int generation, byte width)
    {
        var state = new PciLinkState(PciLinkSpeed.OfGeneration(generation), width);
        return new PciLink(state, state);
    }

    private static void Set(Topology topology, string address, PciLink link)
    {
        Assert.That(topology.Snapshot.TryFind(At(address), out PciFunction? function));
        Assert.That(topology.TryReplace(function! with { Link = link }, out _), Is.EqualTo(Errno.Ok));
    }
}
