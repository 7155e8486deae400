using Mm.Core;
using Mm.P2pDma.Importers.PciConfig;
using Mm.P2pDma.Importers.Reading;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Importers.Lspci;

/// <summary>What an <c>lspci</c> listing says of one function: its text, its hexadecimal rows, or both.</summary>
/// <remarks>
/// Where both say the same, the bytes win; text adds what bytes cannot tell: sizes, NUMA node, IOMMU group.
/// <para><b>Locking:</b> the caller's; filled by <see cref="LspciReader"/>.</para>
/// </remarks>
/// <param name="address">The address that the block starts with.</param>
/// <param name="position">Where.</param>
internal sealed class LspciBlock(PciAddress address, ImportPosition position)
{
    internal PciAddress Address { get; } = address;

    internal ImportPosition Position { get; } = position;

    internal PciClass? Class { get; set; }

    internal PciId? Id { get; set; }

    internal PciId? SubsystemId { get; set; }

    internal string? Label { get; set; }

    internal NodeId Node { get; set; } = NodeId.None;

    internal int? IommuGroup { get; set; }

    /// <summary>The bus line of a bridge; null where there is none or firmware set no buses.</summary>
    internal PciBusRange? Buses { get; set; }

    /// <summary>Whether the text is that of a bridge.</summary>
    internal bool IsBridge { get; set; }

    internal List<PciBar> Bars { get; } = [];

    /// <summary>The index that the next region without an index gets (<c>lspci -v</c> prints none).</summary>
    internal int NextBar { get; set; }

    /// <summary>Whether a region came without its index.</summary>
    internal bool HasGuessedBars { get; set; }

    /// <summary>Whether the status line says that there is a capability list; null where there is no such line.</summary>
    internal bool? HasCapabilityList { get; set; }

    /// <summary>Whether a capability was listed.</summary>
    internal bool ListsCapabilities { get; set; }

    /// <summary>Whether lspci was refused the capabilities: not run as root.</summary>
    internal bool AreCapabilitiesDenied { get; set; }

    /// <summary>Whether the PCI Express capability was listed.</summary>
    internal bool IsExpress { get; set; }

    internal PciPortType PortType { get; set; }

    internal PciLinkState Capable { get; set; }

    internal PciLinkState Current { get; set; }

    /// <summary>Whether the ACS capability was listed; its control register may still be unknown.</summary>
    internal bool HasAcs { get; set; }

    internal AcsControl Acs { get; set; }

    /// <summary>The indentation of the block's attributes, in columns; deeper lines are details. 0 before the first one.</summary>
    internal int Indent { get; set; }

    internal LspciHexDump Hex { get; } = new();

    // A listing that says nothing of capabilities (lspci -nn), was refused them, or lost them (Cap+ and none listed) leaves them unknown.
    private bool AreCapabilitiesKnown =>
        !AreCapabilitiesDenied && (ListsCapabilities || HasCapabilityList == false);

    /// <summary>Makes the function.</summary>
    /// <param name="log">Where errors and notes go.</param>
    /// <returns>The function, without its place in the tree.</returns>
    internal PciFunction ToFunction(ImportLog log)
    {
        PciFunction text = FromText();
        if (Hex.IsEmpty)
        {
            return text;
        }

        PciConfigSpace space = PciConfigDecoder.Decode(Hex.ToArray());
        foreach (PciConfigDefect defect in space.Defects)
        {
            log.Add(defect.ToError(Hex.PositionOf(defect.Offset)));
        }

        if (space.IsGone)
        {
            log.Note(Position, $"{Address} does not answer: every byte of its configuration space is 0xff");
            return text;
        }

        return PciConfigFunction.Merge(text, space, Position, log);
    }

    private PciFunction FromText() => new()
    {
        Address = Address,
        Id = Id,
        SubsystemId = SubsystemId,
        Class = Class,
        Label = Label,
        Node = Node,
        IommuGroup = IommuGroup,
        BusesBelow = Buses,
        Bars = Bars,
        Link = new PciLink(Capable, Current),
        PortType = IsExpress ? PortType
            : !AreCapabilitiesKnown ? PciPortType.Unknown
            : IsBridge || Class?.IsPciBridge == true ? PciPortType.ConventionalBridge
            : PciPortType.ConventionalPci,
        Acs = HasAcs ? Acs
            : AreCapabilitiesKnown ? AcsControl.Absent
            : AcsControl.Unknown,
    };
}
