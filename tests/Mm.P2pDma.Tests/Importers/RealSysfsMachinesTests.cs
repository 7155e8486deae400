using System.Text;
using ICSharpCode.SharpZipLib.BZip2;
using ICSharpCode.SharpZipLib.Tar;
using Mm.Core;
using Mm.Core.PhysRanges;
using Mm.P2pDma.Importers;
using Mm.P2pDma.Importers.Lspci;
using Mm.P2pDma.Routing;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Tests.Importers;

/// <summary>The sysfs trees of real machines, held against a plain walk of the archives by another library.</summary>
public sealed class RealSysfsMachinesTests
{
    private const string Mic = "32em64t-2n8c+dax+nvme+mic+dimms.tar.bz2";
    private const string R910 = "40intel64-2g2n4c+pcilocality.tar.bz2";
    private const string Power9 = "nvidiagpunumanodes.tar.bz2";

    private static Topology Open(string name)
    {
        ImportResult result = MachineImport.Open(SharedFiles.Machines("hwloc", name)[0]);
        Assert.That(result.Errors, Is.Empty);
        return result.Topology!;
    }

    // The names, and the contents of files of up to a page.
    private static Dictionary<string, string> Walk(string name)
    {
        var members = new Dictionary<string, string>(StringComparer.Ordinal);
        using FileStream file = File.OpenRead(SharedFiles.Machines("hwloc", name)[0]);
        using var archive = new TarInputStream(new BZip2InputStream(file), Encoding.UTF8);
        while (archive.GetNextEntry() is { } entry)
        {
            byte[] bytes = new byte[entry.IsDirectory ? 0 : Math.Min(entry.Size, 4096)];
            archive.ReadExactly(bytes);
            members[entry.Name] = Encoding.Latin1.GetString(bytes);
        }

        return members;
    }

    [TestCase(Mic)]
    [TestCase(R910)]
    [TestCase(Power9)]
    public void Import_Tree_CountsEqualAPlainWalk(string name)
    {
        TopologySnapshot snapshot = Open(name).Snapshot;
        Dictionary<string, string> members = Walk(name);
        string[] listed = [.. members.Keys
            .Select(path => path.TrimEnd('/').Split("/sys/bus/pci/devices/"))
            .Where(parts => parts.Length == 2 && !parts[1].Contains('/'))
            .Select(parts => parts[1])
            .Distinct()
            .Order(StringComparer.Ordinal)];
        string[] nodes = [.. members.Keys
            .Where(path => path.EndsWith("/meminfo", StringComparison.Ordinal) && path.Contains("/system/node/node", StringComparison.Ordinal))];

        Assert.Multiple(() =>
        {
            Assert.That(snapshot.Functions.Select(f => f.Address.ToString()), Is.EqualTo(listed));
            Assert.That(snapshot.Nodes, Has.Count.EqualTo(nodes.Length));
            foreach (PciFunction function in snapshot.Functions)
            {
                string suffix = $"/{function.Address}/vendor";
                string? vendor = members.FirstOrDefault(m => m.Key.EndsWith(suffix, StringComparison.Ordinal)).Value;
                Assert.That(function.Id?.Vendor.ToString("x4"), Is.EqualTo(vendor?.Trim()[2..]), function.ToString());
                string? path = members.Keys.FirstOrDefault(m => m.EndsWith(suffix, StringComparison.Ordinal));
                string above = path?.Split('/')[^3] ?? "";
                Assert.That(function.Parent?.ToString(), Is.EqualTo(above.StartsWith("pci", StringComparison.Ordinal) || path is null ? null : above));
            }
        });
    }

    [Test]
    public void Mic_LargeBar_IsReadWithItsSize()
    {
        Open(Mic).Snapshot.TryFind(PciAddress.Parse("83:00.0"), out PciFunction? card);

        Assert.That(card!.TryGetBar(0, out PciBar bar), Is.True);
        Assert.Multiple(() =>
        {
            Assert.That(bar.Size, Is.EqualTo(ByteCount.FromGiB(8)));
            Assert.That(bar.Address, Is.EqualTo(new PhysAddr(0x3bc_0000_0000)));
            Assert.That(card.OsDevices, Is.EqualTo(new[] { new OsDevice("mic0", OsDeviceKind.CoProcessor) }));
        });
    }

    // Socket 1's root bus starts with 80:02.0, a root port that no list knows; socket 0's with 00:00.0, which is listed for
    // pairs below one host bridge.
    [Test]
    public void Mic_Verdicts_DifferFromSocketToSocket()
    {
        var router = new P2pRouter(Open(Mic));

        Assert.Multiple(() =>
        {
            Assert.That(Kind(router, "83:00.0", "82:00.0"), Is.EqualTo(P2pMapKind.NotSupported));
            Assert.That(Kind(router, "02:00.0", "00:02.0"), Is.EqualTo(P2pMapKind.ThroughHostBridge));
            Assert.That(Kind(router, "02:00.0", "82:00.0"), Is.EqualTo(P2pMapKind.NotSupported));
            TopologySnapshot snapshot = router.Topology.Snapshot;
            PciFunction? first = snapshot.FirstOnRootBusOf(snapshot.HostBridges.Single(b => b.Bus == new PciBusId(0, 0x80)));
            Assert.That(first!.ToString(), Is.EqualTo("0000:80:02.0 8086:3c04"));
            Assert.That(first.PortType, Is.EqualTo(PciPortType.RootPort));
        });
    }

    [Test]
    public void R910_BetweenRootPorts_IsNotSupported()
    {
        var router = new P2pRouter(Open(R910));

        Assert.Multiple(() =>
        {
            Assert.That(Kind(router, "01:00.0", "02:00.0"), Is.EqualTo(P2pMapKind.NotSupported));
            Assert.That(Kind(router, "43:00.0", "02:00.0"), Is.EqualTo(P2pMapKind.NotSupported));
        });
    }

    [Test]
    public void Power9_GpuMemory_IsNodesWithTheirGpus()
    {
        TopologySnapshot snapshot = Open(Power9).Snapshot;

        Assert.Multiple(() =>
        {
            Assert.That(snapshot.Nodes.Select(n => n.Node.Index), Is.EqualTo(new[] { 0, 8, 250, 251, 252, 253, 254, 255 }));
            Assert.That(snapshot.Nodes.Where(n => n.HasCpus == false).Select(n => n.Device), Is.All.Not.Null);
            Assert.That(snapshot.Hosts[0].Cpu.Vendor, Is.EqualTo(CpuVendor.Ibm));
        });
    }

    [TestCase(Mic)]
    [TestCase(R910)]
    public void Tree_WrittenAsADump_KeepsItsShape(string name)
    {
        TopologySnapshot snapshot = Open(name).Snapshot;
        using var output = new StringWriter();
        IReadOnlyList<PciPlace> unplaced = LspciHexWriter.Write(snapshot, output);
        TopologySnapshot back = MachineImport.Open(TestText.Utf8(output.ToString()), "dump").Topology!.Snapshot;

        Assert.Multiple(() =>
        {
            Assert.That(unplaced, Is.Empty);
            Assert.That(
                back.Functions.Select(f => $"{f} {f.Parent} {f.Class}"), Is.EqualTo(snapshot.Functions.Select(f => $"{f} {f.Parent} {f.Class}")));
        });
    }

    private static P2pMapKind Kind(P2pRouter router, string provider, string client) =>
        router.Decide(PciAddress.Parse(provider), PciAddress.Parse(client)).Kind;
}
