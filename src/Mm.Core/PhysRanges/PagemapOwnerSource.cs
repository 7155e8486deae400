using System.Runtime.CompilerServices;
using Mm.Core.Pagemaps;

namespace Mm.Core.PhysRanges;

/// <summary>A machine's page maps as owners of ranges: one identity for each map.</summary>
/// <remarks>
/// Knows no owner for device-private memory, which no list of addresses may name, nor for a PCI_P2PDMA map until a
/// provider answers for its addresses: without one nobody could say how a peer reaches them.
/// <para><b>Linux:</b> page->pgmap, as zone_device_pages_have_same_pgmap() compares it (v6.12).</para>
/// <para><b>Invariants:</b> (1) a map has the same identity for as long as it has the same provider.</para>
/// <para><b>Locking:</b> safe from any thread; look-ups of a map met before take no lock.</para>
/// </remarks>
/// <param name="pagemaps">The page maps.</param>
/// <param name="providers">Who answers for the addresses of PCI_P2PDMA maps.</param>
internal sealed class PagemapOwnerSource(PagemapRegistry pagemaps, ProviderMap providers) : IRangeOwnerSource
{
    // Identities live as long as their maps. A PCI_P2PDMA map whose provider changes gets another one.
    private readonly ConditionalWeakTable<Pagemap, RangeOwner> owners = [];

    /// <inheritdoc/>
    public long Version => unchecked(pagemaps.Version + providers.Version); // both only grow

    /// <inheritdoc/>
    public RangeOwner? FindOwner(PhysAddr address, out PhysRange extent)
    {
        Pagemap? map = pagemaps.FindListed(address.Pfn, out PfnRange frames);
        extent = frames.ToPhysRange();
        if (map is null || map.Kind == PagemapKind.DevicePrivate)
        {
            return null;
        }

        if (map.Kind != PagemapKind.PciP2pDma)
        {
            return owners.GetValue(map, static fresh => RangeOwner.ForPagemap(NameOf(fresh)));
        }

        RangeOwner? answering = providers.FindOwner(address, out PhysRange aperture);
        extent = extent.Intersect(aperture);
        return answering?.Provider is { } provider ? OwnerWith(map, provider) : null;
    }

    private static string NameOf(Pagemap map) => $"{map.Kind} page map of {map.Ranges[0]}";

    private RangeOwner OwnerWith(Pagemap map, IP2pProvider provider)
    {
        if (owners.TryGetValue(map, out RangeOwner? known) && ReferenceEquals(known.Provider, provider))
        {
            return known;
        }

        lock (owners)
        {
            // Another thread may have been first: then its identity stands.
            if (owners.TryGetValue(map, out known) && ReferenceEquals(known.Provider, provider))
            {
                return known;
            }

            var fresh = RangeOwner.ForPagemap(NameOf(map), provider);
            owners.AddOrUpdate(map, fresh);
            return fresh;
        }
    }
}
