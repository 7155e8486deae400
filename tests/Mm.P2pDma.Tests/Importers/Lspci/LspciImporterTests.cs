using Mm.Core;
using Mm.Core.PhysRanges;
using Mm.P2pDma.Importers;
using Mm.P2pDma.Importers.Lspci;
using Mm.P2pDma.Routing;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Tests.Importers.Lspci;

public sealed class LspciImporterTests
{
    private static string Sample => File.ReadAllText(SharedFiles.Fixture("lspci-acs.txt"));

    private static ImportResult Import(string text) =>
        new MachineImporterContract(new LspciImporter()).Import(TestText.Utf8(text), "box.txt", ImportLimits.Default);

    private static TopologySnapshot Machine(string text)
    {
        ImportResult result = Import(text);
        Assert.That(result.Errors, Is.Empty);
        return result.Topology!.Snapshot;
    }

    private static PciFunction Function(TopologySnapshot snapshot, string address) =>
        snapshot.TryFind(PciAddress.Parse(address), out PciFunction? function) ? function : throw new AssertionException($"no {address}");

    private static string Refusal(string text)
    {
        ImportResult result = Import(text);
        Assert.That(result.IsImported, Is.False);
        return result.Errors[0].ToString();
    }

    [Test]
    public void Import_Sample_RebuildsTheTreeFromBusNumbers()
    {
        TopologySnapshot snapshot = Machine(Sample);

        string[] tree = [.. snapshot.Functions.Select(f => $"{f.Address} < {f.Parent?.ToString() ?? f.HostBridge.ToString()} {f.PortType}")];
        Assert.That(tree, Is.EqualTo(new[]
        {
            "0000:00:00.0 < 0000:00 ConventionalPci",
            "0000:00:01.1 < 0000:00 RootPort",
            "0000:01:00.0 < 0000:00:01.1 SwitchUpstream",
            "0000:02:00.0 < 0000:01:00.0 SwitchDownstream",
            "0000:02:01.0 < 0000:01:00.0 SwitchDownstream",
            "0000:03:00.0 < 0000:02:00.0 Endpoint",
            "0000:04:00.0 < 0000:02:01.0 Endpoint",
            "0000:40:00.0 < 0000:40 Unknown",
            "0000:40:03.0 < 0000:40 Unknown",
            "0000:41:00.0 < 0000:40:03.0 Unknown",
        }));
    }

    [Test]
    public void Import_Sample_ReadsWhatTextTells()
    {
        TopologySnapshot snapshot = Machine(Sample);
        PciFunction gpu = Function(snapshot, "03:00.0");
        PciFunction nic = Function(snapshot, "04:00.0");
        PciFunction port = Function(snapshot, "00:01.1");

        Assert.Multiple(() =>
        {
            Assert.That(gpu.Id, Is.EqualTo(new PciId(0x10de, 0x2330)));
            Assert.That(gpu.SubsystemId, Is.EqualTo(new PciId(0x10de, 0x16c1)));
            Assert.That(gpu.Class, Is.EqualTo(new PciClass(0x030200)));
            Assert.That(gpu.Label, Is.EqualTo("NVIDIA Corporation Device"));
            Assert.That(gpu.Node, Is.EqualTo(new NodeId(0)));
            Assert.That(gpu.IommuGroup, Is.EqualTo(15));
            Assert.That(gpu.Acs, Is.EqualTo(AcsControl.Absent));
            Assert.That(gpu.Bars.Select(b => b.Index), Is.EqualTo(new[] { 0, 2, 4 }), "the regions of virtual functions are not BARs");
            Assert.That(gpu.Bars[1].Size, Is.EqualTo(ByteCount.FromGiB(128)));
            Assert.That(gpu.Bars[1].Flags, Is.EqualTo(PciBarFlags.Memory | PciBarFlags.Is64Bit | PciBarFlags.Prefetchable));
            Assert.That(nic.Link.ToString(), Is.EqualTo("32 GT/s x8 (can 32 GT/s x16)"));
            Assert.That(nic.Bars[1], Is.EqualTo(new PciBar(5, null, null, PciBarFlags.Memory | PciBarFlags.Disabled)));
            Assert.That(nic.Bars[2].Index, Is.EqualTo(PciBar.RomIndex));
            Assert.That(port.BusesBelow, Is.EqualTo(new PciBusRange(1, 4)));
            Assert.That(port.Acs, Is.EqualTo(AcsControl.Of(AcsBits.SourceValidation)));
            Assert.That(Function(snapshot, "02:00.0").Acs, Is.EqualTo(AcsControl.Of((AcsBits)0x1d)));
            Assert.That(Function(snapshot, "01:00.0").Acs, Is.EqualTo(AcsControl.Absent));
            Assert.That(Function(snapshot, "40:03.0").Acs, Is.EqualTo(AcsControl.Unknown), "access denied is not off");
            Assert.That(Function(snapshot, "41:00.0").Class, Is.EqualTo(new PciClass(0x010802)));
            Assert.That(snapshot.HostBridges.Select(b => (b.ToString(), b.LastBus, b.Node.Index)), Is.EqualTo(new[]
            {
                ("pci0000:00", (byte?)4, 0),
                ("pci0000:40", (byte?)0x41, 1),
            }));
        });
    }

