using System.Formats.Tar;
using Mm.Core;
using Mm.P2pDma.Importers;
using Mm.P2pDma.Importers.Sysfs;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Tests.Importers.Sysfs;

public sealed class SysfsTarImporterTests
{
    private static ImportResult Import(byte[] archive, ImportLimits? limits = null) =>
        new MachineImporterContract(new SysfsTarImporter()).Import(new MemoryStream(archive), "box.tar", limits ?? ImportLimits.Default);

    private static string Refusal(SysfsSample sample) => Import(sample.ToTar()).Errors is [var first, ..] ? first.ToString() : "imported";

    private static string Describe(TopologySnapshot snapshot)
    {
        var lines = new List<string>();
        lines.AddRange(snapshot.Hosts.Select(h => h.Cpu.ToString()));
        lines.AddRange(snapshot.HostBridges.Select(b => $"{b} {b.LastBus} {b.Node} {b.Package}"));
        lines.AddRange(snapshot.Nodes.Select(n => n.ToString()));
        lines.AddRange(snapshot.Functions.Select(f =>
            $"{f} {f.Parent} {f.HostBridge} {f.Class} {f.PortType} {f.Acs} {f.Link} {f.Node} {f.IommuGroup} {f.BusesBelow} "
            + $"{string.Join(',', f.OsDevices.Select(o => $"{o.Kind} {o.Name}"))} {string.Join(',', f.Bars)}"));
        return string.Join('\n', lines);
    }

    [Test]
    public void Import_Sample_ReadsEverything()
    {
        ImportResult result = Import(SysfsSample.Create().ToTar());

        Assert.That(result.Errors, Is.Empty);
        Assert.That(Describe(result.Topology!.Snapshot).Split('\n'), Is.EqualTo(new[]
        {
            "Amd family 0x19 model 0x11",
            "pci0000:00 1 no node ",
            "NumaNode { Node = node 0, Host = host 0, Package = 0, Memory = 16 GiB, HasCpus = True, Device =  }",
            "NumaNode { Node = node 1, Host = host 0, Package = 1, Memory = 32 GiB, HasCpus = True, Device =  }",
            "0000:00:01.0 8086:2030  0000:00 060400 RootPort unknown ? GT/s x? no node  [01, 02)  ",
            "0000:00:02.0 8086:0953  0000:00 010802 Unknown unknown ? GT/s x? node 1   Other nvme0,Block nvme0n1 ",
            "0000:01:00.0 10de:1db8 0000:00:01.0 0000:00 030200 Unknown unknown 8 GT/s x16 node 0 41  Gpu card0 "
                + "BAR 0 [0xf0000000, 0xf1000000) Memory,"
                + "BAR 1 [0x4000000000, 0x4800000000) Memory, Prefetchable, Is64Bit,"
                + "BAR 3 at ? size 1 MiB Memory",
        }));
    }

    [TestCase("", false)]
    [TestCase("./", false)]
    [TestCase("a/b/", false)]
    [TestCase("box/", true)]
    public void Import_OrderAndRoot_DoNotMatter(string root, bool reverse)
    {
        TopologySnapshot expected = Import(SysfsSample.Create().ToTar()).Topology!.Snapshot;

        ImportResult result = Import(SysfsSample.Create().ToTar(root, reverse));

        Assert.That(result.Errors, Is.Empty);
        Assert.That(Describe(result.Topology!.Snapshot), Is.EqualTo(Describe(expected)));
    }

    [Test]
    public void Import_NodesOnly_IsAMachineWithoutFunctions()
    {
        var sample = new SysfsSample();
        sample.Text("sys/devices/system/node/node0/meminfo", "Node 0 MemTotal: 4 kB\n");

        ImportResult result = Import(sample.ToTar());

        Assert.Multiple(() =>
        {
            Assert.That(result.Topology!.Snapshot.Functions, Is.Empty);
            Assert.That(result.Topology.Snapshot.Nodes.Single().Memory, Is.EqualTo(new ByteCount(4096)));
            Assert.That(result.Notes.Select(n => n.Text), Has.Some.Contains("no PCI functions"));
        });
    }

    [Test]
    public void Import_PlainFolders_LeaveTheHostBridgeUnknown()
    {
        var sample = new SysfsSample();
        sample.Text("sys/bus/pci/devices/0035:05:00.0/class", "0x030000\n");

        TopologySnapshot snapshot = Import(sample.ToTar()).Topology!.Snapshot;

        Assert.Multiple(() =>
        {
            Assert.That(snapshot.HostBridges, Is.Empty);
            Assert.That(snapshot.Functions.Single().HostBridge, Is.Null);
            Assert.That(snapshot.Omissions, Is.EqualTo(TopologyOmissions.Ports));
        });
    }

    [Test]
    public void Import_GpuMemoryNode_NamesItsGpu()
    {
        SysfsSample sample = SysfsSample.Create();
        sample.Text("proc/driver/nvidia/gpus/0000:01:00.0/numa_status", "Node:      1\nStatus:    online\n");

        Assert.That(Import(sample.ToTar()).Topology!.Snapshot.Nodes[1].Device, Is.EqualTo(PciAddress.Parse("01:00.0")));
    }

