using Mm.Core;
using Mm.P2pDma.Importers;
using Mm.P2pDma.Importers.Hwloc;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Tests.Importers.Hwloc;

public sealed class HwlocXmlImporterTests
{
    private static readonly MachineImporterContract Importer = new(new HwlocXmlImporter());

    private const string Skeleton =
        "<topology version=\"3.0\"><object type=\"Machine\" os_index=\"0\">{0}</object></topology>";

    [Test]
    public void Import_Version3_DrawsTheTree()
    {
        TopologySnapshot snapshot = ImportFixture("hwloc-v3.xml").Topology!.Snapshot;
        HostBridge bridge = snapshot.HostBridges.Single();
        Assert.That(bridge.Bus, Is.EqualTo(new PciBusId(0x10000, 0x40)));
        Assert.That(bridge.LastBus, Is.EqualTo(0x4f));
        Assert.That(bridge.Node, Is.EqualTo(new NodeId(0)));
        Assert.That(bridge.Package, Is.Zero);
        Assert.That(bridge.IsRootBusComplete, Is.False);
        PciFunction gpu = Find(snapshot, "10000:43:00.0");
        Assert.That(gpu.Parent, Is.EqualTo(PciAddress.Parse("10000:42:00.0")));
        Assert.That(gpu.HostBridge, Is.EqualTo(bridge.Bus));
        Assert.That(gpu.Id, Is.EqualTo(new PciId(0x10de, 0x20b5)));
        Assert.That(gpu.SubsystemId, Is.EqualTo(new PciId(0x10de, 0x1533)));
        Assert.That(gpu.Class, Is.EqualTo(new PciClass(0x030200)));
        Assert.That(gpu.Label, Is.EqualTo("A100"));
        Assert.That(gpu.Link.Reported, Is.EqualTo(new LinkBandwidth(31_507_692_000)));
        Assert.That(gpu.Node, Is.EqualTo(new NodeId(0)));
        Assert.That(gpu.Acs.IsKnown, Is.False);
        Assert.That(gpu.Bars, Is.Empty);
        Assert.That(Find(snapshot, "10000:40:01.1").SubsystemId, Is.Null);
        Assert.That(Find(snapshot, "10000:44:00.1").Class, Is.EqualTo(new PciClass(0x010802)));
        Assert.That(Find(snapshot, "10000:44:00.1").Link.Reported, Is.Null);
    }

    [TestCase("10000:40:00.0", PciPortType.Unknown)]
    [TestCase("10000:40:01.1", PciPortType.RootPort)]
    [TestCase("10000:41:00.0", PciPortType.SwitchUpstream)]
    [TestCase("10000:42:01.0", PciPortType.SwitchDownstream)]
    [TestCase("10000:44:00.0", PciPortType.Endpoint)]
    [TestCase("10000:40:1e.0", PciPortType.ConventionalBridge)]
    [TestCase("10000:45:03.0", PciPortType.ConventionalPci)]
    [TestCase("0001:00:00.0", PciPortType.Unknown)]
    public void Import_Version3_InfersPortTypesAndSaysSo(string address, PciPortType expected)
    {
        ImportResult result = ImportFixture("hwloc-v3.xml");
        Assert.That(Find(result.Topology!.Snapshot, address).PortType, Is.EqualTo(expected));
        Assert.That(result.Notes.Select(note => note.Text), Has.Some.Contains("inferred from the nesting"));
    }

    [Test]
    public void Import_Version3_ReadsNodesCpusAndHost()
    {
        TopologySnapshot snapshot = ImportFixture("hwloc-v3.xml").Topology!.Snapshot;
        Assert.That(snapshot.Hosts.Single().Cpu, Is.EqualTo(new CpuIdentity(CpuVendor.Amd, 25, 17)));
        Assert.That(snapshot.Hosts.Single().Name, Is.EqualTo("fixture"));
        Assert.That(snapshot.Nodes.Select(node => node.Node.Index), Is.EqualTo(new[] { 0, 8, 255 }));
        Assert.That(snapshot.Nodes.Select(node => node.HasCpus), Is.EqualTo(new bool?[] { true, true, false }));
        Assert.That(snapshot.Nodes[0].Memory, Is.EqualTo(ByteCount.FromGiB(16)));
        Assert.That(snapshot.Nodes[1].Memory, Is.Null);
        Assert.That(snapshot.Nodes[2].Device, Is.EqualTo(PciAddress.Parse("10000:43:00.0")));
        Assert.That(snapshot.Nodes[2].Package, Is.EqualTo(1));
        PciFunction bare = Find(snapshot, "0001:00:00.0");
        Assert.That(bare.HostBridge, Is.Null);
        Assert.That(bare.Node, Is.EqualTo(new NodeId(8)));
    }

