using System.Xml;
using System.Xml.XPath;
using Mm.P2pDma.Importers;
using Mm.P2pDma.Importers.Hwloc;
using Mm.P2pDma.Importers.Nccl;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Tests.Importers;

/// <summary>Every XML file of the real machines imports with the counts of a plain XML query, or is refused for a stated reason.</summary>
public sealed class RealXmlMachinesTests
{
    private const string Taken = "the address is taken";

    // What is refused, and why: people edited these files by hand and gave one address to two functions.
    private static readonly Dictionary<string, string> Refusals = new(StringComparer.Ordinal)
    {
        ["32em64t-2n8c2t-pci-normalio.xml"] = Taken,
        ["32em64t-2n8c2t-pci-wholeio.xml"] = Taken,
        ["azure-ncv4-graph.xml"] = "a graph file of NCCL",
        ["rccl-topo_8p1h_1.xml"] = Taken,
    };

    [Test]
    public void Import_HwlocFiles_CountsEqualAPlainQuery()
    {
        foreach (string path in SharedFiles.Machines("hwloc", "*.xml"))
        {
            TopologySnapshot? snapshot = Import(new HwlocXmlImporter(), path)?.Snapshot;
            if (snapshot is null)
            {
                continue;
            }

            XPathNavigator plain = Plain(path);
            Assert.Multiple(() =>
            {
                Assert.That(snapshot.HostBridges, Has.Count.EqualTo(Count(plain, "//object[@bridge_type='0-1']")), path);
                Assert.That(snapshot.Functions.Count(f => f.CanHaveChildren), Is.EqualTo(Count(plain, "//object[@bridge_type='1-1']")), path);
                Assert.That(snapshot.Functions.Count(f => !f.CanHaveChildren), Is.EqualTo(Count(plain, "//object[@type='PCIDev']")), path);
                Assert.That(snapshot.Nodes, Has.Count.EqualTo(Count(plain, "//object[@type='NUMANode']")), path);
                Assert.That(
                    snapshot.Functions.Sum(f => f.OsDevices.Count),
                    Is.EqualTo(Count(plain, "//object[@type='PCIDev']//object[@type='OSDev']")),
                    path);
                Assert.That(
                    snapshot.Functions.Count(f => f.Parent is not null),
                    Is.EqualTo(Count(plain, "//object[@pci_busid and ../@pci_busid]")),
                    path);
            });
        }
    }

    [Test]
    public void Import_NcclFiles_CountsEqualAPlainQuery()
    {
        foreach (string path in SharedFiles.Machines("nccl", "*.xml"))
        {
            TopologySnapshot? snapshot = Import(new NcclXmlImporter(), path)?.Snapshot;
            if (snapshot is null)
            {
                continue;
            }

            XPathNavigator plain = Plain(path);
            Assert.Multiple(() =>
            {
                // Each address of a host once, and each below what it is below: a bridge may be written once for each port.
                Assert.That(snapshot.Functions, Has.Count.EqualTo(Different(plain, "//pci")), path);
                Assert.That(
                    snapshot.Functions.Count(f => f.Class is { IsPciBridge: true }), Is.EqualTo(Different(plain, "//pci[@class='0x060400']")), path);
                Assert.That(snapshot.Functions.Count(f => f.Parent is not null), Is.EqualTo(Different(plain, "//pci/pci")), path);
                Assert.That(snapshot.Nodes, Has.Count.EqualTo(Count(plain, "//cpu")), path);
                Assert.That(snapshot.Interconnects, Has.Count.EqualTo(Count(plain, "//xgmi|//nvlink|//c2c")), path);
                Assert.That(snapshot.Functions.Sum(f => f.OsDevices.Count), Is.EqualTo(Count(plain, "//pci/nic/net")), path);
                Assert.That(snapshot.Omissions, Is.EqualTo(TopologyOmissions.Ports), path);
            });
        }
    }

