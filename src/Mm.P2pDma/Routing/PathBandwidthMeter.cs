using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Routing;

/// <summary>Finds the slowest link on the way between two functions.</summary>
/// <remarks>Ports of a switch are joined inside it without a link; two registers that describe one link both bound it.</remarks>
internal static class PathBandwidthMeter
{
    private const int SuspicionFactor = 10;

    /// <summary>Measures both sides of a path, each from the function up to and including the last bridge that the traffic reaches.</summary>
    public static PathBandwidth Measure(IReadOnlyList<PciFunction> providerSide, IReadOnlyList<PciFunction> clientSide)
    {
        LinkBandwidth? bound = null;
        PciFunction? slowest = null;
        bool isComplete = true;
        var suspects = new List<PciFunction>();
        foreach (IReadOnlyList<PciFunction> side in new[] { providerSide, clientSide })
        {
            LinkBandwidth below = default;
            for (int i = 0; i + 1 < side.Count; i++)
            {
                if (IsInsideSwitch(side[i]))
                {
                    continue;
                }

                (LinkBandwidth? edge, PciFunction teller) = Edge(side[i], side[i + 1]);
                if (edge is not { } known)
                {
                    isComplete = false;
                    continue;
                }

                if (known.BytesPerSecond < below.BytesPerSecond / SuspicionFactor && !suspects.Contains(teller))
                {
                    suspects.Add(teller);
                }

                below = known > below ? known : below;
                if (bound is null || known < bound)
                {
                    bound = known;
                    slowest = teller;
                }
            }
        }

        return new PathBandwidth(bound, slowest, isComplete, suspects);
    }

    private static bool IsInsideSwitch(PciFunction lower) => lower.PortType == PciPortType.SwitchDownstream;

    private static (LinkBandwidth? Bandwidth, PciFunction Teller) Edge(PciFunction lower, PciFunction upper)
    {
        LinkBandwidth? own = lower.Link.Bandwidth;
        bool isToldAbove = upper.PortType is PciPortType.RootPort or PciPortType.SwitchDownstream;
        LinkBandwidth? told = isToldAbove ? upper.Link.Bandwidth : null;
        return own is null || (told is not null && told < own) ? (told, upper) : (own, lower);
    }
}
