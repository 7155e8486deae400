using Mm.Core;
using Mm.P2pDma.Importers.MachineFiles;
using Mm.P2pDma.Machines;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Tests.Machines;

[TestFixtureSource(typeof(BuiltInMachines), nameof(BuiltInMachines.Names))]
public sealed class BuiltInMachinesTests(string name)
{
    private readonly TopologySnapshot snapshot = Get(name).Snapshot;

    [Test]
    public void Text_OfTheResource_IsWhatMmWrites()
    {
        using Stream stream = typeof(BuiltInMachines).Assembly.GetManifestResourceStream($"{name}.json")!;
        using var reader = new StreamReader(stream);
        Assert.That(reader.ReadToEnd(), Is.EqualTo(MachineFile.Write(snapshot)));
    }

    [Test]
    public void TryGet_Twice_GivesTopologiesOfTheirOwn()
    {
        Topology first = Get(name);
        Topology second = Get(name);
        Assert.That(first.TrySetAcs(snapshot.Functions[0].Place, AcsControl.Unknown, out _), Is.EqualTo(Errno.Ok));
        Assert.That(second.Snapshot.Functions[0].Acs.IsKnown, Is.True);
    }

    [Test]
    public void Facts_OfEveryFunction_AreComplete()
    {
        Assert.That(BuiltInMachines.Describe(name), Is.Not.Empty);
        Assert.That(snapshot.Omissions, Is.EqualTo(TopologyOmissions.None));
        Assert.That(snapshot.HostBridges, Has.All.Matches<HostBridge>(bridge => bridge is { IsRootBusComplete: true, LastBus: not null }));
        foreach (PciFunction function in snapshot.Functions)
        {
            Assert.That(function.Id, Is.Not.Null, function.ToString());
            Assert.That(function.Class, Is.Not.Null, function.ToString());
            Assert.That(function.PortType, Is.Not.EqualTo(PciPortType.Unknown), function.ToString());
            Assert.That(function.Acs.IsKnown, Is.True, function.ToString());
            Assert.That(function.Node.IsKnown, Is.True, function.ToString());
            Assert.That(function.HostBridge, Is.Not.Null, function.ToString());
            Assert.That(function.Label, Is.Not.Empty, function.ToString());
        }
    }

    [Test]
    public void Buses_OfEveryBridge_HoldWhatIsBelow()
    {
        foreach (PciFunction function in snapshot.Functions)
        {
            if (snapshot.ParentOf(function) is not { } parent)
            {
                Assert.That(function.Address.BusId, Is.EqualTo(function.HostBridge), function.ToString());
                continue;
            }

            PciBusRange above = parent.BusesBelow!.Value;
            Assert.That(function.Address.Bus, Is.EqualTo(above.Secondary), function.ToString());
            if (function.BusesBelow is { } below)
            {
                Assert.That(below.Secondary, Is.GreaterThan(above.Secondary), function.ToString());
                Assert.That(below.Subordinate, Is.LessThanOrEqualTo(above.Subordinate), function.ToString());
            }
        }
    }

    [Test]
    public void Bars_OfAllFunctions_AreAlignedAndApart()
    {
        var ranges = new List<PhysRange>();
        foreach (PciBar bar in snapshot.Functions.SelectMany(function => function.Bars))
        {
            Assert.That(bar.TryGetRange(out PhysRange range), Is.True, bar.ToString());
            Assert.That(range.Start.Value % range.Length.Value, Is.Zero, bar.ToString());
            Assert.That(ranges.Where(range.Overlaps), Is.Empty, bar.ToString());
            ranges.Add(range);
        }

        Assert.That(ranges, Is.Not.Empty);
    }

    private static Topology Get(string name)
    {
        Assert.That(BuiltInMachines.TryGet(name, out Topology? topology), Is.True);
        return topology!;
    }
}
