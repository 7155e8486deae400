using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Routing;

/// <summary>A verdict with everything that led to it: path, bridges, the bits and entries that decided, what is not known.</summary>
/// <remarks>
/// A value of the snapshot that it was worked out on; later edits do not change it. <see cref="ToString"/> prints it.
/// <para><b>Linux:</b> what pci_p2pdma_distance_many(verbose) prints, and what it does not (drivers/pci/p2pdma.c, v6.12).</para>
/// <para>Immutable.</para>
/// </remarks>
public sealed record RouteExplanation
{
    /// <summary>The function whose memory it is.</summary>
    public required PciFunction Provider { get; init; }

    /// <summary>The function that does the DMA.</summary>
    public required PciFunction Client { get; init; }

    /// <summary>The rules that were asked.</summary>
    public required P2pRules Rules { get; init; }

    /// <summary>The answer.</summary>
    public required P2pVerdict Verdict { get; init; }

    /// <summary>Which rule decided.</summary>
    public required P2pReason Reason { get; init; }

    /// <summary>From the provider up to the common bridge, or to the root bus where there is none; the provider first.</summary>
    public IReadOnlyList<PciFunction> ProviderPath { get; init; } = [];

    /// <summary>From the client up to the common bridge, or to the root bus where there is none; the client first.</summary>
    public IReadOnlyList<PciFunction> ClientPath { get; init; } = [];

    /// <summary>The lowest bridge above both, or the function itself where they are one; <see langword="null"/> where none is listed.</summary>
    public PciFunction? CommonBridge { get; init; }

    /// <summary>The functions whose ACS redirects, in the order in which the kernel meets them; empty where there is no common bridge.</summary>
    public IReadOnlyList<AcsFinding> AcsRedirects { get; init; } = [];

    /// <summary>What the CPU rule says; <see langword="null"/> where the CPU is not known, or the root was not asked.</summary>
    public bool? CpuCarriesPeerTraffic { get; init; }

    /// <summary>The CPU that was asked about.</summary>
    public CpuIdentity Cpu { get; init; }

    /// <summary>What the allow list says of the provider's host bridge; <see langword="null"/> where the root was not asked.</summary>
    public HostBridgeAnswer? ProviderHostBridge { get; init; }

    /// <summary>What the allow list says of the client's host bridge; <see langword="null"/> where the root was not asked.</summary>
    public HostBridgeAnswer? ClientHostBridge { get; init; }

    /// <summary>The facts that the verdict would have needed; empty where it is certain.</summary>
    public IReadOnlyList<MissingFact> Missing { get; init; } = [];

    /// <summary>What the verdict turns into, should the missing facts be so or so; empty where it is certain.</summary>
    public IReadOnlyList<P2pAlternative> Alternatives { get; init; } = [];

    /// <summary>How near the two are in the words of <c>nvidia-smi topo -m</c>.</summary>
    public SmiRelation Relation { get; init; }

    /// <summary>An upper bound of the path's bandwidth; <see langword="null"/> where there is no path.</summary>
    public PathBandwidth? Bandwidth { get; init; }

    /// <summary>The explanation as lines of text.</summary>
    /// <returns>The text, without a line end after the last line.</returns>
    public override string ToString() => RoutePrinter.Print(this);
}
