using Mm.Core;
using Mm.P2pDma.Importers;
using Mm.P2pDma.Importers.Nccl;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Tests.Importers.Nccl;

public sealed class NcclXmlImporterTests
{
    private static readonly MachineImporterContract Importer = new(new NcclXmlImporter());

    [Test]
    public void Import_Version1_KnowsMadeUpSwitchesAndMissingClasses()
    {
        TopologySnapshot snapshot = ImportFixture("nccl-v1.xml").Topology!.Snapshot;
        Assert.That(snapshot.Omissions, Is.EqualTo(TopologyOmissions.Ports));
        Assert.That(snapshot.HostBridges, Is.Empty);
        Assert.That(snapshot.Hosts.Single().Cpu, Is.EqualTo(new CpuIdentity(CpuVendor.Amd, 0x17, 49)));
        Assert.That(snapshot.Nodes.Single().Node, Is.EqualTo(new NodeId(0)));
        PciFunction fake = Find(snapshot, "ffff:ff:01.0");
        Assert.That(fake.PortType, Is.EqualTo(PciPortType.VirtualSwitch));
        Assert.That(fake.Id, Is.Null);
        PciFunction gpu = Find(snapshot, "0003:00:00.0");
        Assert.That(gpu.Parent, Is.EqualTo(fake.Address));
        Assert.That(gpu.Id, Is.EqualTo(new PciId(0x10de, 0x20b0)));
        Assert.That(gpu.PortType, Is.EqualTo(PciPortType.Endpoint));
        Assert.That(gpu.Link.Capable, Is.EqualTo(new PciLinkState(new PciLinkSpeed(160), 16)));
        Assert.That(gpu.Acs.IsKnown, Is.False);
        Assert.That(Find(snapshot, "0000:10:1b.0").Link, Is.EqualTo(default(PciLink)));
        PciFunction plain = Find(snapshot, "0000:00:16.0");
        Assert.That(plain.Class, Is.Null);
        Assert.That(plain.PortType, Is.EqualTo(PciPortType.Unknown));
        Assert.That(plain.Node, Is.EqualTo(NodeId.None));
    }

    [Test]
    public void Import_Version2_KeepsHostsApart()
    {
        TopologySnapshot snapshot = ImportFixture("rccl-v2.xml").Topology!.Snapshot;
        Assert.That(snapshot.Hosts, Is.EqualTo(new[]
        {
            new TopologyHost(new HostId(0)) { Name = "0xaaaa", Cpu = new CpuIdentity(CpuVendor.Amd, 0x19, 1) },
            new TopologyHost(new HostId(1)) { Name = "0xbbbb", Cpu = new CpuIdentity(CpuVendor.Arm, null, null) },
        }));
        Assert.That(snapshot.Functions, Has.Count.EqualTo(5));
        Assert.That(snapshot.TryFind(new PciPlace(new HostId(1), PciAddress.Parse("0000:22:00.0")), out PciFunction? other), Is.True);
        Assert.That(other!.Id, Is.EqualTo(new PciId(0x10de, 0x2342)));
        Assert.That(Find(snapshot, "0000:22:00.0").PortType, Is.EqualTo(PciPortType.SwitchUpstream));
        Assert.That(Find(snapshot, "0000:24:00.0").Label, Is.EqualTo("GPU 0 gfx910"));
        Assert.That(Find(snapshot, "0000:34:00.0").Label, Is.EqualTo("GPU 1 sm_90"));
        Assert.That(Find(snapshot, "0000:34:00.0").Link.Capable.Width, Is.Zero);
        Assert.That(Find(snapshot, "0000:26:00.0").OsDevices, Is.EqualTo(new OsDevice[]
        {
            new("mlx5_0", OsDeviceKind.Rdma), new("eth2", OsDeviceKind.Network),
        }));
    }

    [Test]
    public void Import_Version2_KeepsLinks()
    {
        TopologySnapshot snapshot = ImportFixture("rccl-v2.xml").Topology!.Snapshot;
        PciPlace gpu = PciAddress.Parse("0000:24:00.0");
        Assert.That(snapshot.Interconnects, Is.EquivalentTo(new[]
        {
            new InterconnectLink(InterconnectKind.Xgmi, gpu) { To = PciAddress.Parse("0000:34:00.0"), Count = 4 },
            new InterconnectLink(InterconnectKind.NvLink, gpu) { ToName = "fffffff:ff:ff.0", Count = 12 },
            new InterconnectLink(InterconnectKind.C2C, gpu) { ToName = "CPU", Count = 10, Bandwidth = LinkBandwidth.FromMegabytes(447_120) },
        }));
    }

    [TestCase(143, 0x17)]
    [TestCase(175, 0x19)]
    [TestCase(191, 0x1a)]
    [TestCase(31, 0x10)]
    [TestCase(23, 23)]
    [TestCase(25, 25)]
    [TestCase(15, 15)]
    [TestCase(6, 6)]
    public void Import_FamilyId_IsUnpackedWhereItIsPacked(int familyId, int expected)
    {
        string text = $"<system version=\"2\"><cpu numaid=\"0\" arch=\"x86_64\" vendor=\"AuthenticAMD\" familyid=\"{familyId}\" modelid=\"1\"/></system>";
        ImportResult result = Importer.Import(TestText.Utf8(text), "f", ImportLimits.Default);
        Assert.That(result.Topology!.Snapshot.Hosts[0].Cpu.Family, Is.EqualTo(expected));
        Assert.That(result.Notes.Any(note => note.Text.Contains("packed", StringComparison.Ordinal)), Is.EqualTo(familyId != expected));
    }

