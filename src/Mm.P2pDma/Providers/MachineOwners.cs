using Mm.Core;
using Mm.Core.PhysRanges;

namespace Mm.P2pDma.Providers;

/// <summary>What a machine's address map says of an address: RAM, or a window that nobody provides yet.</summary>
/// <remarks>
/// The last layer behind page maps and providers.
/// <para><b>Locking:</b> one of its own, for the windows' identities.</para>
/// </remarks>
internal sealed class MachineOwners(AddressMap map) : IRangeOwnerSource
{
    private readonly Lock gate = new();
    private readonly Dictionary<AddressRegion, RangeOwner> windows = []; // protected by gate
    private IReadOnlyList<AddressRegion>? seen; // protected by gate
    private long version; // protected by gate

    /// <inheritdoc/>
    public long Version
    {
        get
        {
            // The map publishes a new list with each change: another list is another version.
            lock (gate)
            {
                IReadOnlyList<AddressRegion> now = map.Regions;
                version += ReferenceEquals(seen, now) ? 0 : 1;
                seen = now;
                return version;
            }
        }
    }

    /// <inheritdoc/>
    public RangeOwner? FindOwner(PhysAddr address, out PhysRange extent)
    {
        if (!map.TryFind(address, out AddressRegion? region))
        {
            extent = new PhysRange(address, new ByteCount(1));
            return null;
        }

        extent = region.Range;
        return region.Kind switch
        {
            AddressRegionKind.Ram => RangeOwner.Ram,
            AddressRegionKind.DeviceWindow => OwnerOf(region),
            _ => null, // reserved, or private: no device reaches it by address
        };
    }

    private RangeOwner OwnerOf(AddressRegion region)
    {
        lock (gate)
        {
            if (!windows.TryGetValue(region, out RangeOwner? owner))
            {
                owner = RangeOwner.ForDeviceWindow(region.Name);
                windows.Add(region, owner);
            }

            return owner;
        }
    }
}
