using Mm.Core;
using Mm.P2pDma.Topologies;
using static Mm.P2pDma.Tests.Routing.Machines;

namespace Mm.P2pDma.Tests.Topologies;

public sealed class TopologyTests
{
    [Test]
    public void TryAdd_OnARootBus_ComesLastAndEndsTokens()
    {
        Topology topology = Switch(Intel).Build();
        ValidityToken before = topology.Validity;
        TopologySnapshot old = topology.Snapshot;

        Errno errno = topology.TryAdd(Root("00:00.1", "00", "8086:3c00", PciPortType.Endpoint), out _);

        Assert.That(errno, Is.EqualTo(Errno.Ok));
        Assert.That((before.IsValid, topology.Validity.IsValid), Is.EqualTo((false, true)));
        Assert.That(topology.Snapshot.Functions[^1].Address, Is.EqualTo(At("00:00.1")));
        Assert.That(old.TryFind(At("00:00.1"), out _), Is.False, "a snapshot never changes");
        Assert.That((old.Version, topology.Snapshot.Version), Is.EqualTo((0L, 1L)));
    }

    [Test]
    public void TryAddSubtree_ChildrenFirst_IsAddedWhole()
    {
        Topology topology = Switch(Intel).Build();

        Errno errno = topology.TryAddSubtree(
            [Below("0a:00.0", "09:00.0", PciPortType.Endpoint), Below("09:00.0", "00:01.0", PciPortType.SwitchUpstream)], out _);

        Assert.That(errno, Is.EqualTo(Errno.Ok));
        Assert.That(topology.Snapshot.TryFind(At("0a:00.0"), out _), Is.True);
    }

    [Test]
    public void TryRemove_ASwitch_TakesAllBelowAndTheLinksThatNameThem()
    {
        TopologyBuilder builder = Switch(Intel);
        builder.AddInterconnect(new InterconnectLink(InterconnectKind.NvLink, At("03:00.0")) { To = At("04:00.0") });
        builder.AddInterconnect(new InterconnectLink(InterconnectKind.NvLink, At("05:00.0")) { ToName = "Package 0" });
        Topology topology = builder.Build();

        Assert.That(topology.TryRemove(At("01:00.0"), out _), Is.EqualTo(Errno.Ok));

        Assert.That(
            topology.Snapshot.Functions.Select(function => function.Address),
            Is.EqualTo(new[] { At("00:00.0"), At("00:01.0"), At("05:00.0") }));
        Assert.That(topology.Snapshot.Interconnects.Single().ToName, Is.EqualTo("Package 0"));
    }

    [Test]
    public void Edits_Refused_ChangeNothingAndKeepTokens()
    {
        Topology topology = Switch(Intel).Build();
        ValidityToken token = topology.Validity;
        TopologySnapshot before = topology.Snapshot;
        PciFunction known = before.Functions[5];

        Assert.That(topology.TryAdd(known, out TopologyDefect twice), Is.EqualTo(Errno.EEXIST));
        Assert.That(topology.TryAdd(Below("0a:00.0", "77:00.0", PciPortType.Endpoint), out _), Is.EqualTo(Errno.ENODEV));
        Assert.That(topology.TryAdd(Below("0a:00.0", "03:00.0", PciPortType.Endpoint), out _), Is.EqualTo(Errno.EINVAL));
        Assert.That(topology.TryRemove(At("77:00.0"), out TopologyDefect missing), Is.EqualTo(Errno.ENODEV));
        Assert.That(topology.TrySetAcs(At("77:00.0"), AcsControl.Absent, out _), Is.EqualTo(Errno.ENODEV));
        Assert.That(topology.TryReplace(known with { Parent = At("02:01.0") }, out _), Is.EqualTo(Errno.EINVAL));
        Assert.That(topology.TryReplace(known with { Address = At("77:00.0") }, out _), Is.EqualTo(Errno.ENODEV));
        Assert.That(topology.TryReplace(known with { Bars = [default, default] }, out _), Is.EqualTo(Errno.EEXIST));
        PciFunction port = before.Functions[0];
        Assert.That(topology.TryReplace(port with { PortType = PciPortType.Endpoint }, out _), Is.EqualTo(Errno.EINVAL));
        Assert.That(topology.TrySetHost(new TopologyHost(new HostId(9)), out _), Is.EqualTo(Errno.ENODEV));

        Assert.That((twice.Place, missing.ToString()), Is.EqualTo(((PciPlace?)known.Place, "function 0000:77:00.0 does not exist")));
        Assert.That(topology.Snapshot, Is.SameAs(before));
        Assert.That(token.IsValid, Is.True);
    }

    [Test]
    public void TryReplace_NewBars_AreThere()
    {
        Topology topology = Switch(Intel).Build();
        Assert.That(topology.Snapshot.TryFind(At("03:00.0"), out PciFunction? function), Is.True);

        var bar = new PciBar(2, new PhysAddr(0x10000000), ByteCount.FromMiB(32), PciBarFlags.Memory);
        Assert.That(topology.TryReplace(function! with { Bars = [bar] }, out _), Is.EqualTo(Errno.Ok));

        Assert.That(topology.Snapshot.TryFind(At("03:00.0"), out PciFunction? after), Is.True);
        Assert.That((after!.TryGetBar(2, out PciBar found), found), Is.EqualTo((true, bar)));
        Assert.That(after.TryGetBar(0, out _), Is.False);
    }

    [Test]
    public void TrySetHost_Cpu_BecomesKnown()
    {
        Topology topology = Switch(CpuIdentity.Unknown).Build();

        Assert.That(topology.TrySetHost(new TopologyHost(HostId.First) { Cpu = Intel }, out _), Is.EqualTo(Errno.Ok));

        Assert.That(topology.Snapshot.HostOf(HostId.First).Cpu, Is.EqualTo(Intel));
    }

    [Test]
    public void Fork_Edited_LeavesTheFirstAlone()
    {
        Topology topology = Switch(Intel).Build();
        ValidityToken token = topology.Validity;

        Assert.That(topology.Fork().TryRemove(At("01:00.0"), out _), Is.EqualTo(Errno.Ok));

        Assert.That(topology.Snapshot.Functions, Has.Count.EqualTo(9));
        Assert.That(token.IsValid, Is.True);
    }

    [Test]
    public void Snapshot_FunctionOfAnother_IsTheCallersMistake()
    {
        TopologySnapshot one = Switch(Intel).Build().Snapshot;
        TopologySnapshot other = Switch(Intel).Build().Snapshot;

        Assert.That(() => one.ParentOf(other.Functions[5]), Throws.ArgumentException);
        Assert.That(() => one.FirstOnRootBusOf(new HostBridge { Bus = new PciBusId(7, 7) }), Throws.ArgumentException);
    }
}
