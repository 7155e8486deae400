using System.ComponentModel;
using System.Diagnostics;
using Mm.Cli.Pictures;
using Mm.Core;
using Mm.P2pDma.Topologies;

namespace Mm.Cli.Tests.Pictures;

[TestFixture]
internal sealed class TreePictureTests
{
    [Test]
    public void Tree_OfTwoHostBridges_IsLspcis()
    {
        // As lspci 3.9 draws the same machine from its hex dump.
        const string Expected = """
            -+-[0000:00]-+-00.0
             |           +-01.0-[01-04]----00.0-[02-04]--+-00.0-[03]----00.0
             |           |                               \-01.0-[04]----00.0
             |           \-02.0-[05-08]----00.0-[06-08]--+-00.0-[07]----00.0
             |                                           \-01.0-[08]----00.0
             \-[0000:80]---02.0-[81]----00.0

            """;
        Assert.That(ToolRun.Of("topo", "show", "-t", "two-switch").Output, Is.EqualTo(Expected));
    }

    // Machines without a bus 0000:00 are left out: lspci draws an empty one for them.
    [TestCase("two-switch")]
    [TestCase("mi300x")]
    public void Tree_OfAMachine_IsWhatLspciDrawsFromItsDump(string machine)
    {
        string dump = Path.GetTempFileName();
        try
        {
            File.WriteAllText(dump, ToolRun.Of("topo", "show", "--hex", machine).Output);
            using Process lspci = StartLspci(dump);
            string drawn = lspci.StandardOutput.ReadToEnd();
            lspci.WaitForExit();
            Assert.That(ToolRun.Of("topo", "show", "-t", machine).Output, Is.EqualTo(drawn));
        }
        finally
        {
            File.Delete(dump);
        }
    }

    [Test]
    public void Tree_WithDetail_NamesDevicesAndMarksWhatRedirects()
    {
        string output = ToolRun.Of("topo", "show", "-v", "two-switch").Output;
        Assert.That(output, Does.Contain("02.0-[05-08]-(ACS 0x1d)----00.0").Or.Contain("02.0-[05-08]-(ACS 0x1d)---00.0"));
        Assert.That(output, Does.Contain("10de:1db6 Tesla V100-PCIE-32GB card0 BAR0=16MiB BAR1=32GiB"));
    }

    [Test]
    public void Tree_OfABridgeWithNothingBelow_KeepsItsBus()
    {
        var builder = new TopologyBuilder();
        builder.AddHostBridge(new HostBridge { Bus = new PciBusId(0, 0) });
        builder.AddFunction(new PciFunction
        {
            Address = new PciAddress(0, 0, 1, 0),
            HostBridge = new PciBusId(0, 0),
            Class = PciClass.PciBridge,
            PortType = PciPortType.RootPort,
            BusesBelow = new PciBusRange(1, 1),
        });
        Assert.That(Draw(builder), Is.EqualTo("-[0000:00]---01.0-[01]--\n"));
    }

    [Test]
    public void Tree_OfFunctionsWithoutAHostBridge_SaysSo()
    {
        var builder = new TopologyBuilder();
        builder.AddFunction(new PciFunction { Address = new PciAddress(0, 5, 0, 0), Node = NodeId.None });
        Assert.That(Draw(builder), Is.EqualTo("-[no host bridge told]---00.0\n"));
    }

    private static Process StartLspci(string dump)
    {
        try
        {
            return Process.Start(new ProcessStartInfo("lspci", ["-F", dump, "-t"]) { RedirectStandardOutput = true, UseShellExecute = false })!;
        }
        catch (Win32Exception)
        {
            Assert.Ignore("lspci is not installed: nothing to compare with");
            throw;
        }
    }

    private static string Draw(TopologyBuilder builder)
    {
        Topology topology = builder.Build();
        using var output = new StringWriter { NewLine = "\n" };
        TreePicture.Draw(topology.Snapshot, isDetailed: false, output);
        return output.ToString();
    }
}