    // The machine of a well-known report: redirection on the downstream ports sends peers through the root; setpci clears it.
    [Test]
    public void Import_AcsBeforeAndAfter_TurnsTheVerdict()
    {
        var before = new P2pRouter(Import(Sample).Topology!);
        string cleared = Sample.Replace("ReqRedir+ CmpltRedir+ UpstreamFwd+ EgressCtrl- DirectTrans-", "ReqRedir- CmpltRedir- UpstreamFwd- EgressCtrl- DirectTrans-");
        var after = new P2pRouter(Import(cleared).Topology!);
        PciPlace gpu = PciAddress.Parse("03:00.0");
        PciPlace nic = PciAddress.Parse("04:00.0");

        Assert.Multiple(() =>
        {
            Assert.That(before.Decide(gpu, nic).Kind, Is.Not.EqualTo(P2pMapKind.BusAddress));
            Assert.That(after.Decide(gpu, nic).Kind, Is.EqualTo(P2pMapKind.BusAddress));
            Assert.That(before.Decide(gpu, nic).Hops, Is.EqualTo(after.Decide(gpu, nic).Hops));
        });
    }

    [TestCase("3b:00.0 0302: 10de:1db1 (rev a1)", "030200", "10de:1db1")]
    [TestCase("3b:00.0 3D controller [0302]: NVIDIA Corporation GV100GL [Tesla V100] [10de:1db1] (rev a1)", "030200", "10de:1db1")]
    [TestCase("3b:00.0 3D controller: NVIDIA Corporation GV100GL [Tesla V100]", "030200", null)]
    [TestCase("3b:00.0 Class [0b40]: Intel Corporation Device [8086:225c]", "0b4000", "8086:225c")]
    [TestCase("3b:00.0 Class 0b40: Intel Corporation Device 225c", "0b4000", null)]
    [TestCase("3b:00.0 Strange thing: Somebody Device 225c", null, null)]
    [TestCase("3b:00.0 SATA controller [0106]: X [8086:1d02] (prog-if 01 [AHCI 1.0])", "010601", "8086:1d02")]
    public void Import_HeaderLine_TellsClassAndIdentity(string line, string? code, string? id)
    {
        PciFunction function = Machine(line).Functions.Single();

        Assert.Multiple(() =>
        {
            Assert.That(function.Class?.ToString(), Is.EqualTo(code));
            Assert.That(function.Id?.ToString(), Is.EqualTo(id));
            Assert.That(function.Acs, Is.EqualTo(AcsControl.Unknown));
            Assert.That(function.PortType, Is.EqualTo(PciPortType.Unknown));
        });
    }

    [TestCase("00:01.0")]
    [TestCase("0000:00:01.0")]
    [TestCase("00000000:00:01.0")]
    public void Import_AddressForms_AreOne(string address) =>
        Assert.That(Machine($"{address} 0604: 8086:2030").Functions.Single().Address, Is.EqualTo(PciAddress.Parse("00:01.0")));

    [Test]
    public void Import_WideDomain_Stays() =>
        Assert.That(Machine("10000:e0:00.0 0604: 8086:2030").HostBridges.Single().ToString(), Is.EqualTo("pci10000:e0"));