    [Test]
    public void Import_OsDevices_AreNumbersIn2AndMasksIn3()
    {
        TopologySnapshot three = ImportFixture("hwloc-v3.xml").Topology!.Snapshot;
        TopologySnapshot two = ImportFixture("hwloc-v2.xml").Topology!.Snapshot;
        Assert.That(Find(three, "10000:43:00.0").OsDevices, Is.EqualTo(new OsDevice[]
        {
            new("cuda0", OsDeviceKind.CoProcessor), new("card0", OsDeviceKind.Gpu),
        }));
        Assert.That(Find(three, "10000:44:00.0").OsDevices, Is.EqualTo(new OsDevice[]
        {
            new("ib0", OsDeviceKind.Network), new("mlx5_0", OsDeviceKind.Rdma),
        }));
        Assert.That(Find(three, "10000:44:00.1").OsDevices, Is.EqualTo(new OsDevice[]
        {
            new("nvme0n1", OsDeviceKind.Block), new("dma0chan0", OsDeviceKind.DmaEngine),
            new("pmem0", OsDeviceKind.Memory), new("odd0", OsDeviceKind.Other),
        }));
        Assert.That(Find(two, "0000:03:00.0").OsDevices, Is.EqualTo(new OsDevice[]
        {
            new("nvml0", OsDeviceKind.Gpu), new("cuda0", OsDeviceKind.CoProcessor), new("eth0", OsDeviceKind.Network),
            new("mlx5_0", OsDeviceKind.Rdma), new("sda", OsDeviceKind.Block), new("dax0.0", OsDeviceKind.Memory),
            new("dma0chan0", OsDeviceKind.DmaEngine), new("odd0", OsDeviceKind.Other),
        }));
    }

    [Test]
    public void Import_NvLinkMatrix_BecomesLinksOfFunctions()
    {
        TopologySnapshot snapshot = ImportFixture("hwloc-v3.xml").Topology!.Snapshot;
        PciPlace first = PciAddress.Parse("10000:43:00.0");
        PciPlace second = PciAddress.Parse("0001:00:00.0");
        Assert.That(snapshot.Interconnects, Is.EqualTo(new[]
        {
            new InterconnectLink(InterconnectKind.NvLink, first) { To = second, Bandwidth = LinkBandwidth.FromMegabytes(50_000) },
            new InterconnectLink(InterconnectKind.NvLink, first) { ToName = "Package 1", Bandwidth = LinkBandwidth.FromMegabytes(25_000) },
            new InterconnectLink(InterconnectKind.NvLink, second) { To = first, Bandwidth = LinkBandwidth.FromMegabytes(50_000) },
        }));
    }

    [Test]
    public void Import_Version2_SaysWhatIsOdd()
    {
        ImportResult result = ImportFixture("hwloc-v2.xml");
        Assert.That(result.Topology!.Snapshot.Hosts.Single().Cpu, Is.EqualTo(new CpuIdentity(CpuVendor.Arm, null, null)));
        PciFunction gpu = Find(result.Topology!.Snapshot, "0000:03:00.0");
        Assert.That(gpu.PortType, Is.EqualTo(PciPortType.Unknown));
        Assert.That(result.Notes.Select(note => note.Text), Has.Some.Contains("is not on bus 01 right below 0000:00:01.0"));
        Assert.That(result.Notes.Select(note => note.Text), Has.Some.Contains("slower than a tenth"));
    }

