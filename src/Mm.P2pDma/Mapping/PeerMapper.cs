using Mm.Core;
using Mm.Core.Dma;
using Mm.Core.PhysRanges;
using Mm.P2pDma.Bars;
using Mm.P2pDma.Routing;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Mapping;

/// <summary>Maps one list for several clients and tells each one's way, or why there is none.</summary>
/// <remarks>
/// Decides nothing itself: the mapping is <see cref="DmaDevice"/>'s, the reason is the router's.
/// <para><b>Linux:</b> dma_map_sgtable for each client, with what pci_p2pdma_distance_many(verbose) would print (v6.12).</para>
/// <para><b>Locking:</b> none; safe from any thread.</para>
/// </remarks>
public sealed class PeerMapper
{
    private readonly PciSystem system;

    internal PeerMapper(PciSystem system) => this.system = system;

    /// <summary>Maps a list for one client.</summary>
    /// <param name="list">The memory.</param>
    /// <param name="client">The function that will do the DMA.</param>
    /// <param name="direction">Which way the bytes will flow.</param>
    /// <param name="attempt">The mapping or the refusal, with the routes; the caller disposes it.</param>
    /// <returns>As <see cref="DmaDevice.TryMap(PhysRangeList, DmaDirection, out DmaMapping)"/>;
    /// <see cref="Errno.ENODEV"/> also where the client is no function of the system or has no DMA view.</returns>
    public Errno TryMap(PhysRangeList list, PciPlace client, DmaDirection direction, out PeerMapAttempt attempt)
    {
        ArgumentNullException.ThrowIfNull(list);
        DmaMapping? mapping = null;
        bool isKnown = system.Devices.TryFind(client, out PciDevice? device);
        IReadOnlyList<RouteExplanation> routes = isKnown ? CollectRoutes(list, client) : [];
        Errno errno = isKnown && system.Machine.Dma.TryFind(device!.Id, out DmaDevice? view)
            ? view.TryMap(list, direction, out mapping)
            : Errno.ENODEV;
        attempt = new PeerMapAttempt(client, errno, mapping, routes);
        return errno;
    }

    /// <summary>Maps a list for several clients; the refusal of one leaves the others.</summary>
    /// <param name="list">The memory.</param>
    /// <param name="direction">Which way the bytes will flow.</param>
    /// <param name="clients">The functions that will do the DMA.</param>
    /// <returns>One attempt a client, in order; the caller disposes each.</returns>
    public IReadOnlyList<PeerMapAttempt> MapForEach(
        PhysRangeList list, DmaDirection direction, params ReadOnlySpan<PciPlace> clients)
    {
        var attempts = new PeerMapAttempt[clients.Length];
        for (int i = 0; i < clients.Length; i++)
        {
            _ = TryMap(list, clients[i], direction, out attempts[i]); // each attempt carries its answer
        }

        return attempts;
    }

    private List<RouteExplanation> CollectRoutes(PhysRangeList list, PciPlace client)
    {
        var routes = new List<RouteExplanation>();
        var asked = new HashSet<PciPlace>();
        foreach (OwnerRun run in list.OwnerRuns)
        {
            if (run.Owner.Provider is { } provider
                && system.Devices.TryFind(provider.Owner, out PciDevice? owner)
                && asked.Add(owner.Place))
            {
                routes.Add(system.Router.Explain(owner.Place, client));
            }
        }

        return routes;
    }
}
