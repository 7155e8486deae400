using Mm.Core;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Routing;

/// <summary>Answers whether a client reaches a provider's memory, by which way and why, for one topology under one kernel's rules.</summary>
/// <remarks>
/// Owns a cache of verdicts per pair, which every edit of the topology drops. Not responsible for addresses, which
/// providers make, nor for pools.
/// <para><b>Linux:</b> pci_p2pdma_distance_many and pci_p2pdma_map_type (drivers/pci/p2pdma.c, v6.12). Deliberately
/// different: Linux never drops a cached map type; what that leads to is modelled by <see cref="KernelVerdictCache"/>.</para>
/// <para><b>Invariants:</b> (1) a verdict is that of the topology's snapshot at the time of asking; (2) it depends on
/// snapshot and rules alone, not on what was asked before.</para>
/// <para><b>Locking:</b> none; safe from any thread.</para>
/// </remarks>
public sealed class P2pRouter
{
    // Replaced as a whole when the topology has a newer snapshot; volatile, so that readers see a finished table.
    private volatile RoutingTable table;

    /// <summary>Makes a router.</summary>
    /// <param name="topology">The topology; the router follows its edits.</param>
    /// <param name="rules">The kernel's rules; <see cref="P2pRules.Linux612"/> where left out.</param>
    public P2pRouter(Topology topology, P2pRules? rules = null)
    {
        ArgumentNullException.ThrowIfNull(topology);
        Topology = topology;
        Rules = rules ?? P2pRules.Linux612;
        table = new RoutingTable(topology.Snapshot, Rules);
    }

    /// <summary>The topology that is asked about.</summary>
    public Topology Topology { get; }

    /// <summary>The kernel's rules.</summary>
    public P2pRules Rules { get; }

    /// <summary>A token that dies when a verdict given so far may no longer hold. Take it before asking.</summary>
    public ValidityToken Validity => Topology.Validity;

    /// <summary>The verdict of a pair.</summary>
    /// <param name="provider">The function whose memory it is.</param>
    /// <param name="client">The function that does the DMA.</param>
    /// <returns>The verdict.</returns>
    /// <exception cref="ArgumentException">There is no such function.</exception>
    public P2pVerdict Decide(PciPlace provider, PciPlace client)
    {
        RoutingTable now = Table();
        return now.Decide(IndexOf(now, provider), IndexOf(now, client));
    }

    /// <summary>The verdict of a pair with everything that led to it.</summary>
    /// <param name="provider">The function whose memory it is.</param>
    /// <param name="client">The function that does the DMA.</param>
    /// <returns>The explanation.</returns>
    /// <exception cref="ArgumentException">There is no such function.</exception>
    public RouteExplanation Explain(PciPlace provider, PciPlace client)
    {
        RoutingTable now = Table();
        return new RouteExplainer(now, IndexOf(now, provider), IndexOf(now, client)).Explain();
    }

    /// <summary>How far a provider is from several clients together.</summary>
    /// <param name="provider">The function whose memory it is.</param>
    /// <param name="clients">The functions that do the DMA; one may be named several times, and counts each time. One that
    /// does not exist is, as for the kernel, no PCI device and so cannot reach the provider.</param>
    /// <returns>The sum of hops; not supported where no client is given or one of them cannot.</returns>
    /// <exception cref="ArgumentException">There is no such provider.</exception>
    public P2pDistance DistanceMany(PciPlace provider, params ReadOnlySpan<PciPlace> clients)
    {
        RoutingTable now = Table();
        int owner = IndexOf(now, provider);
        int total = 0;
        bool isCertain = true;
        foreach (PciPlace client in clients)
        {
            if (!now.Snapshot.TryIndexOf(client, out int user))
            {
                return new P2pDistance(null, client, IsCertain: true);
            }

            P2pVerdict verdict = now.Decide(owner, user);
            isCertain &= verdict.IsCertain && verdict.AreHopsExact;
            if (!verdict.IsSupported)
            {
                return new P2pDistance(null, client, verdict.IsCertain);
            }

            total += verdict.Hops ?? 0;
        }

        return clients.IsEmpty ? new P2pDistance(null, null, IsCertain: true) : new P2pDistance(total, null, isCertain);
    }

    /// <summary>The verdicts of all pairs of some functions.</summary>
    /// <param name="places">The functions; all of the topology where left out.</param>
    /// <returns>The matrix.</returns>
    /// <exception cref="ArgumentException">There is no such function.</exception>
    public P2pMatrix Matrix(IReadOnlyList<PciPlace>? places = null)
    {
        RoutingTable now = Table();
        int[] indexes = places is null
            ? [.. Enumerable.Range(0, now.Snapshot.Functions.Count)]
            : [.. places.Select(place => IndexOf(now, place))];
        var verdicts = new P2pVerdict[checked(indexes.Length * indexes.Length)];
        int next = 0;
        foreach (int provider in indexes)
        {
            foreach (int client in indexes)
            {
                verdicts[next++] = now.Decide(provider, client);
            }
        }

        return new P2pMatrix([.. indexes.Select(index => now.Snapshot.Functions[index])], verdicts);
    }

