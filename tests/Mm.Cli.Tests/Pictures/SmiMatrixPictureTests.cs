using Mm.Cli.Pictures;
using Mm.P2pDma.Routing;
using Mm.P2pDma.Topologies;

namespace Mm.Cli.Tests.Pictures;

[TestFixture]
internal sealed class SmiMatrixPictureTests
{
    private static readonly PciPlace First = Place(1);
    private static readonly PciPlace Second = Place(2);
    private static readonly PciPlace Switch = Place(3);

    [Test]
    public void Links_StraightFromGpuToGpu_AreCounted() =>
        Assert.That(FirstRow(Link(First, Second, 2)), Is.EqualTo("GPU0\t X \tNV2\tN/A\tN/A"));

    [Test]
    public void Links_ThroughASwitch_AreThoseThatBothHave() =>
        Assert.That(
            FirstRow(Link(First, Switch, 6), Link(Second, Switch, 4)), Is.EqualTo("GPU0\t X \tNV4\tN/A\tN/A"));

    [Test]
    public void Links_ToASwitchOfMadeUpName_AreCounted() =>
        Assert.That(
            FirstRow(
                new InterconnectLink(InterconnectKind.NvLink, First) { ToName = "fffffff:ff:ff.0", Count = 3 },
                new InterconnectLink(InterconnectKind.NvLink, Second) { ToName = "fffffff:ff:ff.0", Count = 3 }),
            Is.EqualTo("GPU0\t X \tNV3\tN/A\tN/A"));

    [Test]
    public void Links_ToACpu_AreNoWayToAnotherGpu() =>
        Assert.That(
            FirstRow(
                new InterconnectLink(InterconnectKind.NvLink, First) { ToName = "Package 0", Count = 3 },
                new InterconnectLink(InterconnectKind.NvLink, Second) { ToName = "Package 0", Count = 3 }),
            Is.EqualTo("GPU0\t X \tPHB\tN/A\tN/A"));

    [Test]
    public void Machine_WithoutPeers_SaysSo()
    {
        using var output = new StringWriter { NewLine = "\n" };
        SmiMatrixPicture.Draw(new P2pRouter(new TopologyBuilder().Build()), output);
        Assert.That(output.ToString(), Is.EqualTo("no GPUs and no NICs\n"));
    }

    private static string FirstRow(params InterconnectLink[] links)
    {
        TopologyBuilder builder = new TopologyBuilder()
            .AddHostBridge(new HostBridge { Bus = new PciBusId(0, 0) })
            .AddFunction(Function(First, 0x030200))
            .AddFunction(Function(Second, 0x030200))
            .AddFunction(Function(Switch, 0)); // as one switch of a real DGX-2 has it
        foreach (InterconnectLink link in links)
        {
            builder.AddInterconnect(link);
        }

        using var output = new StringWriter { NewLine = "\n" };
        SmiMatrixPicture.Draw(new P2pRouter(builder.Build()), output);
        return output.ToString().Split('\n')[1];
    }

    private static InterconnectLink Link(PciPlace from, PciPlace to, int count) =>
        new(InterconnectKind.NvLink, from) { To = to, Count = count };

    private static PciPlace Place(int device) => new(HostId.First, new PciAddress(0, 0, device, 0));

    private static PciFunction Function(PciPlace place, uint code) => new()
    {
        Address = place.Address,
        HostBridge = new PciBusId(0, 0),
        Class = new PciClass(code),
        PortType = PciPortType.Endpoint,
    };
}
