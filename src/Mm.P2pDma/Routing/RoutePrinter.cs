using System.Text;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Routing;

/// <summary>Prints an explanation: the answer first, then the path, then what decided.</summary>
internal static class RoutePrinter
{
    public static string Print(RouteExplanation route)
    {
        var lines = new List<string>
        {
            $"{route.Client.Place} -> {route.Provider.Place}: {route.Verdict} ({route.Relation.ToString().ToUpperInvariant()})",
            $"  {Reason(route)}",
        };
        AddPath(lines, route);
        foreach (AcsFinding finding in route.AcsRedirects)
        {
            lines.Add($"  ACS redirects at {finding}");
        }

        AddRoot(lines, route);
        if (route.Bandwidth is { } bandwidth)
        {
            lines.Add($"  bandwidth: {bandwidth}");
        }

        foreach (MissingFact fact in route.Missing)
        {
            lines.Add($"  not known: {fact}");
        }

        foreach (P2pAlternative alternative in route.Alternatives)
        {
            lines.Add($"  {alternative}");
        }

        return string.Join('\n', lines);
    }

    private static string Reason(RouteExplanation route) => route.Reason switch
    {
        P2pReason.SameFunction => "provider and client are one function",
        P2pReason.CommonBridge => route.CommonBridge is { } common
            ? $"{common.Place} turns the traffic around, and no ACS on the way redirects it"
            : "a port that the source leaves out turns the traffic around",
        P2pReason.AcsRedirectAllowed => "ACS sends the traffic up to the root, which carries it",
        P2pReason.AcsRedirectRefused => "ACS sends the traffic up to the root, which is not known to carry peer traffic",
        P2pReason.RootAllowed => "no common bridge: the traffic passes the root, which carries it",
        P2pReason.RootRefused => "no common bridge, and the root is not known to carry peer traffic",
        P2pReason.DifferentHosts => "the two are in different machines",
        _ => "not decided",
    };

    private static void AddPath(List<string> lines, RouteExplanation route)
    {
        if (route.Reason is P2pReason.SameFunction or P2pReason.DifferentHosts)
        {
            return;
        }

        var path = new StringBuilder("  path: ");
        path.AppendJoin(" ^ ", route.ClientPath.Select(function => function.Place));
        if (route.CommonBridge is null)
        {
            path.Append(" ^ root v ");
        }
        else if (route.ProviderPath.Count > 1)
        {
            path.Append(" v ");
        }

        int skip = route.CommonBridge is null ? 0 : 1;
        path.AppendJoin(" v ", route.ProviderPath.Reverse().Skip(skip).Select(function => function.Place));
        lines.Add(path.ToString());
    }

    private static void AddRoot(List<string> lines, RouteExplanation route)
    {
        if (route.ProviderHostBridge is not { } provider)
        {
            return;
        }

        string cpu = route.CpuCarriesPeerTraffic switch
        {
            true => "carries peer traffic at every host bridge",
            false => "has no rule of its own",
            null => "is not known",
        };
        lines.Add(route.Cpu.Vendor == CpuVendor.Unknown ? "  the CPU is not known" : $"  CPU {route.Cpu} {cpu}");
        if (route.CpuCarriesPeerTraffic == true)
        {
            return;
        }

        lines.Add($"  {provider}");
        if (route.ClientHostBridge is { } client && client != provider)
        {
            lines.Add($"  {client}");
        }
    }
}