    /// <summary>The smallest set of ACS bits to switch off so that all clients reach the provider directly.</summary>
    /// <param name="provider">The function whose memory it is.</param>
    /// <param name="clients">The functions that do the DMA.</param>
    /// <returns>The bits, or that there is no such set: some pair has no common bridge.</returns>
    /// <exception cref="ArgumentException">There is no such function, or no client is given.</exception>
    public AcsRemedy FindAcsRemedy(PciPlace provider, params ReadOnlySpan<PciPlace> clients)
    {
        if (clients.IsEmpty)
        {
            throw new ArgumentException("no client is given; expected at least one", nameof(clients));
        }

        RoutingTable now = Table();
        int owner = IndexOf(now, provider);
        var asked = new SortedSet<int>();
        foreach (PciPlace client in clients)
        {
            int user = IndexOf(now, client);
            int common = now.CommonOf(owner, user);
            if (common < 0)
            {
                return new AcsRemedy(IsPossible: false, [], []);
            }

            CollectAsked(now.Snapshot, owner, user, common, asked);
        }

        return Remedy(now, asked);
    }

    /// <summary>A router over a copy of the topology in which some ACS controls are different: what if.</summary>
    /// <param name="changes">The functions and their new controls.</param>
    /// <returns>The router; nothing here changes.</returns>
    /// <exception cref="ArgumentException">There is no such function.</exception>
    public P2pRouter WhatIfAcs(params ReadOnlySpan<(PciPlace Place, AcsControl Acs)> changes)
    {
        Topology fork = Topology.Fork();
        foreach ((PciPlace place, AcsControl acs) in changes)
        {
            if (!fork.TrySetAcs(place, acs, out TopologyDefect defect).IsOk)
            {
                throw new ArgumentException(defect.ToString(), nameof(changes));
            }
        }

        return new P2pRouter(fork, Rules);
    }

    /// <summary>A router over a copy of the topology in which a remedy is applied: to see that it helps.</summary>
    /// <param name="remedy">The remedy; functions of unknown ACS are taken to be cleared too.</param>
    /// <returns>The router; nothing here changes.</returns>
    /// <exception cref="ArgumentException">A function of the remedy does not exist.</exception>
    public P2pRouter WhatIf(AcsRemedy remedy)
    {
        ArgumentNullException.ThrowIfNull(remedy);
        return WhatIfAcs(
        [
            .. remedy.Clears.Select(clear => (clear.Function.Place, clear.Function.Acs.Without(clear.Bits))),
            .. remedy.Unknown.Select(clear => (clear.Function.Place, AcsControl.Of(AcsBits.None))),
        ]);
    }

    private static void CollectAsked(TopologySnapshot snapshot, int owner, int user, int common, SortedSet<int> asked)
    {
        foreach (int end in (ReadOnlySpan<int>)[owner, user])
        {
            for (int at = end; at != common; at = snapshot.ParentIndexes[at])
            {
                asked.Add(at);
            }
        }

        asked.Add(common);
    }

    private static AcsRemedy Remedy(RoutingTable now, SortedSet<int> asked)
    {
        var clears = new List<AcsClear>();
        var unknown = new List<AcsClear>();
        foreach (int index in asked)
        {
            PciFunction function = now.Snapshot.Functions[index];
            AcsEffect effect = RoutingTable.AcsOf(function, now.Rules);
            if (effect == AcsEffect.Redirects)
            {
                clears.Add(new AcsClear(function, function.Acs.Bits & now.Rules.RedirectBits));
            }
            else if (effect == AcsEffect.Unknown)
            {
                unknown.Add(new AcsClear(function, now.Rules.RedirectBits));
            }
        }

        return new AcsRemedy(IsPossible: true, clears, unknown);
    }

    private static int IndexOf(RoutingTable now, PciPlace place) =>
        now.Snapshot.TryIndexOf(place, out int index)
            ? index
            : throw new ArgumentException($"function {place} does not exist in the topology", nameof(place));

    private RoutingTable Table()
    {
        RoutingTable now = table;
        TopologySnapshot snapshot = Topology.Snapshot;
        if (ReferenceEquals(now.Snapshot, snapshot))
        {
            return now;
        }

        // Two threads may both make one; they are equal, and an older one is replaced at the next question.
        now = new RoutingTable(snapshot, Rules);
        table = now;
        return now;
    }
}
