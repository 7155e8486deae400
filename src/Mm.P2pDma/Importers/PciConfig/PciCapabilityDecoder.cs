using Mm.Core;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Importers.PciConfig;

/// <summary>Walks the two capability lists of a configuration space and reads those capabilities that routing asks for.</summary>
/// <remarks>
/// Every walk is bounded by the number of places that an entry can stand at; a list that comes back to itself or leaves
/// its space is a defect, as are capabilities cut off by the end of the space.
/// <para><b>Linux:</b> __pci_find_next_cap_ttl and pci_find_next_ext_capability (drivers/pci/pci.c, v6.12), which give up
/// silently after 48 and 480 entries.</para>
/// </remarks>
internal static class PciCapabilityDecoder
{
    private const int LargestSizeCode = 43; // 2^(43+20) bytes, the largest power of two of a ByteCount

    /// <summary>Adds what the capability lists say.</summary>
    /// <param name="bytes">The dump, at least 64 bytes.</param>
    /// <param name="header">What the header says.</param>
    /// <param name="defects">Takes what cannot be.</param>
    /// <returns>Header and capabilities.</returns>
    internal static PciConfigSpace Decode(ReadOnlySpan<byte> bytes, PciConfigSpace header, List<PciConfigDefect> defects)
    {
        var capabilities = new List<PciCapability>();
        bool isKnown = Walk(bytes, header.HeaderType, capabilities, defects);
        PciExpressCapability? express = null;
        foreach (PciCapability capability in capabilities)
        {
            if (capability.Id == PciRegisters.ExpressId)
            {
                express ??= ReadExpress(bytes, capability.Offset, defects);
            }
        }

        var extended = new List<PciCapability>();
        bool isExtendedKnown = isKnown && WalkExtended(bytes, express is not null, extended, defects);
        PciConfigSpace space = header with
        {
            AreCapabilitiesKnown = isKnown,
            Capabilities = capabilities,
            AreExtendedCapabilitiesKnown = isExtendedKnown,
            ExtendedCapabilities = extended,
            Express = express,
            Acs = isExtendedKnown ? AcsControl.Absent : AcsControl.Unknown,
        };
        foreach (PciCapability capability in extended)
        {
            space = ReadExtended(bytes, capability, space, defects);
        }

        return space;
    }

    private static bool Walk(
        ReadOnlySpan<byte> bytes, int headerType, List<PciCapability> found, List<PciConfigDefect> defects)
    {
        int status = PciConfigDecoder.Word16(bytes, PciRegisters.Status);
        if ((status & PciRegisters.StatusCapabilities) == 0)
        {
            return true;
        }

        int pointer = headerType == 2 ? PciRegisters.CardbusCapabilityPointer : PciRegisters.CapabilityPointer;
        ulong seen = 0; // one bit for each of the 64 places
        for (int next = bytes[pointer] & ~3; next != 0; next = bytes[pointer] & ~3)
        {
            if (next < PciRegisters.HeaderSize)
            {
                defects.Add(new PciConfigDefect(
                    pointer, "a capability pointer leads into the header", $"0x{next:x2}", "0, or 0x40 to 0xfc"));
                return false;
            }

            if ((seen & (1UL << (next >> 2))) != 0)
            {
                defects.Add(new PciConfigDefect(
                    pointer, "the capability list comes back to itself", $"0x{next:x2}", "a capability not listed before"));
                return false;
            }

            if (next + 2 > bytes.Length)
            {
                return false; // a short dump: the rest is not known
            }

            if (bytes[next] == 0xff)
            {
                defects.Add(new PciConfigDefect(next, "the capability list is broken", "capability 0xff", "a capability"));
                return false;
            }

            seen |= 1UL << (next >> 2);
            found.Add(new PciCapability(bytes[next], next));
            pointer = next + 1;
        }

        return true;
    }

    private static bool WalkExtended(
        ReadOnlySpan<byte> bytes, bool isExpress, List<PciCapability> found, List<PciConfigDefect> defects)
    {
        if (bytes.Length <= PciRegisters.ConventionalSize)
        {
            // Conventional PCI has no extended space to be ignorant of.
            return !isExpress;
        }

        var seen = new bool[PciRegisters.ExtendedSize / 4];
        int at = PciRegisters.ConventionalSize;
        while (at + 4 <= bytes.Length)
        {
            uint header = PciConfigDecoder.Word32(bytes, at);
            if (header is 0 or uint.MaxValue)
            {
                return true;
            }

            seen[at / 4] = true;
            found.Add(new PciCapability((int)(header & 0xffff), at));
            int next = (int)(header >> 20) & ~3;
            if (next == 0)
            {
                return true;
            }

            if (next < PciRegisters.ConventionalSize || seen[next / 4])
            {
                defects.Add(new PciConfigDefect(
                    at + 2,
                    next < PciRegisters.ConventionalSize
                        ? "an extended capability pointer leads into conventional space"
                        : "the extended capability list comes back to itself",
                    $"0x{next:x3}",
                    "0, or 0x100 to 0xffc, not listed before"));
                return false;
            }

            at = next;
        }

        return false; // a short dump: the rest is not known
    }

