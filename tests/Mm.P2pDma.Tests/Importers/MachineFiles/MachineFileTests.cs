using Mm.Core;
using Mm.P2pDma.Importers;
using Mm.P2pDma.Importers.Hwloc;
using Mm.P2pDma.Importers.MachineFiles;
using Mm.P2pDma.Importers.Nccl;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Tests.Importers.MachineFiles;

public sealed class MachineFileTests
{
    private static readonly MachineImporterContract Importer = new(new MachineFileImporter());

    private const string Small = """
        {
          "format": "mm-machine",
          "version": 1,
          "hosts": [
            {
              "host": 0,
              "cpu": {
                "vendor": "amd",
                "family": 25
              }
            }
          ],
          "hostBridges": [
            {
              "bus": "0000:40",
              "node": 1,
              "rootBusComplete": true
            }
          ],
          "functions": [
            {
              "address": "0000:40:01.1",
              "hostBridge": "0000:40",
              "class": "060400",
              "port": "root-port",
              "acs": "0x001d",
              "buses": "41-41"
            },
            {
              "address": "0000:41:00.0",
              "parent": "0000:40:01.1",
              "id": "144d:a80a",
              "acs": "absent",
              "link": {
                "capable": "16 GT/s x4",
                "current": "2.5 GT/s x4"
              },
              "bars": [
                {
                  "index": 0,
                  "address": "0x38000000000",
                  "size": "16 KiB",
                  "flags": [
                    "memory",
                    "64-bit"
                  ]
                }
              ],
              "devices": [
                {
                  "name": "nvme0n1",
                  "kind": "block"
                }
              ]
            }
          ]
        }

        """;

    [Test]
    public void Write_SmallMachine_IsStableText()
    {
        var bus = new PciBusId(0, 0x40);
        Topology topology = new TopologyBuilder()
            .AddHost(new CpuIdentity(CpuVendor.Amd, 25, null))
            .AddHostBridge(new HostBridge { Bus = bus, Node = new NodeId(1) })
            .AddFunction(new PciFunction
            {
                Address = PciAddress.Parse("0000:40:01.1"),
                HostBridge = bus,
                Class = PciClass.PciBridge,
                PortType = PciPortType.RootPort,
                Acs = AcsControl.Of((AcsBits)0x1d),
                BusesBelow = new PciBusRange(0x41, 0x41),
            })
            .AddFunction(new PciFunction
            {
                Address = PciAddress.Parse("0000:41:00.0"),
                Parent = PciAddress.Parse("0000:40:01.1"),
                Id = new PciId(0x144d, 0xa80a),
                Acs = AcsControl.Absent,
                Link = new PciLink(new PciLinkState(new PciLinkSpeed(160), 4), new PciLinkState(new PciLinkSpeed(25), 4)),
                Bars = [new PciBar(0, new PhysAddr(0x38000000000), ByteCount.FromKiB(16), PciBarFlags.Memory | PciBarFlags.Is64Bit)],
                OsDevices = [new OsDevice("nvme0n1", OsDeviceKind.Block)],
            })
            .Build();
        Assert.That(MachineFile.Write(topology.Snapshot), Is.EqualTo(Small));
    }

