using Mm.P2pDma.Importers;
using Mm.P2pDma.Importers.Nccl;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Tests.Importers.Nccl;

public sealed class NcclBridgesTests
{
    private const string Switch = "busid=\"0000:c5:00.0\" class=\"0x060400\" vendor=\"0x1000\" device=\"0xa096\" link_width=\"16\"";
    private const string Gpu = "class=\"0x030200\" vendor=\"0x10de\" device=\"0x20b0\"";

    [Test]
    public void Import_BridgeOncePerPort_GathersItsFunctionsUnderTheFirst()
    {
        ImportResult result = Import($"""
            <pci {Switch}><pci busid="0000:c7:00.0" {Gpu}/></pci>
            <pci {Switch}><pci busid="0000:c8:00.0" {Gpu}/></pci>
            <pci {Switch}><pci busid="0000:c9:00.0" {Gpu}/></pci>
            """);

        TopologySnapshot snapshot = result.Topology!.Snapshot;
        Assert.Multiple(() =>
        {
            Assert.That(snapshot.Functions, Has.Count.EqualTo(4));
            Assert.That(snapshot.Functions.Where(f => f.Parent is not null).Select(f => f.Parent), Is.All.EqualTo(PciAddress.Parse("0000:c5:00.0")));
            Assert.That(
                result.Notes.Select(note => note.ToString()),
                Has.One.EqualTo("f:2:2: note: the bridge 0000:c5:00.0 of line 1 is continued here: it is read as one"));
        });
    }

    [Test]
    public void Import_EndpointInTwoPartsOfOneBridge_IsRefused()
    {
        ImportResult result = Import($"""
            <pci {Switch}><pci busid="0000:c7:00.0" {Gpu}/></pci>
            <pci {Switch}><pci busid="0000:c7:00.0" {Gpu}/></pci>
            """);

        Assert.That(result.Errors[0].ToString(), Does.StartWith("f:2:").And.Contains("the address is taken: line 1 has it too"));
    }

    [TestCase("0x1000", "0x1001")]
    [TestCase("0xa096", "0xa097")]
    [TestCase("\"16\"", "\"8\"")]
    [TestCase("0x060400", "0x020700")]
    public void Import_BridgeTwiceWithOtherFacts_IsRefused(string fact, string otherFact)
    {
        string other = Switch.Replace(fact, otherFact, StringComparison.Ordinal);

        ImportResult result = Import($"<pci {Switch}/>\n<pci {other}/>");

        Assert.That(result.Errors[0].ToString(), Does.StartWith("f:2:").And.Contains("the address is taken: line 1 has it too"));
    }

    [Test]
    public void Import_BridgeBelowTwoParents_IsRefused()
    {
        ImportResult result = Import($"""
            <pci {Switch}/>
            <pci busid="0000:01:00.0" class="0x060400"><pci {Switch}/></pci>
            """);

        Assert.That(result.Errors[0].ToString(), Does.Contain("the address is taken"));
    }

    [Test]
    public void Import_BridgeInsideItself_IsRefused()
    {
        ImportResult result = Import($"<pci {Switch}><pci {Switch}/></pci>");

        Assert.That(result.Errors[0].ToString(), Does.Contain("the address is taken"));
    }

    [Test]
    public void Import_OneAddressOnTwoHosts_IsTwoBridges()
    {
        using MemoryStream stream = TestText.Utf8($"""
            <system version="2">
            <cpu numaid="0" host_hash="0xa"><pci {Switch}/></cpu>
            <cpu numaid="0" host_hash="0xb"><pci {Switch}/></cpu>
            </system>
            """);

        ImportResult result = new NcclXmlImporter().Import(stream, "f", ImportLimits.Default);

        Assert.That(result.Topology!.Snapshot.Functions.Select(f => f.Host), Is.EquivalentTo(new[] { new HostId(0), new HostId(1) }));
    }

    private static ImportResult Import(string elements)
    {
        using MemoryStream stream = TestText.Utf8($"<system version=\"1\"><cpu numaid=\"0\">{elements}</cpu></system>");
        return new MachineImporterContract(new NcclXmlImporter()).Import(stream, "f", ImportLimits.Default);
    }
}