    [Test]
    public void Import_ShortListing_GuessesIndexesAndSaysSo()
    {
        const string Text = "01:00.0 0302: 10de:1db1\n\tFlags: fast devsel\n\tMemory at f0000000 (32-bit, non-prefetchable) [size=16M]\n"
            + "\tMemory at 4000000000 (64-bit, prefetchable) [size=32G]\n\tI/O ports at e000 [disabled] [size=128]\n";

        ImportResult result = Import(Text);

        Assert.Multiple(() =>
        {
            Assert.That(result.Topology!.Snapshot.Functions.Single().Bars.Select(b => b.Index), Is.EqualTo(new[] { 0, 1, 3 }));
            Assert.That(result.Notes.Select(n => n.Text), Has.Some.Contains("does not number the regions"));
        });
    }

    [Test]
    public void Import_PartOfATree_IsNotedAsIncomplete()
    {
        ImportResult result = Import(Sample[Sample.IndexOf("02:00.0 PCI bridge", StringComparison.Ordinal)..]);

        HostBridge cut = result.Topology!.Snapshot.HostBridges.Single(b => b.Bus == new PciBusId(0, 2));
        Assert.Multiple(() =>
        {
            Assert.That(cut.IsRootBusComplete, Is.False);
            Assert.That(result.Notes.Select(n => n.Text), Has.Some.Contains("listing looks incomplete"));
        });
    }

    [Test]
    public void Import_UnconfiguredBridge_HasNothingBelow()
    {
        PciFunction bridge = Machine("00:11.0 0604: 8086:1d3e\n\tBus: primary=00, secondary=00, subordinate=00, sec-latency=0\n").Functions.Single();

        Assert.That(bridge.BusesBelow, Is.Null);
    }

    [TestCase("", "box.txt: the listing names no function")]
    [TestCase("\tRegion 0: Memory at f0000000\n", "box.txt:1:1: the line belongs to no function")]
    [TestCase("00: 86 80\n", "box.txt:1:1: the line belongs to no function")]
    [TestCase("-[0000:00]-+-00.0\n", "box.txt:1:1: not a line of lspci")]
    [TestCase("00:00.0 \"Host bridge\" \"Intel\" \"X\"\n", "box.txt:1:9: the machine-readable form")]
    [TestCase("01:00.0 0302: 10de:1db1\nhello\n", "box.txt:2:1: not a line of lspci: found \"hello\"")]
    [TestCase("01:00.0 X [03g2]: Y\n", "box.txt:1:11: not a class: found \"[03g2]\"")]
    [TestCase("01:00.0 X [0302]: Y [10de:1db1z]\n", "box.txt:1:21: not a vendor and device")]
    [TestCase("01:00.0 0302: 10de:1db1 (prog-if zz)\n", "box.txt:1:34: not a programming interface")]
    [TestCase("01:00.0 0302: 10de:1db1\n01:00.0 0302: 10de:1db1\n", "box.txt:2:1: the address is taken: line 1 has it too")]
    [TestCase("01:00.0 0302: 10de:1db1\n\tNUMA node: 4000\n", "box.txt:2:13: not a NUMA node: found \"4000\", allowed decimal, at most 1023")]
    [TestCase("01:00.0 0302: 10de:1db1\n\tIOMMU group: -1\n", "box.txt:2:15: not an IOMMU group")]
    [TestCase("01:00.0 0302: 10de:1db1\n\tRegion 7: Memory at f0000000\n", "box.txt:2:9: not the index of a region")]
    [TestCase("01:00.0 0302: 10de:1db1\n\tRegion 0: Memory at xyz [size=1M]\n", "box.txt:2:22: not an address")]
    [TestCase("01:00.0 0302: 10de:1db1\n\tRegion 0: Memory at f000 [size=1Q]\n", "box.txt:2:33: not a size")]
    [TestCase("01:00.0 0302: 10de:1db1\n\tRegion 0: Fog at f000 [size=1M]\n", "box.txt:2:12: not a region")]
    [TestCase("01:00.0 0302: 10de:1db1\n\tRegion 0: Memory at ffffffffffff0000 (64-bit) [size=1M]\n", "passes the top of the address space")]
    [TestCase("01:00.0 0302: 10de:1db1\n\tRegion 0: Memory at f000 [size=1K]\n\tRegion 0: Memory at f000 [size=1K]\n", "region 0 is there twice")]
    [TestCase("01:00.0 0604: 8086:2030\n\tBus: primary=1, secondary=zz, subordinate=3\n", "not a bus: found \"zz\"")]
    [TestCase("01:00.0 0604: 8086:2030\n\tBus: primary=01, secondary=01, subordinate=03\n", "the bridge's bus numbers do not go down")]
    [TestCase("01:00.0 0604: 8086:2030\n\tBus: primary=01, secondary=05, subordinate=03\n", "the bridge's bus numbers do not go down")]
    [TestCase("01:00.0 0604: 8086:2030\n\tMemory behind bridge: f0000000-zz\n", "not the end of a window")]
    [TestCase("01:00.0 0604: 8086:2030\n\tCapabilities: [zz] Express\n", "not an offset")]
    [TestCase("01:00.0 0604: 8086:2030\n\t\tACSCtl:\tSrcValid+ Fog-\n", "not a control bit of ACS: found \"Fog-\"")]
    [TestCase("01:00.0 0604: 8086:2030\n\t\tLnkSta:\tSpeed warp, Width x16\n", "not a link speed: found \"warp\"")]
    [TestCase("01:00.0 0604: 8086:2030\n\t\tLnkSta:\tSpeed 8GT/s, Width x999\n", "not a link width: found \"999\"")]
    [TestCase("01:00.0 0604: 8086:2030\n\t\tBAR 9: current size: 1GB\n", "not a resizable BAR")]
    [TestCase("01:00.0 X\n00: 86 80\n20: 00\n", "box.txt:3:1: a row of the dump is out of order")]
    [TestCase("01:00.0 X\n00: 86 8z\n", "box.txt:2:8: not a row of a dump")]
    [TestCase("01:00.0 X\n00: 86 80\n", "the configuration space has a wrong length")]
    public void Import_Malformed_IsRefusedWithItsPlace(string text, string expected) =>
        Assert.That(Refusal(text), Does.Contain(expected));