    [TestCase("<topology><object type=\"Machine\"/></topology>", "f:1:2: the topology has no version, so hwloc 1 wrote it")]
    [TestCase("<topology version=\"1.0\"/>", "f:1:11: the version is not known: found \"1.0\"")]
    [TestCase("<topology version=\"4.0\"/>", "f:1:11: the version is not known")]
    [TestCase("<topology version=\"3.\"/>", "f:1:11: the version is not known")]
    [TestCase("<topology version=\"3.0\"/>", "f:1:2: the topology does not hold one machine: found \"0 objects\"")]
    [TestCase("<topology version=\"3.0\"><object type=\"Core\"/></topology>", "f:1:2: the topology does not hold one machine: found \"Core\"")]
    [TestCase("<system version=\"1\"/>", "f:1:2: not an hwloc topology")]
    [TestCase("", "f:1:1: not well-formed XML")]
    public void Import_OtherFile_IsRefused(string text, string expected) => Assert.That(Refusal(text), Does.StartWith(expected));

    [TestCase("<object/>", "the object has no type")]
    [TestCase("<object type=\"Bridge\" bridge_type=\"2-1\"/>", "the bridge's type is not known")]
    [TestCase("<object type=\"Bridge\" bridge_type=\"0-1\"/>", "the bridge has no bridge_pci")]
    [TestCase("<object type=\"Bridge\" bridge_type=\"0-1\" bridge_pci=\"0000:[05-04]\"/>", "the buses below a bridge are not a range")]
    [TestCase("<object type=\"Bridge\" bridge_type=\"0-1\" bridge_pci=\"0000:[05-104]\"/>", "the buses below a bridge are not a range")]
    [TestCase("<object type=\"Bridge\" bridge_type=\"0-1\" bridge_pci=\"123456789:[05-06]\"/>", "the buses below a bridge are not a range")]
    [TestCase("<object type=\"PCIDev\"/>", "the function has no pci_busid")]
    [TestCase("<object type=\"PCIDev\" pci_busid=\"0000:00:20.0\"/>", "the bus id is not an address")]
    [TestCase("<object type=\"PCIDev\" pci_busid=\"00:01.0\"/>", "the bus id is not an address")]
    [TestCase("<object type=\"PCIDev\" pci_busid=\"0000:00:01.0\" pci_type=\"03020 [10de:1db8] [10de:12ab] a1\"/>", "the type of a function is not readable")]
    [TestCase("<object type=\"PCIDev\" pci_busid=\"0000:00:01.0\" pci_type=\"0302 [10de1db8] [10de:12ab] a1\"/>", "the type of a function is not readable")]
    [TestCase("<object type=\"PCIDev\" pci_busid=\"0000:00:01.0\" pci_link_speed=\"nan\"/>", "the link speed is not a number")]
    [TestCase("<object type=\"PCIDev\" pci_busid=\"0000:00:01.0\" pci_link_speed=\"-1.0\"/>", "the link speed is not a number")]
    [TestCase("<object type=\"PCIDev\" pci_busid=\"0000:00:01.0\"/><object type=\"PCIDev\" pci_busid=\"0000:00:01.0\"/>", "the address is taken")]
    [TestCase("<object type=\"PCIDev\" pci_busid=\"0000:00:01.0\" pci_type=\"0302 [10de:1db8] [10de:12ab] a1\"><object type=\"PCIDev\" pci_busid=\"0000:00:02.0\"/></object>", "which is no bridge")]
    [TestCase("<object type=\"Bridge\" bridge_type=\"0-1\" bridge_pci=\"0000:[00-04]\"/><object type=\"Bridge\" bridge_type=\"0-1\" bridge_pci=\"0000:[00-04]\"/>", "the root bus is taken")]
    [TestCase("<object type=\"Bridge\" bridge_type=\"0-1\" bridge_pci=\"0000:[00-04]\"><object type=\"Bridge\" bridge_type=\"0-1\" bridge_pci=\"0001:[00-04]\"/></object>", "a host bridge is below another bridge")]
    [TestCase("<object type=\"Bridge\" bridge_type=\"1-1\" pci_busid=\"0000:00:01.0\" bridge_pci=\"0001:[01-04]\"/>", "the buses below are of another domain")]
    [TestCase("<object type=\"NUMANode\"/>", "the NUMA node has no os_index")]
    [TestCase("<object type=\"NUMANode\" os_index=\"1024\"/>", "the number of the NUMA node is out of range")]
    [TestCase("<object type=\"NUMANode\" os_index=\"0\" cpuset=\"xyz\"/>", "the cpuset is not a bitmap")]
    [TestCase("<object type=\"NUMANode\" os_index=\"0\" local_memory=\"18446744073709551616\"/>", "the local memory is not a number of bytes")]
    [TestCase("<object type=\"NUMANode\" os_index=\"0\"/><object type=\"NUMANode\" os_index=\"0\"/>", "NUMA node 0 is there twice")]
    [TestCase("<object type=\"Package\" os_index=\"-1\"/>", "the os_index is not a number")]
    [TestCase("<object type=\"Group\" nodeset=\"0x100000000\"/>", "the nodeset is not a bitmap")]
    [TestCase("<object type=\"PCIDev\" pci_busid=\"0000:00:01.0\"><object type=\"OSDev\" name=\"x\" osdev_type=\"a\"/></object>", "the type of a device is not a number")]
    [TestCase("<object type=\"Package\"><info name=\"CPUVendor\" value=\"GenuineIntel\"/><info name=\"CPUFamilyNumber\" value=\"six\"/></object>", "CPUFamilyNumber is not a number")]
    public void Import_BadObject_IsRefusedWithItsPlace(string objects, string what)
    {
        string refusal = Refusal(Skeleton.Replace("{0}", objects, StringComparison.Ordinal));
        Assert.That(refusal, Does.Contain(what));
        Assert.That(refusal, Does.Match("^f(:1:[0-9]+)?: "));
    }

