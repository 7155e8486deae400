using FsCheck;
using FsCheck.Fluent;
using Mm.Core.Checks;

namespace Mm.Core.Tests;

/// <summary>The map against a bytewise model of a small address space.</summary>
internal sealed class AddressMapProperties
{
    private const int Space = 64;

    [FsCheck.NUnit.Property(MaxTest = 500)]
    public Property Map_UnderRandomAddsAndRemoves_AgreesWithAnArrayOfOwners(uint seed)
    {
        var random = new MachineRandom(seed);
        var map = new AddressMap();
        var owners = new AddressRegion?[Space];
        for (int step = 0; step < 40; step++)
        {
            Step(random, map, owners);
            ((IValidator)map).Validate();
        }

        bool agrees = Enumerable.Range(0, Space).All(
            i => map.TryFind(new PhysAddr((ulong)i), out AddressRegion? found) == (owners[i] is not null) && found == owners[i]);
        return agrees.Label($"map: {string.Join("; ", map.Regions)}");
    }

    private static void Step(MachineRandom random, AddressMap map, AddressRegion?[] owners)
    {
        int start = (int)random.NextBelow(Space);
        int length = 1 + (int)random.NextBelow((ulong)Math.Min(8, Space - start));
        var range = new PhysRange(new PhysAddr((ulong)start), new ByteCount((ulong)length));
        if (random.OneIn(3) && owners[start] is { } victim)
        {
            Assert.That(map.TryTakeOut(victim), Is.True);
            Assert.That(map.TryTakeOut(victim), Is.False);
            owners.AsSpan().Replace(victim, null);
            return;
        }

        AddressRegion? inTheWay = owners.AsSpan(start, length).ToArray().FirstOrDefault(owner => owner is not null);
        Assert.That(map.TryFindOverlap(range, out AddressRegion? overlap), Is.EqualTo(inTheWay is not null));
        Assert.That(overlap, Is.SameAs(inTheWay));
        var region = new AddressRegion(AddressRegionKind.DeviceWindow, range, NodeId.None, "window");
        if (map.TryAdd(region, out AddressRegion? conflict))
        {
            owners.AsSpan(start, length).Fill(region);
        }

        Assert.That(conflict, Is.SameAs(inTheWay));
    }
}
