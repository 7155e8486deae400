using Mm.Core;
using Mm.Core.Dma;
using Mm.P2pDma.Routing;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Mapping;

/// <summary>What became of mapping a list for one client: the mapping, or the refusal; and the routes that decided.</summary>
/// <remarks>
/// Owns the mapping, if there is one; disposing unmaps it.
/// <para><b>Invariants:</b> (1) there is a mapping exactly when <see cref="Errno"/> is Ok.</para>
/// <para><b>Locking:</b> immutable but for the mapping; safe from any thread.</para>
/// </remarks>
public sealed class PeerMapAttempt : IDisposable
{
    internal PeerMapAttempt(PciPlace client, Errno errno, DmaMapping? mapping, IReadOnlyList<RouteExplanation> routes)
    {
        Client = client;
        Errno = errno;
        Mapping = mapping;
        Routes = routes;
    }

    /// <summary>The function that was to do the DMA.</summary>
    public PciPlace Client { get; }

    /// <summary>The answer.</summary>
    public Errno Errno { get; }

    /// <summary>The mapping; null when refused.</summary>
    public DmaMapping? Mapping { get; }

    /// <summary>How the client reaches each device whose memory is in the list, and why so; in the list's order.</summary>
    public IReadOnlyList<RouteExplanation> Routes { get; }

    /// <summary>The first route that refuses; null where none does.</summary>
    public RouteExplanation? FirstRefusal
    {
        get
        {
            foreach (RouteExplanation route in Routes)
            {
                if (!route.Verdict.IsSupported)
                {
                    return route;
                }
            }

            return null;
        }
    }

    /// <summary>Unmaps; nothing when refused.</summary>
    public void Dispose() => Mapping?.Dispose();

    /// <summary>The answer, and why.</summary>
    /// <returns>The text.</returns>
    public override string ToString()
    {
        string answer = Mapping?.ToString() ?? Errno.ToString();
        string why = FirstRefusal is { } refusal ? $" ({refusal.Verdict}: {refusal.Reason})" : "";
        return $"{Client}: {answer}{why}";
    }
}
