using Mm.Core;
using Mm.P2pDma.Importers;
using Mm.P2pDma.Importers.PciConfig;
using Mm.P2pDma.Importers.Reading;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Tests.Importers.PciConfig;

[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class PciTreeAssemblerTests
{
    private readonly ImportLog log = new("f", ImportLimits.Default);

    [Test]
    public void Build_BusNumbers_LeadToParentsWhateverTheOrder()
    {
        TopologySnapshot snapshot = Build(Endpoint("02:00.0"), Endpoint("00:00.0"), Bridge("01:00.0", 2, 2), Bridge("00:01.0", 1, 2));

        Assert.Multiple(() =>
        {
            Assert.That(ParentOf(snapshot, "02:00.0"), Is.EqualTo(PciAddress.Parse("01:00.0")));
            Assert.That(ParentOf(snapshot, "01:00.0"), Is.EqualTo(PciAddress.Parse("00:01.0")));
            Assert.That(ParentOf(snapshot, "00:01.0"), Is.Null);
            Assert.That(snapshot.HostBridges.Single().Bus, Is.EqualTo(new PciBusId(0, 0)));
            Assert.That(snapshot.HostBridges.Single().LastBus, Is.EqualTo(2));
            Assert.That(snapshot.HostBridges.Single().IsRootBusComplete, Is.True);
        });
    }

    [Test]
    public void Build_BusThatNoBridgeLeadsTo_IsARootBus()
    {
        TopologySnapshot snapshot = Build(Endpoint("00:00.0"), Endpoint("80:00.0"), Endpoint("10000:00:00.0"));

        Assert.That(
            snapshot.HostBridges.Select(bridge => bridge.Bus),
            Is.EquivalentTo(new[] { new PciBusId(0, 0), new PciBusId(0, 0x80), new PciBusId(0x10000, 0) }));
    }

    [Test]
    public void Build_SourceThatListsNoBridges_LeavesRootsOpen()
    {
        var assembler = new PciTreeAssembler(log);
        assembler.Add(Endpoint("3b:00.0"), log.At(1, 1), isTreeTold: false);

        TopologySnapshot snapshot = assembler.Build()!.Snapshot;

        Assert.Multiple(() =>
        {
            Assert.That(snapshot.HostBridges, Is.Empty);
            Assert.That(snapshot.Omissions, Is.EqualTo(TopologyOmissions.Ports));
        });
    }

    [Test]
    public void Build_TopOfAPartialListing_IsNotAWholeRootBus()
    {
        TopologySnapshot snapshot = Build(Bridge("3a:00.0", 0x3b, 0x3b) with { PortType = PciPortType.SwitchDownstream }, Endpoint("3b:00.0"));

        Assert.Multiple(() =>
        {
            Assert.That(snapshot.HostBridges.Single().IsRootBusComplete, Is.False);
            Assert.That(Notes().Single().Text, Does.Contain("the listing looks incomplete"));
        });
    }

    [TestCase(0, 0, 0)]
    [TestCase(0, 1, 1)]
    [TestCase(1, 1, 1)]
    [TestCase(0, -1, 0)]
    [TestCase(-1, -1, -1)]
    public void Build_HostBridge_IsNearTheOneNodeOfItsFunctions(int first, int second, int expected)
    {
        bool isOne = first == second || first < 0 || second < 0;
        var assembler = new PciTreeAssembler(log);
        assembler.Add(Endpoint("00:01.0") with { Node = Node(first) }, log.At(1, 1));
        assembler.Add(Endpoint("00:02.0") with { Node = Node(second) }, log.At(2, 1));

        HostBridge bridge = assembler.Build(node => node.Index + 10)!.Snapshot.HostBridges.Single();

        Assert.Multiple(() =>
        {
            Assert.That(bridge.Node, Is.EqualTo(isOne ? Node(expected) : NodeId.None));
            Assert.That(bridge.Package, Is.EqualTo(isOne && expected >= 0 ? expected + 10 : null));
        });
    }

    [TestCase(0, 0)]
    [TestCase(2, 1)]
    public void Build_BusNumbersThatDoNotGoDown_AreRefused(int secondary, int subordinate) =>
        Assert.That(Refusal(Bridge("00:01.0", secondary, subordinate)), Does.StartWith("f:1:1: the bridge's bus numbers do not go down"));

    [Test]
    public void Build_TwoBridgesToOneBus_AreRefused() =>
        Assert.That(Refusal(Bridge("00:01.0", 1, 1), Bridge("00:02.0", 1, 1)), Does.StartWith("f:2:1: two bridges lead to bus"));

    [Test]
    public void Build_AddressTwice_IsRefused() =>
        Assert.That(Refusal(Endpoint("00:01.0"), Endpoint("00:01.0")), Does.Contain("the address is taken"));

    // Numbers a random tree as firmware does, forgets the tree, and finds it again from the numbers.
    [FsCheck.NUnit.Property(MaxTest = 200)]
    public void Build_TreeNumberedInDepth_IsFoundAgain(int seed)
    {
        var random = new Random(seed);
        var functions = new List<PciFunction>();
        var parents = new Dictionary<PciAddress, PciAddress?>();
        byte last = 0;
        Number(random, 0, null, functions, parents, ref last);
        PciFunction[] shuffled = [.. functions];
        random.Shuffle(shuffled);

        TopologySnapshot snapshot = Build(shuffled);

        Assert.That(
            snapshot.Functions.Select(f => (f.Address, f.Parent)),
            Is.EquivalentTo(parents.Select(pair => (pair.Key, pair.Value))));
    }

    private static void Number(
        Random random, byte bus, PciAddress? parent, List<PciFunction> functions, Dictionary<PciAddress, PciAddress?> parents, ref byte last)
    {
        int count = random.Next(1, 4);
        for (int device = 0; device < count; device++)
        {
            var address = new PciAddress(0, bus, device, 0);
            parents.Add(address, parent);
            if (random.Next(2) == 0 || last > 40)
            {
                functions.Add(new PciFunction { Address = address });
                continue;
            }

            byte secondary = ++last;
            Number(random, secondary, address, functions, parents, ref last);
            functions.Add(new PciFunction { Address = address, Class = PciClass.PciBridge, BusesBelow = new PciBusRange(secondary, last) });
        }
    }

    private static NodeId Node(int index) => index < 0 ? NodeId.None : new NodeId(index);

    private static PciFunction Endpoint(string address) => new() { Address = PciAddress.Parse(address), Class = new PciClass(0x020000) };

    private static PciFunction Bridge(string address, int secondary, int subordinate) => new()
    {
        Address = PciAddress.Parse(address),
        Class = PciClass.PciBridge,
        BusesBelow = new PciBusRange((byte)secondary, (byte)subordinate),
    };

    private static PciAddress? ParentOf(TopologySnapshot snapshot, string address) =>
        snapshot.Functions.Single(f => f.Address == PciAddress.Parse(address)).Parent;

    private TopologySnapshot Build(params PciFunction[] functions)
    {
        Topology? topology = Assemble(functions);
        Assert.That(log.HasErrors, Is.False);
        return topology!.Snapshot;
    }

    private IReadOnlyList<ImportNote> Notes() => log.Refuse("x", new ImportError(log.At(0, 0), "the end", "", "")).Notes;

    private string Refusal(params PciFunction[] functions)
    {
        Assert.That(Assemble(functions), Is.Null);
        return log.Finish("x", () => null).Errors[0].ToString();
    }

    private Topology? Assemble(PciFunction[] functions)
    {
        var assembler = new PciTreeAssembler(log);
        for (int index = 0; index < functions.Length; index++)
        {
            assembler.Add(functions[index], log.At(index + 1, 1));
        }

        return assembler.Build();
    }
}
