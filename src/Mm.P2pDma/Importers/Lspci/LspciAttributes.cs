using Mm.Core;
using Mm.P2pDma.Importers.Reading;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Importers.Lspci;

/// <summary>Reads the indented lines of an <c>lspci -v</c> to <c>-vvv</c> listing.</summary>
/// <remarks>
/// A line that no rule asks for is skipped: versions of lspci print hundreds of kinds. A line that is read must be sound.
/// Regions are <see cref="LspciRegions"/>'.
/// </remarks>
internal static class LspciAttributes
{
    private static readonly (string Name, AcsBits Bit)[] AcsNames =
    [
        ("SrcValid", AcsBits.SourceValidation),
        ("TransBlk", AcsBits.TranslationBlocking),
        ("ReqRedir", AcsBits.RequestRedirect),
        ("CmpltRedir", AcsBits.CompletionRedirect),
        ("UpstreamFwd", AcsBits.UpstreamForwarding),
        ("EgressCtrl", AcsBits.EgressControl),
        ("DirectTrans", AcsBits.DirectTranslated),
    ];

    /// <summary>Reads one line.</summary>
    /// <param name="block">The function that it belongs to.</param>
    /// <param name="line">The line, behind its indentation.</param>
    /// <param name="isDetail">Whether it is indented more than the function's own attributes: part of a capability.</param>
    internal static void Read(LspciBlock block, LspciLine line, bool isDetail)
    {
        if (ReadCapabilityDetail(block, line) || isDetail)
        {
            return;
        }

        if (line.Take("Capabilities: "))
        {
            ReadCapability(block, line);
        }
        else if (line.Take("Bus: "))
        {
            ReadBuses(block, line);
        }
        else if (line.Take("NUMA node: "))
        {
            block.Node = line.TryTakeDecimal(NodeId.MaxIndex, "a NUMA node", out ulong node) ? new NodeId((int)node) : NodeId.None;
        }
        else if (line.Take("IOMMU group: "))
        {
            block.IommuGroup = line.TryTakeDecimal(int.MaxValue, "an IOMMU group", out ulong group) ? (int)group : null;
        }
        else if (line.Take("Subsystem: "))
        {
            ReadSubsystem(block, line);
        }
        else if (line.Take("Status: "))
        {
            block.HasCapabilityList = line.Take("Cap+") ? true : line.Take("Cap-") ? false : block.HasCapabilityList;
        }
        else
        {
            LspciRegions.Read(block, line);
        }
    }

    private static bool ReadCapabilityDetail(LspciBlock block, LspciLine line)
    {
        if (line.Take("LnkCap:"))
        {
            block.Capable = ReadLink(line, block.Capable);
        }
        else if (line.Take("LnkSta:"))
        {
            block.Current = ReadLink(line, block.Current);
        }
        else if (line.Take("ACSCtl:"))
        {
            block.HasAcs = true;
            block.Acs = AcsControl.Of(ReadAcs(line));
        }
        else
        {
            return LspciRegions.ReadResizable(block, line);
        }

        return true;
    }

    // "Bus: primary=60, secondary=61, subordinate=61, sec-latency=0"
    private static void ReadBuses(LspciBlock block, LspciLine line)
    {
        block.IsBridge = true;
        if (!line.Take("primary=") || !line.TryTakeHex(0xff, ",", "a bus", out _)
            || !line.Take(", secondary=") || !line.TryTakeHex(0xff, ",", "a bus", out ulong secondary)
            || !line.Take(", subordinate=") || !line.TryTakeHex(0xff, ", ", "a bus", out ulong subordinate))
        {
            line.Refuse("not the buses of a bridge", "primary=HH, secondary=HH, subordinate=HH");
            return;
        }

        // Firmware that set no buses leaves zeroes: nothing hangs below.
        block.Buses = secondary == 0 ? null : new PciBusRange((byte)secondary, (byte)subordinate);
    }

    private static void ReadSubsystem(LspciBlock block, LspciLine line)
    {
        ReadOnlySpan<char> text = line.Rest;
        int bracket = text.LastIndexOf('[');
        ReadOnlySpan<char> digits = bracket >= 0 && text.EndsWith("]") ? text[(bracket + 1)..^1] : text;
        if (PciId.TryParse(digits, out PciId id))
        {
            block.SubsystemId = id;
        }
    }