    [Test]
    public void Import_TwoBridgesToOneBus_IsRefused()
    {
        const string Bus = "\tBus: primary=00, secondary=05, subordinate=05, sec-latency=0\n";

        Assert.That(Refusal($"00:01.0 0604: 8086:2030\n{Bus}00:02.0 0604: 8086:2030\n{Bus}"), Does.Contain("box.txt:3:1: two bridges lead to bus 0000:05"));
    }

    [Test]
    public void Import_TooManyFunctions_IsRefused()
    {
        ImportResult result = new LspciImporter().Import(
            TestText.Utf8("00:00.0 X\n00:01.0 X\n"), "box.txt", ImportLimits.Default with { MaxElements = 1 });

        Assert.That(result.Errors.Single().What, Is.EqualTo("the listing has too many functions"));
    }

    [Test]
    public void Import_DumpOfAFunctionThatIsGone_KeepsItsText()
    {
        string row = string.Join(' ', Enumerable.Repeat("ff", 16));
        string text = "01:00.0 0302: 10de:1db1\n" + string.Concat(Enumerable.Range(0, 4).Select(i => $"{i * 16:x2}: {row}\n"));

        ImportResult result = Import(text);

        Assert.Multiple(() =>
        {
            Assert.That(result.Topology!.Snapshot.Functions.Single().Id, Is.EqualTo(new PciId(0x10de, 0x1db1)));
            Assert.That(result.Notes.Select(n => n.Text), Has.Some.Contains("does not answer"));
        });
    }

    [TestCase("00:00.0 Host bridge", SniffConfidence.Likely)]
    [TestCase("pcilib: bad\n0000:00:00.0 Host bridge", SniffConfidence.Likely)]
    [TestCase("<topology/>", SniffConfidence.None)]
    [TestCase("00:00.9 Host bridge", SniffConfidence.None)]
    [TestCase("", SniffConfidence.None)]
    public void Sniff_FirstLines_Tell(string text, SniffConfidence expected) =>
        Assert.That(new LspciImporter().Sniff(System.Text.Encoding.UTF8.GetBytes(text), ""), Is.EqualTo(expected));
}
