using System.Text.Json;
using Mm.Core;
using Mm.P2pDma.Routing;
using Mm.P2pDma.Topologies;

namespace Mm.Cli.Pictures;

/// <summary>The answer of <c>mm p2p check</c>: a verdict with its reason for each client, the sum, and what would make it direct.</summary>
internal sealed class P2pAnswer
{
    private readonly P2pRouter router;
    private readonly List<RouteExplanation> routes;
    private readonly AcsRemedy remedy;

    /// <summary>Asks about a provider and its clients.</summary>
    public P2pAnswer(P2pRouter router, PciPlace provider, PciPlace[] clients)
    {
        this.router = router;
        routes = [.. clients.Select(client => router.Explain(provider, client))];
        remedy = router.FindAcsRemedy(provider, clients);
        Distance = router.DistanceMany(provider, clients);
    }

    /// <summary>What pci_p2pdma_distance_many says.</summary>
    public P2pDistance Distance { get; }

    /// <summary>Prints it for a person.</summary>
    public void Print(TextWriter output)
    {
        foreach (RouteExplanation route in routes)
        {
            output.WriteLine(route);
        }

        PrintBars(output);
        string certainty = Distance.IsCertain ? "" : " (as far as known)";
        output.WriteLine(Distance.IsSupported
            ? $"distance {Distance}{certainty} under {router.Rules}"
            : $"distance -1{certainty}: {Distance.FirstRefused} cannot reach the provider under {router.Rules}");
        PrintRemedy(output);
    }

    /// <summary>Writes it for a program.</summary>
    public void WriteJson(TextWriter output)
    {
        var answer = new
        {
            rules = router.Rules.Name,
            distance = Distance.Total,
            isCertain = Distance.IsCertain,
            routes = routes.Select(route => new
            {
                provider = route.Provider.Place.ToString(),
                client = route.Client.Place.ToString(),
                map = route.Verdict.Kind.ToString(),
                hops = route.Verdict.Hops,
                areHopsExact = route.Verdict.AreHopsExact,
                isCertain = route.Verdict.IsCertain,
                reason = route.Reason.ToString(),
                relation = route.Relation.ToString().ToUpperInvariant(),
                path = route.ClientPath.Select(function => function.Place.ToString()),
                providerPath = route.ProviderPath.Select(function => function.Place.ToString()),
                acsRedirects = route.AcsRedirects.Select(finding => finding.ToString()),
                providerHostBridge = route.ProviderHostBridge?.ToString(),
                clientHostBridge = route.ClientHostBridge?.ToString(),
                bytesPerSecond = route.Bandwidth?.Bound?.BytesPerSecond,
                notKnown = route.Missing.Select(fact => fact.ToString()),
                alternatives = route.Alternatives.Select(alternative => alternative.ToString()),
            }),
            setpci = remedy.IsPossible ? remedy.ToSetPciLines() : [],
        };
        output.WriteLine(JsonSerializer.Serialize(answer, JsonOutput.Options));
    }

    // "At which address": what a direct client would put on the bus, where the source says where the BARs are.
    private void PrintBars(TextWriter output)
    {
        foreach (PciBar bar in routes[0].Provider.Bars.Where(bar => bar.IsMemory))
        {
            string size = bar.Size is { } known ? known.ToString() : "size not known";
            string address = (bar.BusAddress ?? (bar.Address is { } at ? new DmaAddr(at.Value) : null))?.ToString() ?? "not known";
            output.WriteLine($"BAR {bar.Index}: {size}, bus address {address}");
        }
    }

    private void PrintRemedy(TextWriter output)
    {
        if (remedy.IsNeedless)
        {
            return;
        }

        if (!remedy.IsPossible)
        {
            output.WriteLine("no setting of ACS makes this direct: there is no common bridge");
            return;
        }

        output.WriteLine("to go direct, clear the bits that redirect (this weakens isolation between the devices):");
        foreach (string line in remedy.ToSetPciLines())
        {
            output.WriteLine($"  {line}");
        }
    }
}
