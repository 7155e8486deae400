using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Tests.Importers;

/// <summary>Holds two snapshots equal in everything that they hold, order included.</summary>
internal static class TopologyAssert
{
    internal static void AreEqual(TopologySnapshot actual, TopologySnapshot expected)
    {
        Assert.That(actual.Omissions, Is.EqualTo(expected.Omissions));
        Assert.That(actual.Hosts, Is.EqualTo(expected.Hosts));
        Assert.That(actual.Nodes, Is.EqualTo(expected.Nodes));
        Assert.That(actual.HostBridges, Is.EqualTo(expected.HostBridges));
        Assert.That(actual.Interconnects, Is.EqualTo(expected.Interconnects));
        Assert.That(actual.Functions, Has.Count.EqualTo(expected.Functions.Count));
        for (int index = 0; index < expected.Functions.Count; index++)
        {
            PciFunction mine = actual.Functions[index];
            PciFunction theirs = expected.Functions[index];
            Assert.That(mine.Bars, Is.EqualTo(theirs.Bars), theirs.ToString());
            Assert.That(mine.OsDevices, Is.EqualTo(theirs.OsDevices), theirs.ToString());

            // Lists compare by reference in a record; they are equal already.
            Assert.That(mine with { Bars = [], OsDevices = [] }, Is.EqualTo(theirs with { Bars = [], OsDevices = [] }));
        }
    }
}
