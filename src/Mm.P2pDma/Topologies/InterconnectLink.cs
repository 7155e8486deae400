namespace Mm.P2pDma.Topologies;

/// <summary>A fact beside the PCI tree: devices joined by NVLink, xGMI or the like. The kernel's peer-to-peer rules do not ask it.</summary>
/// <remarks>Immutable.</remarks>
/// <param name="Kind">What kind of link.</param>
/// <param name="From">The function that it starts at.</param>
public sealed record InterconnectLink(InterconnectKind Kind, PciPlace From)
{
    /// <summary>The function that it leads to; <see langword="null"/> where that is no function of the topology.</summary>
    public PciPlace? To { get; init; }

    /// <summary>What it leads to, where that is no function: <c>Package 0</c>, <c>fffffff:ff:ff.0</c>.</summary>
    public string? ToName { get; init; }

    /// <summary>How many such links side by side, where told.</summary>
    public int? Count { get; init; }

    /// <summary>Bytes a second in one direction, all of them together, where told.</summary>
    public LinkBandwidth? Bandwidth { get; init; }
}
