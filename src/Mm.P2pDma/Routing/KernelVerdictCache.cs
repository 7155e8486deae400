using System.Collections.Concurrent;
using Mm.Core.PhysRanges;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Routing;

/// <summary>The map types of one provider as Linux keeps them: never dropped, so that they may be stale.</summary>
/// <remarks>
/// For showing what a running kernel does after <c>setpci</c> or hotplug; Mm's own mappings ask <see cref="P2pRouter"/>.
/// A question of distance computes anew and refreshes what is kept; a question of map kind does not.
/// <para><b>Linux:</b> pci_p2pdma.map_types, filled by calc_map_type_and_dist and read by pci_p2pdma_map_type
/// (drivers/pci/p2pdma.c, v6.12).</para>
/// <para><b>Locking:</b> none; safe from any thread.</para>
/// </remarks>
/// <param name="router">Answers what is not kept.</param>
/// <param name="provider">The provider.</param>
public sealed class KernelVerdictCache(P2pRouter router, PciPlace provider)
{
    private readonly ConcurrentDictionary<PciPlace, P2pMapKind> mapTypes = new();

    /// <summary>The kind that a mapping by this client would use.</summary>
    /// <param name="client">The client.</param>
    /// <returns>The kept kind, however old, or a new one.</returns>
    /// <exception cref="ArgumentException">Provider or client do not exist.</exception>
    public P2pMapKind MapKindFor(PciPlace client) =>
        mapTypes.GetOrAdd(client, place => router.Decide(provider, place).Kind);

    /// <summary>The distance to a client, which refreshes the kept kind.</summary>
    /// <param name="client">The client.</param>
    /// <returns>The distance.</returns>
    /// <exception cref="ArgumentException">There is no such provider.</exception>
    public P2pDistance Distance(PciPlace client)
    {
        P2pDistance distance = router.DistanceMany(provider, client);
        if (router.Topology.Snapshot.TryFind(client, out _))
        {
            mapTypes[client] = router.Decide(provider, client).Kind;
        }

        return distance;
    }
}
