using Mm.Core.Checks;
using Mm.Core.Locking;

namespace Mm.Devices.Rdma;

/// <summary>A NIC's regions by key.</summary>
/// <remarks>
/// Owns the places, and the bits that make an old key of a place lead nowhere.
/// <para><b>Linux:</b> the mkey table of a device (v6.12).</para>
/// <para><b>Invariants:</b> (1) a place is one region's from its registration to its deregistration; (2) two regions that follow
/// each other in a place have different keys, for 255 times.</para>
/// <para><b>Locking:</b> one lock, rank Leaf.</para>
/// </remarks>
internal sealed class RegionKeys
{
    private const int TagBits = 8;

    private readonly RankedLock gate = new(LockRank.Leaf);
    private readonly List<(MemoryRegion? Region, byte Tag)> places = [(null, 0)]; // protected by gate; place 0 is nobody's
    private readonly Stack<int> free = new(); // protected by gate

    internal void Add(MemoryRegion region)
    {
        using RankedLock.Guard held = gate.Enter();
        if (!free.TryPop(out int place))
        {
            place = places.Count;
            places.Add((null, 0));
        }

        byte tag = unchecked((byte)(places[place].Tag + 1)); // comes round, as the bits of a key do
        places[place] = (region, tag);
        region.Key = new RegionKey(((uint)place << TagBits) | tag);
    }

    internal void Remove(MemoryRegion region)
    {
        using RankedLock.Guard held = gate.Enter();
        int place = (int)(region.Key.Value >> TagBits);
        Check.That(ReferenceEquals(places[place].Region, region), $"region keys invariant 1: {region.Key}");
        places[place] = (null, places[place].Tag);
        free.Push(place);
    }

    internal MemoryRegion? Find(RegionKey key)
    {
        using RankedLock.Guard held = gate.Enter();
        int place = (int)(key.Value >> TagBits);
        MemoryRegion? region = place < places.Count ? places[place].Region : null;
        return region is not null && region.Key == key ? region : null;
    }

    internal MemoryRegion[] Collect()
    {
        using RankedLock.Guard held = gate.Enter();
        return [.. places.Where(static place => place.Region is not null).Select(static place => place.Region!)];
    }
}