    private static PciExpressCapability? ReadExpress(ReadOnlySpan<byte> bytes, int at, List<PciConfigDefect> defects)
    {
        if (!Holds(bytes, at, PciRegisters.ExpressLinkStatus + 2, "PCI Express", defects))
        {
            return null;
        }

        int flags = PciConfigDecoder.Word16(bytes, at + PciRegisters.ExpressFlags);
        PciPortType type = PortTypeOf((flags >> 4) & 0xf);
        bool hasLink = type is not (PciPortType.RootComplexEndpoint or PciPortType.RootComplexEventCollector);
        PciLink link = hasLink
            ? new PciLink(
                LinkOf(PciConfigDecoder.Word32(bytes, at + PciRegisters.ExpressLinkCapabilities)),
                LinkOf(PciConfigDecoder.Word16(bytes, at + PciRegisters.ExpressLinkStatus)))
            : default;
        bool hasSlot = (flags & 0x100) != 0 && at + PciRegisters.ExpressSlotCapabilities + 4 <= bytes.Length;
        int? slot = hasSlot
            ? (int)(PciConfigDecoder.Word32(bytes, at + PciRegisters.ExpressSlotCapabilities) >> 19)
            : null;
        return new PciExpressCapability(type, link, slot);
    }

    // Speed and width sit in the same bits of LNKCAP and LNKSTA; a code that is not given stays unknown.
    private static PciLinkState LinkOf(uint register)
    {
        int generation = (int)(register & 0xf);
        int width = (int)(register >> 4) & 0x3f;
        return new PciLinkState(generation is >= 1 and <= 6 ? PciLinkSpeed.OfGeneration(generation) : default, (byte)width);
    }

    private static PciPortType PortTypeOf(int code) => code switch
    {
        0x0 => PciPortType.Endpoint,
        0x1 => PciPortType.LegacyEndpoint,
        0x4 => PciPortType.RootPort,
        0x5 => PciPortType.SwitchUpstream,
        0x6 => PciPortType.SwitchDownstream,
        0x7 => PciPortType.PcieToPciBridge,
        0x8 => PciPortType.PciToPcieBridge,
        0x9 => PciPortType.RootComplexEndpoint,
        0xa => PciPortType.RootComplexEventCollector,
        _ => PciPortType.Unknown,
    };

    private static PciConfigSpace ReadExtended(
        ReadOnlySpan<byte> bytes, PciCapability capability, PciConfigSpace space, List<PciConfigDefect> defects)
    {
        int at = capability.Offset;
        switch (capability.Id)
        {
            case PciRegisters.AcsId when !space.Acs.IsPresent && Holds(bytes, at, 8, "ACS", defects):
                return space with
                {
                    Acs = AcsControl.Of((AcsBits)PciConfigDecoder.Word16(bytes, at + PciRegisters.AcsControl)),
                };
            case PciRegisters.ResizableBarId when Holds(bytes, at, 12, "resizable BAR", defects):
                return space with { ResizableBars = ReadResizableBars(bytes, at, defects) };
            case PciRegisters.SriovId when Holds(bytes, at, 0x40, "SR-IOV", defects):
                return space with { TotalVirtualFunctions = PciConfigDecoder.Word16(bytes, at + 0x0e) };
            case PciRegisters.DvsecId when Holds(bytes, at, 12, "DVSEC", defects):
                bool isCxl = PciConfigDecoder.Word16(bytes, at + 4) == PciRegisters.CxlVendor
                    && PciConfigDecoder.Word16(bytes, at + 8) == 0;
                return isCxl ? space with { CxlCapabilities = PciConfigDecoder.Word16(bytes, at + 10) } : space;
            default:
                return space;
        }
    }

    private static List<PciResizableBar> ReadResizableBars(ReadOnlySpan<byte> bytes, int at, List<PciConfigDefect> defects)
    {
        uint first = PciConfigDecoder.Word32(bytes, at + 8);
        int count = (int)(first >> 5) & 7;
        var entries = new List<PciResizableBar>(count);
        for (int index = 0; index < count; index++)
        {
            int register = at + 8 + (8 * index);
            if (!Holds(bytes, register, 4, "resizable BAR", defects))
            {
                break;
            }

            uint control = PciConfigDecoder.Word32(bytes, register);
            int bar = (int)(control & 7);
            int code = (int)(control >> 8) & 0x3f;
            if (bar > 5 || code > LargestSizeCode)
            {
                defects.Add(new PciConfigDefect(
                    register, "a resizable BAR's control cannot be", $"0x{control:x8}", "BAR 0 to 5, size code 0 to 43"));
                break;
            }

            entries.Add(new PciResizableBar(bar, new ByteCount(1UL << (code + 20))));
        }

        return entries;
    }

    // A list is walked as far as it is dumped, so a capability may be cut by the end of a short dump; in a whole one that cannot be.
    private static bool Holds(ReadOnlySpan<byte> bytes, int at, int size, string name, List<PciConfigDefect> defects)
    {
        int end = at < PciRegisters.ConventionalSize ? PciRegisters.ConventionalSize : PciRegisters.ExtendedSize;
        if (at + size > end)
        {
            defects.Add(new PciConfigDefect(
                at, $"the {name} capability passes the end of its space", $"0x{at:x2} + {size} bytes", $"an end at 0x{end:x} or below"));
        }

        return at + size <= Math.Min(end, bytes.Length);
    }
}
