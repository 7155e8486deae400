using Mm.Core.PhysRanges;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Routing;

/// <summary>Collects why a pair's verdict is what it is.</summary>
/// <param name="table">The snapshot and rules.</param>
/// <param name="provider">The provider's index.</param>
/// <param name="client">The client's index.</param>
internal sealed class RouteExplainer(RoutingTable table, int provider, int client)
{
    private readonly TopologySnapshot snapshot = table.Snapshot;
    private readonly int common = table.CommonOf(provider, client);
    private readonly P2pVerdict verdict = table.Decide(provider, client);
    private readonly List<PciFunction> unknownAcs = [];
    private readonly List<AcsFinding> redirects = [];

    public RouteExplanation Explain()
    {
        PciFunction owner = snapshot.Functions[provider];
        PciFunction user = snapshot.Functions[client];
        if (owner.Host != user.Host)
        {
            return new RouteExplanation
            {
                Provider = owner,
                Client = user,
                Rules = table.Rules,
                Verdict = verdict,
                Reason = P2pReason.DifferentHosts,
            };
        }

        List<PciFunction> providerPath = Path(provider, common);
        List<PciFunction> clientPath = Path(client, common);
        if (common >= 0)
        {
            InspectAcs(providerPath, clientPath);
        }

        CpuIdentity cpu = snapshot.HostOf(owner.Host).Cpu;
        bool asksRoot = AsksRoot;
        return new RouteExplanation
        {
            Provider = owner,
            Client = user,
            Rules = table.Rules,
            Verdict = verdict,
            Reason = Reason(),
            ProviderPath = providerPath,
            ClientPath = clientPath,
            CommonBridge = common < 0 ? null : snapshot.Functions[common],
            AcsRedirects = redirects,
            Cpu = cpu,
            CpuCarriesPeerTraffic = asksRoot ? table.Rules.CpuCarriesPeerTraffic(cpu) : null,
            ProviderHostBridge = asksRoot ? Answer(provider, client) : null,
            ClientHostBridge = asksRoot ? Answer(client, provider) : null,
            Missing = verdict.IsCertain ? [] : CollectMissing(cpu),
            Alternatives = verdict.IsCertain ? [] : [.. CollectAlternatives()],
            Relation = RelationRule.Of(snapshot, provider, client, common),
            Bandwidth = verdict.IsSupported ? Measure(providerPath, clientPath) : null,
        };
    }

    /// <summary>Whether traffic passes, or may pass, the root.</summary>
    private bool AsksRoot =>
        verdict.CanBe(P2pMapKind.ThroughHostBridge) || verdict.CanBe(P2pMapKind.NotSupported);

    private P2pReason Reason() => verdict.Kind switch
    {
        P2pMapKind.BusAddress => provider == client ? P2pReason.SameFunction : P2pReason.CommonBridge,
        P2pMapKind.ThroughHostBridge => common >= 0 ? P2pReason.AcsRedirectAllowed : P2pReason.RootAllowed,
        _ => common >= 0 ? P2pReason.AcsRedirectRefused : P2pReason.RootRefused,
    };

    private HostBridgeAnswer Answer(int of, int other)
    {
        int bridge = snapshot.BridgeIndexes[of];
        return table.HostBridges.AnswerFor(bridge, bridge == snapshot.BridgeIndexes[other]);
    }

    private List<PciFunction> Path(int from, int to)
    {
        var path = new List<PciFunction>();
        for (int at = from; at >= 0; at = snapshot.ParentIndexes[at])
        {
            path.Add(snapshot.Functions[at]);
            if (at == to)
            {
                break;
            }
        }

        return path;
    }

    // The provider's side with the common bridge first, then the client's without it: the kernel's order.
    private void InspectAcs(List<PciFunction> providerPath, List<PciFunction> clientPath)
    {
        foreach (PciFunction function in providerPath.Concat(clientPath.SkipLast(1)))
        {
            AcsEffect effect = RoutingTable.AcsOf(function, table.Rules);
            if (effect == AcsEffect.Redirects)
            {
                redirects.Add(new AcsFinding(function, function.Acs.Bits & table.Rules.RedirectBits));
            }
            else if (effect == AcsEffect.Unknown)
            {
                unknownAcs.Add(function);
            }
        }
    }

    private List<MissingFact> CollectMissing(CpuIdentity cpu)
    {
        var missing = new List<MissingFact>();
        if (verdict.CanBe(P2pMapKind.BusAddress))
        {
            missing.AddRange(unknownAcs.Select(function => new MissingFact(MissingFactKind.Acs, function.Place.ToString())));
            if (!verdict.AreHopsExact)
            {
                string between = $"between {snapshot.Functions[provider].Place} and {snapshot.Functions[client].Place}";
                missing.Add(new MissingFact(MissingFactKind.Ports, between));
            }
        }

        if (table.IsAllowedThroughRoot(provider, client) is not null)
        {
            return missing;
        }

        if (table.Rules.CpuCarriesPeerTraffic(cpu) is null)
        {
            missing.Add(new MissingFact(MissingFactKind.Cpu, snapshot.Functions[provider].Host.ToString()));
        }

        AddBridge(missing, provider, client);
        AddBridge(missing, client, provider);
        return missing;
    }

    private void AddBridge(List<MissingFact> missing, int of, int other)
    {
        HostBridgeAnswer answer = Answer(of, other);
        if (answer.IsAllowed is not null)
        {
            return;
        }

        MissingFact fact = answer.Bridge is { } bridge
            ? new MissingFact(MissingFactKind.FirstDevice, bridge.ToString())
            : new MissingFact(MissingFactKind.HostBridge, snapshot.Functions[of].Place.ToString());
        if (!missing.Contains(fact))
        {
            missing.Add(fact);
        }
    }

    private IEnumerable<P2pAlternative> CollectAlternatives()
    {
        bool mayBeDirect = verdict.CanBe(P2pMapKind.BusAddress);
        if (mayBeDirect)
        {
            yield return new P2pAlternative("none of them redirects", P2pMapKind.BusAddress);
        }

        string redirected = mayBeDirect ? "one of them redirects" : "";
        bool isOpen = verdict.CanBe(P2pMapKind.ThroughHostBridge) && verdict.CanBe(P2pMapKind.NotSupported);
        string and = mayBeDirect && isOpen ? " and " : "";
        if (verdict.CanBe(P2pMapKind.ThroughHostBridge))
        {
            string rule = isOpen ? "the CPU or the allow list lets the root carry it" : "";
            yield return new P2pAlternative(redirected + and + rule, P2pMapKind.ThroughHostBridge);
        }

        if (verdict.CanBe(P2pMapKind.NotSupported))
        {
            string rule = isOpen ? "neither CPU nor allow list does" : "";
            yield return new P2pAlternative(redirected + and + rule, P2pMapKind.NotSupported);
        }
    }

    private PathBandwidth Measure(List<PciFunction> providerPath, List<PciFunction> clientPath) =>
        verdict.Kind == P2pMapKind.BusAddress || common < 0
            ? PathBandwidthMeter.Measure(providerPath, clientPath)
            : PathBandwidthMeter.Measure(Path(provider, -1), Path(client, -1)); // redirected: up to the root and down again
}