    [TestCase("<distances2hetero name=\"NVLinkBandwidth\"/>", "the number of objects of a matrix")]
    [TestCase("<distances2hetero name=\"NVLinkBandwidth\" nbobjs=\"1025\"/>", "the number of objects of a matrix")]
    [TestCase("<distances2hetero name=\"NVLinkBandwidth\" nbobjs=\"2\"><indexes>PCIDev:1 PCIDev:2</indexes><u64values>1 2 3</u64values></distances2hetero>", "the matrix is not complete")]
    [TestCase("<distances2 type=\"PCIDev\" name=\"XGMIBandwidth\" nbobjs=\"2\"><indexes>1 2</indexes><u64values>0 x 0 0</u64values></distances2>", "a value of the matrix is not a number")]
    public void Import_BadMatrix_IsRefused(string matrix, string what)
    {
        string text = "<topology version=\"2.1\"><object type=\"Machine\"><object type=\"PCIDev\" gp_index=\"1\" pci_busid=\"0000:00:01.0\"/></object>" + matrix + "</topology>";
        Assert.That(Refusal(text), Does.Contain(what));
    }

    [Test]
    public void Import_ManyFaults_StopsAtTheLimitOfErrors()
    {
        string text = Skeleton.Replace("{0}", string.Concat(Enumerable.Repeat("<object type=\"PCIDev\"/>", 100)), StringComparison.Ordinal);
        ImportResult result = Importer.Import(TestText.Utf8(text), "f", ImportLimits.Default with { MaxErrors = 7 });
        Assert.That(result.Errors, Has.Count.EqualTo(7));
        Assert.That(result.Topology, Is.Null);
    }

    [TestCase("<?xml version=\"1.0\"?><!DOCTYPE topology SYSTEM \"hwloc2.dtd\"><topology version", SniffConfidence.Certain)]
    [TestCase("<!-- <system> --><topology>", SniffConfidence.Certain)]
    [TestCase("<!-- a long comment", SniffConfidence.Container)]
    [TestCase("<system version=\"1\">", SniffConfidence.None)]
    [TestCase("00:00.0 Host bridge", SniffConfidence.None)]
    [TestCase("", SniffConfidence.None)]
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
