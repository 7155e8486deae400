using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Routing;

/// <summary>How far a provider is from all of its clients together, or that one of them cannot reach it.</summary>
/// <remarks>
/// <para><b>Linux:</b> the result of pci_p2pdma_distance_many, where -1 is "not supported" (drivers/pci/p2pdma.c, v6.12).</para>
/// <para><c>default</c> is not supported, by nobody. Immutable.</para>
/// </remarks>
/// <param name="Total">The sum of hops; <see langword="null"/> where not supported.</param>
/// <param name="FirstRefused">The first client that cannot; <see langword="null"/> where all can, or none was given.</param>
/// <param name="IsCertain">Whether every fact asked is known.</param>
public readonly record struct P2pDistance(int? Total, PciPlace? FirstRefused, bool IsCertain)
{
    /// <summary>Whether there is a client, and all of them reach the provider.</summary>
    public bool IsSupported => Total is not null;

    /// <summary>The distance as the kernel returns it: <c>4</c>, or <c>-1</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => Total?.ToString() ?? "-1";
}