    [Test]
    public void Import_Dgx2_HasItsSwitchTreesAndNvLinks()
    {
        string path = SharedFiles.Machines("hwloc", "nvidiaDGX2.xml")[0];
        TopologySnapshot snapshot = Import(new HwlocXmlImporter(), path)!.Snapshot;
        Assert.That(snapshot.HostBridges, Has.Count.EqualTo(4));
        Assert.That(snapshot.Functions.Count(f => f.Class is { Code: 0x030200 }), Is.EqualTo(16));
        Assert.That(snapshot.Hosts[0].Cpu, Is.EqualTo(new CpuIdentity(CpuVendor.Intel, 6, 85)));
        Assert.That(snapshot.Interconnects.Select(link => link.Kind), Has.All.EqualTo(InterconnectKind.NvLink));

        // Each of 16 GPUs has six links to switches, and the switches tell the same links from their end.
        Assert.That(snapshot.Interconnects, Has.Count.EqualTo(2 * 16 * 6));
        Assert.That(
            snapshot.Functions.Where(f => f.PortType == PciPortType.RootPort).Select(f => f.Id!.Value),
            Has.All.EqualTo(new PciId(0x8086, 0x2030)));
        Assert.That(
            snapshot.Functions.Select(f => f.PortType).Distinct(),
            Is.EquivalentTo(new[]
            {
                PciPortType.RootPort, PciPortType.SwitchUpstream, PciPortType.SwitchDownstream, PciPortType.Endpoint,
            }));
    }

    [Test]
    public void Import_SwitchWrittenOncePerPort_IsOneSwitchWithAllItsFunctions()
    {
        string path = SharedFiles.Machines("nccl", "rccl-topo_4p4h.xml")[0];
        TopologySnapshot snapshot = Import(new NcclXmlImporter(), path)!.Snapshot;

        Assert.Multiple(() =>
        {
            Assert.That(snapshot.Functions.Count(f => f.Parent == PciAddress.Parse("0000:c5:00.0")), Is.EqualTo(16));
            Assert.That(snapshot.Functions.Count(f => f.Parent == PciAddress.Parse("0000:e6:00.0")), Is.EqualTo(16));
        });
    }

    [Test]
    public void Import_RealFileTruncatedAnywhere_IsRefusedWithAPlace()
    {
        foreach (string path in SharedFiles.Machines("hwloc", "*.xml").Concat(SharedFiles.Machines("nccl", "*.xml")))
        {
            byte[] bytes = File.ReadAllBytes(path);
            IMachineImporter importer = Path.GetDirectoryName(path)!.EndsWith("nccl", StringComparison.Ordinal)
                ? new NcclXmlImporter()
                : new HwlocXmlImporter();
            int end = bytes.AsSpan().TrimEnd("\n"u8).Length;
            for (int part = 0; part < 50; part++)
            {
                using var stream = new MemoryStream(bytes, 0, (int)((long)end * part / 50));
                ImportResult result = new MachineImporterContract(importer).Import(stream, "f", ImportLimits.Default);
                Assert.That(result.IsImported, Is.False, $"{path} cut at {part}/50");
                Assert.That(result.Errors[0].Position.Line, Is.GreaterThan(0), $"{path} cut at {part}/50");
            }
        }
    }

    private static Topology? Import(IMachineImporter importer, string path)
    {
        using FileStream stream = File.OpenRead(path);
        string name = Path.GetFileName(path);
        Span<byte> header = new byte[4096];
        int length = stream.ReadAtLeast(header, header.Length, throwOnEndOfStream: false);
        stream.Position = 0;
        var contract = new MachineImporterContract(importer);
        Assert.That(contract.Sniff(header[..length], name), Is.GreaterThanOrEqualTo(SniffConfidence.Likely), path);
        ImportResult result = contract.Import(stream, name, ImportLimits.Default);
        string expected = Refusals.GetValueOrDefault(name, "");
        if (expected.Length > 0)
        {
            Assert.That(result.Errors[0].ToString(), Does.Match($"^{name}:[0-9]+:[0-9]+: {expected}"));
            return null;
        }

        Assert.That(result.Errors, Is.Empty, path);
        return result.Topology;
    }

    private static int Different(XPathNavigator plain, string query) => plain.Select(query).Cast<XPathNavigator>()
        .Select(pci => (pci.Evaluate("string(ancestor::cpu/@host_hash)"), pci.GetAttribute("busid", ""))).Distinct().Count();

    private static XPathNavigator Plain(string path)
    {
        using var reader = XmlReader.Create(path, new XmlReaderSettings { DtdProcessing = DtdProcessing.Ignore, XmlResolver = null });
        return new XPathDocument(reader).CreateNavigator();
    }

    private static int Count(XPathNavigator plain, string query) => plain.Select(query).Count;
}