    [TestCase("/etc/passwd", "the link leaves the tree")]
    [TestCase("../../../../../../etc/passwd", "the link leaves the tree")]
    [TestCase("../../../devices/pci0000:00/0000:00:02.0", "the link leads to another function")]
    [TestCase("0000:00:01.0", "the link leads in a circle")]
    public void Import_HostileLink_IsRefused(string target, string expected)
    {
        SysfsSample sample = SysfsSample.Create();
        sample.Links["sys/bus/pci/devices/0000:00:01.0"] = target;

        Assert.That(Refusal(sample), Does.Contain("box.tar!box/sys/bus/pci/devices/0000:00:01.0: " + expected));
    }

    [TestCase("../evil", "a name leaves the archive")]
    [TestCase("/sys/devices/x", "a name leaves the archive")]
    [TestCase("box/../../sys/x", "a name leaves the archive")]
    public void Import_NameThatLeaves_IsRefused(string name, string expected)
    {
        using var archive = new MemoryStream();
        using (var writer = new TarWriter(archive, TarEntryFormat.Pax, leaveOpen: true))
        {
            writer.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream([1]) });
        }

        Assert.That(Import(archive.ToArray()).Errors.Single().What, Is.EqualTo(expected));
    }

    [TestCase("vendor", "80861\n", "not a number")]
    [TestCase("vendor", "0x12345\n", "not a number")]
    [TestCase("class", "0x1234567\n", "not a number")]
    [TestCase("numa_node", "1024\n", "not a NUMA node")]
    [TestCase("local_cpus", "xyz\n", "not a set of CPUs")]
    [TestCase("current_link_speed", "fast\n", "not a link speed")]
    [TestCase("current_link_width", "300\n", "not a link width")]
    [TestCase("resource", "0x1 0x2\n", "not a resource")]
    [TestCase("resource", "0x2000 0x1000 0x200\n", "the resource ends before it starts")]
    [TestCase("config", "short", "wrong length")]
    public void Import_MalformedFile_IsRefusedWithItsPlace(string file, string contents, string expected)
    {
        SysfsSample sample = SysfsSample.Create();
        sample.Files.Remove($"{SysfsSample.Gpu}/numa_node");
        sample.Text($"{SysfsSample.Gpu}/{file}", contents);

        Assert.That(Refusal(sample), Does.StartWith($"box.tar!box/{SysfsSample.Gpu}/{file}:1:").And.Contain(expected));
    }

    [Test]
    public void Import_MalformedMachineFiles_AreRefused()
    {
        foreach ((string path, string contents, string expected) in new[]
        {
            ("proc/cpuinfo", "vendor_id\t: GenuineIntel\ncpu family\t: six\n", "not a number"),
            ("sys/devices/system/node/node0/meminfo", "MemTotal: much\n", "not a size of memory"),
            ("sys/devices/system/node/node0/cpumap", "0-3\n", "not a set of CPUs"),
        })
        {
            SysfsSample sample = SysfsSample.Create();
            sample.Text(path, contents);

            Assert.That(Refusal(sample), Does.Contain(path).And.Contain(expected));
        }
    }

    [Test]
    public void Import_FunctionWithTwoFolders_IsRefused()
    {
        SysfsSample sample = SysfsSample.Create();
        sample.Text("sys/devices/pci0000:40/0000:01:00.0/vendor", "0x10de\n");

        Assert.That(Refusal(sample), Does.Contain("the function has two folders"));
    }

    [Test]
    public void Import_TwoTrees_AreRefused()
    {
        SysfsSample sample = SysfsSample.Create();
        byte[] first = sample.ToTar("a/");
        byte[] second = sample.ToTar("b/");

        Assert.That(
            Import([.. first.AsSpan(0, first.Length - 1024), .. second]).Errors.Single().What, Is.EqualTo("there is more than one tree"));
    }

    [Test]
    public void Import_NoTree_IsRefused()
    {
        var sample = new SysfsSample();
        sample.Text("etc/motd", "hello\n");

        Assert.That(Refusal(sample), Does.Contain("there is no sysfs tree in the archive"));
    }

    [Test]
    public void Import_Limits_AreKept()
    {
        byte[] archive = SysfsSample.Create().ToTar();

        Assert.Multiple(() =>
        {
            Assert.That(
                Import(archive, ImportLimits.Default with { MaxMembers = 3 }).Errors.Single().What,
                Is.EqualTo("the archive has too many members"));
            Assert.That(
                Import(archive, ImportLimits.Default with { MaxMemberSize = new ByteCount(10) }).Errors.Single().What,
                Is.EqualTo("a member of the archive is too large"));
            Assert.That(
                Import(archive, ImportLimits.Default with { MaxUnpackedSize = new ByteCount(2000) }).Errors.Single().What,
                Is.EqualTo("the archive is too large"));
        });
    }
}
