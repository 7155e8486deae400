using Mm.Core;
using Mm.P2pDma.Topologies;
using static Mm.P2pDma.Tests.Routing.Machines;

namespace Mm.P2pDma.Tests.Topologies;

public sealed class TopologyBuilderTests
{
    private static readonly HostBridge Bridge = new() { Bus = default };
    private static readonly PciFunction Port = Root("00:01.0", "00", "8086:2030", PciPortType.RootPort);
    private static readonly PciFunction Leaf = Below("01:00.0", "00:01.0", PciPortType.Endpoint);

    public static IEnumerable<TestCaseData> Defects()
    {
        yield return Case(TopologyDefectKind.DuplicateFunction, "EEXIST", b => b.AddFunction(Port).AddFunction(Port));
        yield return Case(TopologyDefectKind.DuplicateHostBridge, "EEXIST", b => b.AddHostBridge(Bridge));
        yield return Case(
            TopologyDefectKind.DuplicateNode, "EEXIST",
            b => b.AddNode(new NumaNode(new NodeId(1))).AddNode(new NumaNode(new NodeId(1))));
        yield return Case(
            TopologyDefectKind.DuplicateHost, "EEXIST",
            b => b.AddHost(CpuIdentity.Unknown).AddHost(CpuIdentity.Unknown));
        yield return Case(
            TopologyDefectKind.DuplicateBar, "EEXIST",
            b => b.AddFunction(Port with { Bars = [default, default] }));
        yield return Case(TopologyDefectKind.MissingParent, "ENODEV", b => b.AddFunction(Leaf));
        yield return Case(
            TopologyDefectKind.MissingHostBridge, "ENODEV",
            b => b.AddFunction(Port with { HostBridge = new PciBusId(0, 0x40) }));
        yield return Case(TopologyDefectKind.MissingHost, "ENODEV", b => b.AddFunction(Port with { Host = new HostId(1) }));
        yield return Case(
            TopologyDefectKind.MissingHost, "ENODEV",
            b => b.AddNode(new NumaNode(new NodeId(1)) { Host = new HostId(1) }));
        yield return Case(
            TopologyDefectKind.Cycle, "EINVAL",
            b => b.AddFunction(Below("01:00.0", "02:00.0", PciPortType.SwitchUpstream))
                .AddFunction(Below("02:00.0", "01:00.0", PciPortType.SwitchUpstream)));
        yield return Case(
            TopologyDefectKind.Cycle, "EINVAL",
            b => b.AddFunction(Below("01:00.0", "01:00.0", PciPortType.SwitchUpstream)));
        yield return Case(
            TopologyDefectKind.ParentIsNoBridge, "EINVAL",
            b => b.AddFunction(Port with { PortType = PciPortType.Endpoint }).AddFunction(Leaf));
        yield return Case(
            TopologyDefectKind.HostBridgeDiffersFromParent, "EINVAL",
            b => b.AddHostBridge(Bridge with { Bus = new PciBusId(0, 0x40) })
                .AddFunction(Port).AddFunction(Leaf with { HostBridge = new PciBusId(0, 0x40) }));
    }

    [TestCaseSource(nameof(Defects))]
    public void TryBuild_Defect_IsRefusedWithItsKind(
        TopologyDefectKind kind, string errno, Func<TopologyBuilder, TopologyBuilder> fill)
    {
        ArgumentNullException.ThrowIfNull(fill);
        TopologyBuilder builder = fill(new TopologyBuilder().AddHostBridge(Bridge));

        Assert.That(builder.TryBuild(out Topology? topology, out TopologyDefect defect), Is.False);
        Assert.That((topology, defect.Kind, defect.Errno.ToString()), Is.EqualTo(((Topology?)null, kind, errno)));
        Assert.That(defect.ToString(), Is.Not.Empty);
        Assert.That(() => builder.Build(), Throws.InvalidOperationException.With.Message.EqualTo(defect.ToString()));
    }

