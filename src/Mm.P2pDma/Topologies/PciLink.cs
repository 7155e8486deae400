namespace Mm.P2pDma.Topologies;

/// <summary>A function's link: what it can do and what it does now, told apart (idle devices slow down).</summary>
/// <remarks><c>default</c> is a link of which nothing is known. Immutable.</remarks>
/// <param name="Capable">What the port can do.</param>
/// <param name="Current">What the link does now.</param>
public readonly record struct PciLink(PciLinkState Capable, PciLinkState Current)
{
    /// <summary>
    /// What a source tells as one number after encoding, without speed and width (hwloc's <c>pci_link_speed</c>), in one
    /// direction; <see langword="null"/> where it tells none.
    /// </summary>
    public LinkBandwidth? Reported { get; init; }

    /// <summary>Bytes a second in one direction: current, else reported, else capable; <see langword="null"/> where unknown.</summary>
    public LinkBandwidth? Bandwidth => Current.Bandwidth ?? Reported ?? Capable.Bandwidth;

    /// <summary>The link as <c>8 GT/s x16 (can 16 GT/s x16)</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() =>
        !Current.IsKnown && Reported is { } reported ? reported.ToString()
        : Current == Capable || !Capable.IsKnown ? Current.ToString()
        : $"{Current} (can {Capable})";
}
