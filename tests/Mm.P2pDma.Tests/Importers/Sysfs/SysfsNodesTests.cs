using System.Text;
using Mm.Core;
using Mm.P2pDma.Importers;
using Mm.P2pDma.Importers.Reading;
using Mm.P2pDma.Importers.Sysfs;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Tests.Importers.Sysfs;

[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class SysfsNodesTests
{
    private readonly ImportLog log = new("f", ImportLimits.Default);

    [Test]
    public void Read_Nodes_HaveMemoryCpusAndPackage()
    {
        SysfsNodes nodes = Read(
            ("sys/devices/system/node/node0/meminfo", "Node 0 MemFree: 7 kB\nNode 0 MemTotal:       1024 kB\n"),
            ("sys/devices/system/node/node0/cpulist", "0-1\n"),
            ("sys/devices/system/node/node8/cpumap", "00000000,0000000c\n"),
            ("sys/devices/system/node/node250/cpulist", "\n"),
            ("sys/devices/system/cpu/cpu0/topology/physical_package_id", "3\n"),
            ("sys/devices/system/cpu/cpu1/topology/physical_package_id", "3\n"),
            ("sys/devices/system/cpu/cpu2/topology/physical_package_id", "4\n"),
            ("sys/devices/system/cpu/cpu3/topology/physical_package_id", "5\n"));

        Assert.Multiple(() =>
        {
            Assert.That(nodes.All, Is.EqualTo(new[]
            {
                new NumaNode(new NodeId(0)) { Memory = new ByteCount(1 << 20), HasCpus = true, Package = 3 },
                new NumaNode(new NodeId(8)) { HasCpus = true },
                new NumaNode(new NodeId(250)) { HasCpus = false },
            }));
            Assert.That(nodes.PackageOf(new NodeId(0)), Is.EqualTo(3));
            Assert.That(nodes.PackageOf(new NodeId(8)), Is.Null, "its CPUs are in two packages");
            Assert.That(nodes.PackageOf(new NodeId(7)), Is.Null, "there is no such node");
            Assert.That(log.HasErrors, Is.False);
        });
    }

    [TestCase("0-1", 0)]
    [TestCase("1", 0)]
    [TestCase("2-3", 1)]
    [TestCase("1-2", -1)]
    [TestCase("9", -1)]
    [TestCase("", -1)]
    public void NearestTo_Cpus_IsTheOneNodeThatHasThemAll(string list, int expected)
    {
        SysfsNodes nodes = Read(
            ("sys/devices/system/node/node0/cpulist", "0-1"), ("sys/devices/system/node/node1/cpulist", "2-3"));
        Assert.That(SysfsCpuSet.TryList(list, out SysfsCpuSet set), Is.True);

        Assert.That(nodes.NearestTo(set), Is.EqualTo(expected < 0 ? NodeId.None : new NodeId(expected)));
    }

    [TestCase("Node:      8", true)]
    [TestCase("Node:      -1", false)]
    [TestCase("Node:      9", false)]
    [TestCase("Status:    online", false)]
    public void Read_GpuWhoseMemoryIsANode_IsTheNodesDevice(string text, bool isDevice)
    {
        SysfsNodes nodes = Read(
            ("sys/devices/system/node/node8/cpulist", ""), ("proc/driver/nvidia/gpus/0004:04:00.0/numa_status", text));

        Assert.That(nodes.All.Single().Device, isDevice ? Is.EqualTo(PciAddress.Parse("0004:04:00.0")) : Is.Null);
    }

    [TestCase("node0/cpulist", "0-", "f!sys/devices/system/node/node0/cpulist:1:1: not a set of CPUs")]
    [TestCase("node0/cpumap", "xyz", "f!sys/devices/system/node/node0/cpumap:1:1: not a set of CPUs")]
    [TestCase("node0/meminfo", "\nNode 0 MemTotal: much kB", "f!sys/devices/system/node/node0/meminfo:2:17: not a size of memory")]
    [TestCase("node0/meminfo", "Node 0 MemTotal: 18014398509481984 kB", "f!sys/devices/system/node/node0/meminfo:1:17: not a size of memory")]
    public void Read_BadFile_IsAnErrorWithItsPlace(string file, string text, string expected)
    {
        _ = Read(($"sys/devices/system/node/{file}", text));

        Assert.That(log.Finish("x", () => null).Errors[0].ToString(), Does.StartWith(expected));
    }

    private SysfsNodes Read(params (string Path, string Text)[] files)
    {
        var tree = new SysfsTree(log);
        foreach ((string path, string text) in files)
        {
            tree.AddFile(path.Split('/'), Encoding.UTF8.GetBytes(text));
        }

        var nodes = new SysfsNodes(tree, log);
        nodes.Read();
        return nodes;
    }
}
