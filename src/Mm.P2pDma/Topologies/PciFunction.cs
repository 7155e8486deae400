using Mm.Core;

namespace Mm.P2pDma.Topologies;

/// <summary>One PCI function of a topology: where it hangs, what it is, and what is known of it.</summary>
/// <remarks>
/// A plain value: it knows the addresses of its parent and host bridge, and the <see cref="Topology"/> knows the tree.
/// What a source does not say stays unknown: <see langword="null"/>, or the word's own unknown.
/// <para><b>Linux:</b> struct pci_dev (v6.12), without its drivers and resources above BARs.</para>
/// <para>Immutable.</para>
/// </remarks>
public sealed record PciFunction
{
    /// <summary>The machine that it is part of; the first unless said otherwise.</summary>
    public HostId Host { get; init; }

    /// <summary>Its address.</summary>
    public required PciAddress Address { get; init; }

    /// <summary>Host and address.</summary>
    public PciPlace Place => new(Host, Address);

    /// <summary>The bridge right above, on the same host; <see langword="null"/> on a root bus.</summary>
    public PciAddress? Parent { get; init; }

    /// <summary>
    /// The root bus of its host bridge; <see langword="null"/> where no host bridge is told. A function below a parent
    /// may leave it out: a topology fills in its parent's.
    /// </summary>
    public PciBusId? HostBridge { get; init; }

    /// <summary>Vendor and device.</summary>
    public PciId? Id { get; init; }

    /// <summary>Subsystem vendor and device.</summary>
    public PciId? SubsystemId { get; init; }

    /// <summary>The class code.</summary>
    public PciClass? Class { get; init; }

    /// <summary>What part of the tree it is.</summary>
    public PciPortType PortType { get; init; }

    /// <summary>Its access control services.</summary>
    public AcsControl Acs { get; init; }

    /// <summary>
    /// The link that its own registers describe: for a root port or switch downstream port the one below it, for all
    /// others the one above.
    /// </summary>
    public PciLink Link { get; init; }

    /// <summary>The NUMA node that it is near; <see cref="NodeId.None"/> where not told.</summary>
    public NodeId Node { get; init; } = NodeId.None;

    /// <summary>Its BARs, at most one of each index.</summary>
    public IReadOnlyList<PciBar> Bars { get; init; } = [];

    /// <summary>The names that the operating system gave it.</summary>
    public IReadOnlyList<OsDevice> OsDevices { get; init; } = [];

    /// <summary>Its IOMMU group, where told.</summary>
    public int? IommuGroup { get; init; }

    /// <summary>The first and last bus below a bridge, where told.</summary>
    public PciBusRange? BusesBelow { get; init; }

    /// <summary>What people call it: <c>Tesla V100-SXM3-32GB</c>; <see langword="null"/> where not told.</summary>
    public string? Label { get; init; }

    /// <summary>Whether functions may hang below it: a bridge by type, or by class where the type is not known, or not known to be none.</summary>
    /// <remarks>A source that tells neither type nor class leaves it open, and so may hang functions below.</remarks>
    public bool CanHaveChildren => PortType switch
    {
        PciPortType.RootPort or PciPortType.SwitchUpstream or PciPortType.SwitchDownstream
            or PciPortType.PcieToPciBridge or PciPortType.PciToPcieBridge
            or PciPortType.ConventionalBridge or PciPortType.VirtualSwitch => true,
        PciPortType.Unknown => Class is not { } known || known.IsPciBridge,
        _ => false,
    };

    /// <summary>Finds a BAR.</summary>
    /// <param name="index">0 to 5, or <see cref="PciBar.RomIndex"/>.</param>
    /// <param name="bar">The BAR, or <c>default</c>.</param>
    /// <returns>Whether the function is known to have it.</returns>
    public bool TryGetBar(int index, out PciBar bar)
    {
        foreach (PciBar candidate in Bars)
        {
            if (candidate.Index == index)
            {
                bar = candidate;
                return true;
            }
        }

        bar = default;
        return false;
    }

    /// <summary>The function as <c>0000:3b:00.0 10de:1db8</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => Id is { } id ? $"{Place} {id}" : Place.ToString();
}