    // "Capabilities: [60] Express (v2) Root Port (Slot+), MSI 00", "Capabilities: [148 v1] Access Control Services",
    // "Capabilities: <access denied>"
    private static void ReadCapability(LspciBlock block, LspciLine line)
    {
        if (line.Take("<"))
        {
            block.AreCapabilitiesDenied |= line.Take("access denied>");
            return;
        }

        if (!line.Take("[") || !line.TryTakeHex(0xfff, " ]", "an offset", out _) || !line.SkipPast("] "))
        {
            line.Refuse("not a capability", "[60] and a name, or <access denied>");
            return;
        }

        block.ListsCapabilities = true;
        if (line.Take("Access Control Services"))
        {
            block.HasAcs = true;
        }
        else if (line.Take("Express "))
        {
            block.IsExpress = true;
            _ = line.Take("(v") && line.SkipPast(") ");
            block.PortType = PortTypeOf(line);
        }
    }

    private static PciPortType PortTypeOf(LspciLine line) =>
        line.Take("Endpoint") ? PciPortType.Endpoint
        : line.Take("Legacy Endpoint") ? PciPortType.LegacyEndpoint
        : line.Take("Root Port") ? PciPortType.RootPort
        : line.Take("Upstream Port") ? PciPortType.SwitchUpstream
        : line.Take("Downstream Port") ? PciPortType.SwitchDownstream
        : line.Take("PCI-Express to PCI") ? PciPortType.PcieToPciBridge
        : line.Take("PCI/PCI-X to PCI-Express") || line.Take("PCI to PCI-Express") ? PciPortType.PciToPcieBridge
        : line.Take("Root Complex Integrated Endpoint") ? PciPortType.RootComplexEndpoint
        : line.Take("Root Complex Event Collector") ? PciPortType.RootComplexEventCollector
        : PciPortType.Unknown;

    // "LnkCap:	Port #0, Speed 16GT/s, Width x16, ASPM …"; "LnkSta:	Speed 2.5GT/s (downgraded), Width x8 (ok)"
    private static PciLinkState ReadLink(LspciLine line, PciLinkState before)
    {
        if (!line.SkipPast("Speed "))
        {
            return before;
        }

        ImportPosition position = line.Position;
        ReadOnlySpan<char> digits = line.TakeUntil(",(").Trim();
        if (!PciLinkSpeed.TryParse(digits, out PciLinkSpeed speed))
        {
            line.Log.Error(position, "not a link speed", digits.ToString(), "as 16GT/s, or unknown");
            return before;
        }

        if (!line.SkipPast("Width x"))
        {
            line.Refuse("no link width", "Width x16");
            return before;
        }

        position = line.Position;
        digits = line.TakeUntil(", (");
        if (!StrictNumber.TryDecimal(digits, byte.MaxValue, out ulong width))
        {
            line.Log.Error(position, "not a link width", digits.ToString(), "decimal, at most 255");
            return before;
        }

        return new PciLinkState(speed, (byte)width);
    }

    private static AcsBits ReadAcs(LspciLine line)
    {
        AcsBits bits = AcsBits.None;
        foreach (Range range in line.Rest.SplitAny(" \t"))
        {
            ReadOnlySpan<char> word = line.Rest[range];
            if (word.IsEmpty)
            {
                continue;
            }

            int index = IndexOfAcs(word[..^1]);
            if (index < 0 || word[^1] is not ('+' or '-'))
            {
                line.Log.Error(line.Position, "not a control bit of ACS", word.ToString(), "SrcValid … DirectTrans, each with + or -");
                return AcsBits.None;
            }

            bits |= word[^1] == '+' ? AcsNames[index].Bit : AcsBits.None;
        }

        return bits;
    }

    private static int IndexOfAcs(ReadOnlySpan<char> name)
    {
        for (int index = 0; index < AcsNames.Length; index++)
        {
            if (name.SequenceEqual(AcsNames[index].Name))
            {
                return index;
            }
        }

        return -1;
    }
}