    [Test]
    public void Import_GraphFile_IsRefusedForAStatedReason()
    {
        using FileStream stream = File.OpenRead(SharedFiles.Fixture("nccl-graph.xml"));
        ImportResult result = Importer.Import(stream, "g.xml", ImportLimits.Default);
        Assert.That(result.Errors.Single().ToString(), Does.StartWith("g.xml:1:2: a graph file of NCCL: it holds the rings and trees"));
    }

    [TestCase("<system/>", "f:1:2: the version is not known")]
    [TestCase("<system version=\"3\"/>", "f:1:9: the version is not known: found \"3\", allowed 1 or 2")]
    [TestCase("<topology version=\"2.0\"/>", "f:1:2: not a topology of NCCL")]
    [TestCase("<system version=\"1\"/>", "f:1:2: the system has no cpu")]
    public void Import_OtherFile_IsRefused(string text, string expected) => Assert.That(Refusal(text), Does.StartWith(expected));

    [TestCase("<cpu/>", "the numaid of a cpu is not a node")]
    [TestCase("<cpu numaid=\"-2\"/>", "the numaid of a cpu is not a node")]
    [TestCase("<cpu numaid=\"0\"/><cpu numaid=\"0\"/>", "node 0 of host 0 is there twice")]
    [TestCase("<cpu numaid=\"0\" affinity=\"xyz\"/>", "the affinity is not a bitmap")]
    [TestCase("<cpu numaid=\"0\" familyid=\"4096\"/>", "the familyid is not a number in its range")]
    [TestCase("<cpu numaid=\"0\"><pci/></cpu>", "the pci element has no busid")]
    [TestCase("<cpu numaid=\"0\"><pci busid=\"1\"/></cpu>", "the busid is not an address")]
    [TestCase("<cpu numaid=\"0\"><pci busid=\"0000:00:01.0\"/><pci busid=\"0000:00:01.0\"/></cpu>", "the address is taken")]
    [TestCase("<cpu numaid=\"0\"><pci busid=\"0000:00:01.0\" class=\"bridge\"/></cpu>", "the class is not a class code")]
    [TestCase("<cpu numaid=\"0\"><pci busid=\"0000:00:01.0\" vendor=\"10de\"/></cpu>", "the vendor is not an identity")]
    [TestCase("<cpu numaid=\"0\"><pci busid=\"0000:00:01.0\" link_speed=\"fast\"/></cpu>", "the link speed is not readable")]
    [TestCase("<cpu numaid=\"0\"><pci busid=\"0000:00:01.0\" link_width=\"33\"/></cpu>", "the link width is out of range")]
    [TestCase("<cpu numaid=\"0\"><pci busid=\"0000:00:01.0\" link_width=\"256\"/></cpu>", "the link width is out of range")]
    [TestCase("<cpu numaid=\"0\"><pci busid=\"0000:00:01.0\" class=\"0x030200\"><pci busid=\"0000:01:01.0\"/></pci></cpu>", "holds functions and is no bridge")]
    [TestCase("<cpu numaid=\"0\"><pci busid=\"0000:00:01.0\"><nic><net/></nic></pci></cpu>", "the network interface has no name")]
    [TestCase("<cpu numaid=\"0\"><pci busid=\"0000:00:01.0\"><gpu><nvlink/></gpu></pci></cpu>", "the nvlink element has no target")]
    [TestCase("<cpu numaid=\"0\"><pci busid=\"0000:00:01.0\"><gpu><xgmi target=\"x\"/></gpu></pci></cpu>", "the target is not an address")]
    [TestCase("<cpu numaid=\"0\"><pci busid=\"0000:00:01.0\"><gpu dev=\"a\"/></pci></cpu>", "the dev is not a number in its range")]
    public void Import_BadElement_IsRefusedWithItsPlace(string elements, string what)
    {
        string refusal = Refusal($"<system version=\"1\">{elements}</system>");
        Assert.That(refusal, Does.Contain(what));
        Assert.That(refusal, Does.Match("^f:1:[0-9]+: "));
    }

    [TestCase("<!-- c -->\n<system version=\"1\">", SniffConfidence.Likely)]
    [TestCase("<graphs version=\"1\">", SniffConfidence.Likely)]
    [TestCase("<!-- c ", SniffConfidence.Container)]
    [TestCase("<topology>", SniffConfidence.None)]
    [TestCase("{", SniffConfidence.None)]
    public void Sniff_Header_KnowsItsOwn(string header, SniffConfidence expected) =>
        Assert.That(Importer.Sniff(System.Text.Encoding.UTF8.GetBytes(header), ""), Is.EqualTo(expected));

    private static ImportResult ImportFixture(string name)
    {
        using FileStream stream = File.OpenRead(SharedFiles.Fixture(name));
        ImportResult result = Importer.Import(stream, name, ImportLimits.Default);
        Assert.That(result.Errors, Is.Empty);
        return result;
    }

    private static string Refusal(string text)
    {
        ImportResult result = Importer.Import(TestText.Utf8(text), "f", ImportLimits.Default);
        Assert.That(result.Topology, Is.Null);
        return result.Errors[0].ToString();
    }

    private static PciFunction Find(TopologySnapshot snapshot, string address)
    {
        Assert.That(snapshot.TryFind(PciAddress.Parse(address), out PciFunction? function), Is.True, address);
        return function!;
    }
}
