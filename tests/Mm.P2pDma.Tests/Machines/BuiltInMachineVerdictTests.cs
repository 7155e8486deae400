using Mm.Core.PhysRanges;
using Mm.P2pDma.Machines;
using Mm.P2pDma.Routing;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Tests.Machines;

public sealed class BuiltInMachineVerdictTests
{
    private static readonly PciClass Gpu = new(0x030200);

    [Test]
    public void TryGet_UnknownName_SaysNo()
    {
        Assert.That(BuiltInMachines.TryGet("Two-Switch", out Topology? topology), Is.False);
        Assert.That(topology, Is.Null);
        Assert.That(() => BuiltInMachines.Describe("none"), Throws.ArgumentException);
    }

    [Test]
    public void Dgx2Like_Counts_AreThoseOfTheName()
    {
        TopologySnapshot snapshot = Get("dgx2-like").Snapshot;
        Assert.That(snapshot.Nodes, Has.Count.EqualTo(2));
        Assert.That(snapshot.Functions.Count(f => f.Class == Gpu), Is.EqualTo(16));
        Assert.That(snapshot.Functions.Count(f => f.Label == "NVSwitch"), Is.EqualTo(12));
        Assert.That(snapshot.Functions.Count(f => f.Class == new PciClass(0x020700)), Is.EqualTo(8));
        Assert.That(snapshot.Interconnects, Has.Count.EqualTo(96));
    }

    [Test]
    public void Mi300X_Counts_AreThoseOfTheName()
    {
        TopologySnapshot snapshot = Get("mi300x").Snapshot;
        Assert.That(snapshot.Hosts[0].Cpu.Vendor, Is.EqualTo(CpuVendor.Amd));
        Assert.That(snapshot.Functions.Count(f => f.Class == new PciClass(0x120000)), Is.EqualTo(8));
        Assert.That(snapshot.Functions.Count(f => f.Class == new PciClass(0x020000)), Is.EqualTo(8));
        Assert.That(snapshot.Functions.Count(f => f.Class == new PciClass(0x010802)), Is.EqualTo(8));
        Assert.That(snapshot.Interconnects, Has.Count.EqualTo(56));
    }

    [TestCase("two-switch", "card0", "mlx5_0", P2pMapKind.BusAddress)]
    [TestCase("two-switch", "nvme0n1", "card1", P2pMapKind.ThroughHostBridge)]
    [TestCase("two-switch", "nvme0n1", "card0", P2pMapKind.ThroughHostBridge)]
    [TestCase("two-switch", "nvme0n1", "mlx5_1", P2pMapKind.NotSupported)]
    [TestCase("nvme-cmb", "nvme0n1", "mlx5_0", P2pMapKind.ThroughHostBridge)]
    [TestCase("nvme-cmb", "nvme0n1", "mlx5_1", P2pMapKind.ThroughHostBridge)]
    [TestCase("dgx2-like", "card0", "card1", P2pMapKind.BusAddress)]
    [TestCase("dgx2-like", "card0", "card15", P2pMapKind.ThroughHostBridge)]
    [TestCase("mi300x", "renderD128", "mlx5_0", P2pMapKind.BusAddress)]
    [TestCase("mi300x", "renderD128", "nvme7n1", P2pMapKind.ThroughHostBridge)]
    public void Decide_Pair_IsCertain(string machine, string provider, string client, P2pMapKind expected)
    {
        Topology topology = Get(machine);
        Assert.That(topology.Snapshot.TryFindByName(provider, out PciFunction? from), Is.True);
        Assert.That(topology.Snapshot.TryFindByName(client, out PciFunction? to), Is.True);
        P2pVerdict verdict = new P2pRouter(topology).Decide(from!.Place, to!.Place);
        Assert.That(verdict.Kind, Is.EqualTo(expected));
        Assert.That(verdict.IsCertain, Is.True);
    }

    private static Topology Get(string name)
    {
        Assert.That(BuiltInMachines.TryGet(name, out Topology? topology), Is.True);
        return topology!;
    }
}