    [Test]
    public void Write_ValueWithoutAWord_Throws()
    {
        Topology topology = new TopologyBuilder().AddFunction(new PciFunction { Address = default, PortType = (PciPortType)99 }).Build();
        Assert.That(() => MachineFile.Write(topology.Snapshot), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void Read_RealFiles_WriteAndReadAgain()
    {
        foreach (string path in SharedFiles.Machines("hwloc", "*.xml").Concat(SharedFiles.Machines("nccl", "*.xml")))
        {
            using FileStream stream = File.OpenRead(path);
            IMachineImporter importer = path.Contains("nccl", StringComparison.Ordinal) ? new NcclXmlImporter() : new HwlocXmlImporter();
            if (importer.Import(stream, path, ImportLimits.Default).Topology is not { } topology)
            {
                continue;
            }

            ImportResult again = MachineFile.Read(TestText.Utf8(MachineFile.Write(topology.Snapshot)), "f", ImportLimits.Default);
            Assert.That(again.Errors, Is.Empty, path);
            TopologyAssert.AreEqual(again.Topology!.Snapshot, topology.Snapshot);
        }
    }

    [TestCase("", "f:1:1: not well-formed JSON")]
    [TestCase("[]", "f:1:1: the value is not an object: found \"[…]\", allowed { … }")]
    [TestCase("{}", "f:1:1: the file is not a machine file of Mm: allowed \"format\": \"mm-machine\"")]
    [TestCase("{\"format\": \"x\"}", "f:1:1: the file is not a machine file of Mm: found \"x\"")]
    [TestCase("{\"format\": 1}", "f:1:12: format has a wrong type: found \"1\", allowed a string")]
    [TestCase("{\"format\": \"mm-machine\"}", "f:1:1: the object has no version: allowed \"version\": 1")]
    [TestCase("{\"format\": \"mm-machine\", \"version\": 2}", "f:1:37: version is out of range: found \"2\", allowed a whole number from 1 to 1")]
    [TestCase("{\"format\": \"mm-machine\",\n  \"format\": 1}", "f:2:3: the member is there twice: found \"format\"")]
    [TestCase("{\"format\": \"mm-machine\", }", "f:1:26: not well-formed JSON")]
    [TestCase("{\"format\": \"mm-machine\"} {", "f:1:26: not well-formed JSON")]
    [TestCase("{\"format\": \"\\ud800\"}", "f:1:12: ")]
    [TestCase("// c\n{}", "f:1:1: not well-formed JSON")]
    public void Read_OtherFile_IsRefusedWithItsPlace(string text, string expected) => Assert.That(Refusal(text), Does.StartWith(expected));

    [TestCase("\"x\": 1", "the member is not known: found \"x\", allowed format, version, omissions, hosts")]
    [TestCase("\"functions\": {}", "functions has a wrong type: found \"{…}\", allowed [ … ]")]
    [TestCase("\"functions\": [1]", "the value is not an object: found \"1\"")]
    [TestCase("\"functions\": [{}]", "the object has no address")]
    [TestCase("\"functions\": [{\"address\": \"0000:00:32.0\"}]", "address is not readable")]
    [TestCase("\"functions\": [{\"address\": \"0000:00:01.0\", \"bar\": []}]", "the member is not known: found \"bar\"")]
    [TestCase("\"functions\": [{\"address\": \"0000:00:01.0\"}, {\"address\": \"0000:00:01.0\"}]", "the address is taken")]
    [TestCase("\"functions\": [{\"address\": \"0000:00:01.0\", \"parent\": \"0000:00:02.0\"}]", "which does not exist")]
    [TestCase("\"functions\": [{\"address\": \"0000:00:01.0\", \"parent\": \"0000:00:01.0\"}]", "is an ancestor of itself")]
    [TestCase("\"functions\": [{\"address\": \"0000:00:01.0\", \"hostBridge\": \"0000:00\"}]", "which does not exist")]
    [TestCase("\"functions\": [{\"address\": \"0000:00:01.0\", \"class\": \"6040\"}, {\"address\": \"0000:00:02.0\", \"class\": \"x\"}]", "class is not readable")]
    [TestCase("\"functions\": [{\"address\": \"0000:00:01.0\", \"port\": \"root\"}]", "port is not readable: found \"root\", allowed unknown, endpoint")]
    [TestCase("\"functions\": [{\"address\": \"0000:00:01.0\", \"acs\": \"0x10000\"}]", "acs is not readable")]
    [TestCase("\"functions\": [{\"address\": \"0000:00:01.0\", \"acs\": null}]", "acs has a wrong type: found \"null\"")]
    [TestCase("\"functions\": [{\"address\": \"0000:00:01.0\", \"node\": 1024}]", "node is out of range")]
    [TestCase("\"functions\": [{\"address\": \"0000:00:01.0\", \"node\": 1.0}]", "node is out of range")]
    [TestCase("\"functions\": [{\"address\": \"0000:00:01.0\", \"node\": -1}]", "node is out of range")]
    [TestCase("\"functions\": [{\"address\": \"0000:00:01.0\", \"host\": 1}]", "names host 1, which does not exist")]
    [TestCase("\"functions\": [{\"address\": \"0000:00:01.0\", \"iommuGroup\": 2147483648}]", "iommuGroup is out of range")]
    [TestCase("\"functions\": [{\"address\": \"0000:00:01.0\", \"buses\": \"1\"}]", "buses is not readable")]
    [TestCase("\"functions\": [{\"address\": \"0000:00:01.0\", \"link\": {\"capable\": \"16\"}}]", "capable is not readable")]
    [TestCase("\"functions\": [{\"address\": \"0000:00:01.0\", \"link\": {\"reported\": 1e3}}]", "reported is out of range")]
    [TestCase("\"functions\": [{\"address\": \"0000:00:01.0\", \"bars\": [{}]}]", "the object has no index")]
    [TestCase("\"functions\": [{\"address\": \"0000:00:01.0\", \"bars\": [{\"index\": 7}]}]", "index is out of range")]
    [TestCase("\"functions\": [{\"address\": \"0000:00:01.0\", \"bars\": [{\"index\": 0}, {\"index\": 0}]}]", "has BAR 0 twice")]
    [TestCase("\"functions\": [{\"address\": \"0000:00:01.0\", \"bars\": [{\"index\": 0, \"size\": \"16M\"}]}]", "size is not readable")]
    [TestCase("\"functions\": [{\"address\": \"0000:00:01.0\", \"bars\": [{\"index\": 0, \"address\": \"0xffffffffffffffff\", \"size\": \"2 B\"}]}]", "the BAR passes the top")]
    [TestCase("\"functions\": [{\"address\": \"0000:00:01.0\", \"bars\": [{\"index\": 0, \"flags\": [\"dma\"]}]}]", "flags has an unknown word: found \"dma\"")]
    [TestCase("\"functions\": [{\"address\": \"0000:00:01.0\", \"devices\": [{\"name\": \"x\"}]}]", "the object has no kind")]
    [TestCase("\"functions\": [{\"address\": \"0000:00:01.0\", \"devices\": [{\"kind\": \"rdma\"}]}]", "the object has no name")]
    [TestCase("\"hostBridges\": [{}]", "the object has no bus")]
    [TestCase("\"hostBridges\": [{\"bus\": \"0000:40\"}, {\"bus\": \"0000:40\"}]", "the root bus is taken")]
    [TestCase("\"hostBridges\": [{\"bus\": \"0000:40\", \"rootBusComplete\": 1}]", "rootBusComplete is not a flag")]
    [TestCase("\"hostBridges\": [{\"bus\": \"0000:40\", \"lastBus\": \"100\"}]", "lastBus is not readable")]
    [TestCase("\"hosts\": [{\"cpu\": {}}]", "the object has no vendor")]
    [TestCase("\"hosts\": [{}]", "the object has no host")]
    [TestCase("\"hosts\": [{\"host\": 65536}]", "host is out of range")]
    [TestCase("\"hosts\": [{\"host\": 0}, {\"host\": 0}]", "host 0 is there twice")]
    [TestCase("\"nodes\": [{\"node\": 0, \"memory\": \"16777216 TiB\"}]", "memory is not readable")]
    [TestCase("\"interconnects\": [{\"kind\": \"nvlink\"}]", "the object has no from")]
    [TestCase("\"interconnects\": [{\"from\": \"0000:00:01.0\"}]", "the object has no kind")]
    [TestCase("\"omissions\": [\"gpus\"]", "omissions has an unknown word")]
    public void Read_BadMember_IsRefused(string member, string expected)
    {
        string refusal = Refusal($"{{\"format\": \"mm-machine\", \"version\": 1,\n{member}}}");
        Assert.That(refusal, Does.Match("^f(:[12]:[0-9]+)?: "));
        Assert.That(refusal, Does.Contain(expected));
    }

    [Test]
    public void Read_DeepNesting_IsRefused() =>
        Assert.That(Refusal("{\"format\":" + new string('[', 100_000)), Does.StartWith("f:1:").And.Contain("not well-formed JSON"));

    [Test]
    public void Read_TooManyValues_IsRefused()
    {
        ImportResult result = Importer.Import(
            TestText.Utf8("{\"format\": [1, 2, 3, 4]}"), "f", ImportLimits.Default with { MaxElements = 5 });
        Assert.That(result.Errors.Single().What, Is.EqualTo("the file has too many values"));
    }

    [TestCase("{\n  \"format\": \"mm-machine\",", SniffConfidence.Certain)]
    [TestCase("\uFEFF {\"version\": 1, \"format\": \"mm-machine\"", SniffConfidence.Certain)]
    [TestCase("{\"a\": 1}", SniffConfidence.Container)]
    [TestCase("[]", SniffConfidence.None)]
    [TestCase("", SniffConfidence.None)]
    public void Sniff_Header_KnowsItsOwn(string header, SniffConfidence expected) =>
        Assert.That(Importer.Sniff(System.Text.Encoding.UTF8.GetBytes(header), ""), Is.EqualTo(expected));

    private static string Refusal(string text)
    {
        ImportResult result = Importer.Import(TestText.Utf8(text), "f", ImportLimits.Default);
        Assert.That(result.Topology, Is.Null);
        return result.Errors[0].ToString();
    }
}
