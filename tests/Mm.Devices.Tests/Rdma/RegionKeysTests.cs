using Mm.Core;
using Mm.Devices.Rdma;

namespace Mm.Devices.Tests.Rdma;

internal sealed class RegionKeysTests
{
    [Test]
    public void Key_OfADeregisteredRegion_LeadsNowhereThoughItsPlaceIsUsedAgain()
    {
        using var rig = new RdmaRig();
        VirtRange range = rig.Across.Map(1, 2);
        MemoryRegion first = rig.Across.Register(range);
        first.Dispose();
        MemoryRegion second = rig.Across.Register(range);
        MemoryRegion local = rig.Near.Register(rig.Near.Map(1, 1));

        Assert.That(second.Key.Value >> 8, Is.EqualTo(first.Key.Value >> 8), "the place is used again");
        Assert.That(second.Key, Is.Not.EqualTo(first.Key));
        Assert.That(rig.Near.Do(WorkOpcode.Write, RdmaEnd.Piece(local), first), Is.EqualTo(WorkStatus.RemoteAccessError));
        Assert.That(rig.Across.Read(range)[0], Is.EqualTo(2));
    }

    [Test]
    public void Key_NeverGiven_IsNobodys()
    {
        using var rig = new RdmaRig();

        Assert.That(rig.Near.Nic.Keys.Find(default), Is.Null);
        Assert.That(rig.Near.Nic.Keys.Find(new RegionKey(0xffff_ff00)), Is.Null);
    }
}