    [Test]
    public void TryBuild_ChainOfThousands_IsRefusedAsTooDeep()
    {
        var builder = new TopologyBuilder();
        builder.AddFunction(new PciFunction { Address = new PciAddress(0, 0, 0, 0), PortType = PciPortType.VirtualSwitch });
        for (uint i = 1; i < 5000; i++)
        {
            builder.AddFunction(new PciFunction
            {
                Address = new PciAddress(i, 0, 0, 0),
                Parent = new PciAddress(i - 1, 0, 0, 0),
                PortType = PciPortType.VirtualSwitch,
            });
        }

        Assert.That(builder.TryBuild(out _, out TopologyDefect defect), Is.False);
        Assert.That(defect.Kind, Is.EqualTo(TopologyDefectKind.TooDeep));
    }

    [Test]
    public void Build_ChildrenBeforeParents_FillsInTheHostBridge()
    {
        TopologySnapshot snapshot = new TopologyBuilder()
            .AddHostBridge(Bridge).AddFunction(Leaf).AddFunction(Port).Build().Snapshot;

        Assert.That(snapshot.TryFind(At("01:00.0"), out PciFunction? leaf), Is.True);
        Assert.That(leaf!.HostBridge, Is.EqualTo((PciBusId?)default(PciBusId)));
        Assert.That(snapshot.HostBridgeOf(leaf), Is.EqualTo(Bridge));
        Assert.That(snapshot.ParentOf(leaf)!.Address, Is.EqualTo(Port.Address));
        Assert.That(snapshot.CollectChildren(snapshot.ParentOf(leaf)!), Is.EqualTo(new[] { leaf }));
    }

    [Test]
    public void Build_OrderOnTheRootBus_IsThatOfAdding()
    {
        PciFunction zero = Root("00:00.0", "00", "8086:3c00", PciPortType.Endpoint);

        TopologySnapshot snapshot = new TopologyBuilder()
            .AddHostBridge(Bridge).AddFunction(Port).AddFunction(zero).Build().Snapshot;

        Assert.That(snapshot.FirstOnRootBusOf(Bridge)!.Address, Is.EqualTo(Port.Address));
        Assert.That(snapshot.CollectRootFunctions(Bridge).Select(f => f.Address), Is.EqualTo(new[] { Port.Address, zero.Address }));
    }

    [Test]
    public void Build_OneAddressOnTwoHosts_AreTwoFunctions()
    {
        var other = new HostId(1);
        TopologySnapshot snapshot = new TopologyBuilder()
            .AddHost(new TopologyHost(HostId.First) { Name = "a" }).AddHost(new TopologyHost(other) { Name = "b" })
            .AddFunction(Port with { HostBridge = null }).AddFunction(Port with { Host = other, HostBridge = null })
            .Build().Snapshot;

        Assert.That(snapshot.Functions, Has.Count.EqualTo(2));
        Assert.That(snapshot.TryFind(new PciPlace(other, Port.Address), out PciFunction? second), Is.True);
        Assert.That(snapshot.HostOf(second!.Host).Name, Is.EqualTo("b"));
        Assert.That(() => snapshot.HostOf(new HostId(2)), Throws.TypeOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void TryFindByName_OsDevice_IsItsFunction()
    {
        TopologySnapshot snapshot = new TopologyBuilder().AddHostBridge(Bridge)
            .AddFunction(Port with { OsDevices = [new OsDevice("mlx5_0", OsDeviceKind.Rdma)] }).Build().Snapshot;

        Assert.That(snapshot.TryFindByName("mlx5_0", out PciFunction? function), Is.True);
        Assert.That(function!.Address, Is.EqualTo(Port.Address));
        Assert.That(snapshot.TryFindByName("mlx5_1", out _), Is.False);
    }

    private static TestCaseData Case(
        TopologyDefectKind kind, string errno, Func<TopologyBuilder, TopologyBuilder> fill) =>
        new TestCaseData(kind, errno, fill).SetArgDisplayNames(kind.ToString(), errno);
}
