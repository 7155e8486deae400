using Mm.Core;
using Mm.P2pDma.Importers.Reading;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Importers.Hwloc;

/// <summary>Reads the attributes of hwloc's objects, each with its place on error.</summary>
/// <param name="log">Where errors go.</param>
internal sealed class HwlocFields(ImportLog log)
{
    /// <summary>hwloc prints speeds with six digits after the point, in GB/s: a unit is 1000 bytes a second.</summary>
    private const ulong BytesPerSpeedUnit = 1000;

    /// <summary>A thousand GB/s, above every PCI link.</summary>
    private const ulong MaxSpeedUnits = 1_000_000_000;

    /// <summary>The value of an <c>info</c> child.</summary>
    /// <param name="element">The object.</param>
    /// <param name="name">The name of the info.</param>
    /// <returns>The value; null where there is none or it is empty.</returns>
    internal static string? Info(XmlTreeElement element, string name)
    {
        foreach (XmlTreeElement child in element.Children)
        {
            if (child.Name == "info" && child.Value("name") == name && child.Value("value") is { Length: > 0 } value)
            {
                return value;
            }
        }

        return null;
    }

    /// <summary>The address of a function.</summary>
    internal bool TryAddress(XmlTreeElement element, out PciAddress address)
    {
        if (!element.TryGet("pci_busid", out XmlTreeAttribute attribute))
        {
            address = default;
            log.Error(element.Position, "the function has no pci_busid", "", "dddd:bb:dd.f, as 0000:3b:00.1");
            return false;
        }

        bool isAddress = PciAddress.TryParse(attribute.Value, out address) && attribute.Value.Count(c => c == ':') == 2;
        if (!isAddress)
        {
            log.Error(attribute.Position, "the bus id is not an address", attribute.Value, "dddd:bb:dd.f, as 0000:3b:00.1");
        }

        return isAddress;
    }

    /// <summary>The buses below a bridge: <c>0000:[2b-3b]</c>.</summary>
    internal bool TryBuses(XmlTreeElement element, out uint domain, out PciBusRange buses)
    {
        domain = 0;
        buses = default;
        if (!element.TryGet("bridge_pci", out XmlTreeAttribute attribute))
        {
            log.Error(element.Position, "the bridge has no bridge_pci", "", "dddd:[bb-bb], as 0000:[2b-3b]");
            return false;
        }

        ReadOnlySpan<char> text = attribute.Value;
        int open = text.IndexOf(":[");
        int dash = text.IndexOf('-');
        if (open <= 0 || open > 8 || dash < open || !text.EndsWith("]")
            || !StrictNumber.TryHex(text[..open], uint.MaxValue, out ulong domainValue)
            || !StrictNumber.TryHex(text[(open + 2)..dash], 0xff, out ulong first)
            || !StrictNumber.TryHex(text[(dash + 1)..^1], 0xff, out ulong last)
            || last < first)
        {
            log.Error(
                attribute.Position,
                "the buses below a bridge are not a range",
                attribute.Value,
                "dddd:[bb-bb], the second not below the first, as 0000:[2b-3b]");
            return false;
        }

        domain = (uint)domainValue;
        buses = new PciBusRange((byte)first, (byte)last);
        return true;
    }

    /// <summary>Class and identities: <c>0302 [10de:1db8] [10de:12ab] a1 00</c>; older files leave the last byte out.</summary>
    internal HwlocIdentity Identity(XmlTreeElement element)
    {
        if (!element.TryGet("pci_type", out XmlTreeAttribute attribute))
        {
            return default;
        }

        string[] parts = attribute.Value.Split(' ');
        if (parts.Length is < 4 or > 5
            || !StrictNumber.TryHex(parts[0], 0xffff, out ulong classCode) || parts[0].Length != 4
            || !TryBracketed(parts[1], out PciId id)
            || !TryBracketed(parts[2], out PciId subsystem)
            || !StrictNumber.TryHex(parts[3], 0xff, out _)
            || !StrictNumber.TryHex(parts.Length == 5 ? parts[4] : "0", 0xff, out ulong programming))
        {
            log.Error(
                attribute.Position,
                "the type of a function is not readable",
                attribute.Value,
                "class [vendor:device] [subvendor:subdevice] revision interface, as 0302 [10de:1db8] [10de:12ab] a1 00");
            return default;
        }

        // hwloc writes zeros for what it could not read; no vendor is 0.
        return new HwlocIdentity(
            new PciClass((uint)((classCode << 8) | programming)),
            id == default(PciId) ? null : id,
            subsystem == default(PciId) ? null : subsystem);
    }

    /// <summary>The link's bandwidth; null where absent or zero, which hwloc writes when it does not know.</summary>
    internal LinkBandwidth? Speed(XmlTreeElement element)
    {
        if (!element.TryGet("pci_link_speed", out XmlTreeAttribute attribute))
        {
            return null;
        }

        if (!StrictNumber.TryFraction(attribute.Value, 6, MaxSpeedUnits, out ulong units))
        {
            log.Error(attribute.Position, "the link speed is not a number", attribute.Value, "GB/s from 0 to 1000, as 15.753846");
            return null;
        }

        return units == 0 ? null : new LinkBandwidth(units * BytesPerSpeedUnit);
    }

    /// <summary>The operating system's number of an object; null where it has none.</summary>
    internal int? OptionalIndex(XmlTreeElement element)
    {
        if (!element.TryGet("os_index", out XmlTreeAttribute attribute))
        {
            return null;
        }

        if (!StrictNumber.TryDecimal(attribute.Value, uint.MaxValue, out ulong index))
        {
            log.Error(attribute.Position, "the os_index is not a number", attribute.Value, "0 to 4294967295");
            return null;
        }

        return index <= int.MaxValue ? (int)index : null; // hwloc's "unknown" is 2^32-1
    }

    /// <summary>The number of a NUMA node.</summary>
    internal bool TryNode(XmlTreeElement element, out NodeId node)
    {
        node = NodeId.None;
        if (!element.TryGet("os_index", out XmlTreeAttribute attribute))
        {
            log.Error(element.Position, "the NUMA node has no os_index", "", $"0 to {NodeId.MaxIndex}");
            return false;
        }

        if (!StrictNumber.TryDecimal(attribute.Value, NodeId.MaxIndex, out ulong index))
        {
            log.Error(attribute.Position, "the number of the NUMA node is out of range", attribute.Value, $"0 to {NodeId.MaxIndex}");
            return false;
        }

        node = new NodeId((int)index);
        return true;
    }

    /// <summary>The nodes of an object; null where it does not say.</summary>
    internal List<NodeId>? Nodes(XmlTreeElement element)
    {
        if (!element.TryGet("nodeset", out XmlTreeAttribute attribute))
        {
            return null;
        }

        if (HwlocBitmap.TryNodes(attribute.Value, out List<NodeId> nodes))
        {
            return nodes;
        }

        log.Error(
            attribute.Position, "the nodeset is not a bitmap", attribute.Value, $"0x words of 32 bits, no bit above {NodeId.MaxIndex}");
        return null;
    }

    /// <summary>Whether a bitmap has bits; null where it is absent.</summary>
    internal bool? HasBits(XmlTreeElement element, string name)
    {
        if (!element.TryGet(name, out XmlTreeAttribute attribute))
        {
            return null;
        }

        if (!HwlocBitmap.TryAny(attribute.Value, out bool any))
        {
            log.Error(attribute.Position, $"the {name} is not a bitmap", attribute.Value, "0x words of 32 bits");
        }

        return any;
    }

    /// <summary>The bytes of a NUMA node; null where absent.</summary>
    internal ByteCount? Memory(XmlTreeElement element)
    {
        if (!element.TryGet("local_memory", out XmlTreeAttribute attribute))
        {
            return null;
        }

        if (!StrictNumber.TryDecimal(attribute.Value, ulong.MaxValue, out ulong bytes))
        {
            log.Error(attribute.Position, "the local memory is not a number of bytes", attribute.Value, "0 to 2^64-1");
            return null;
        }

        return new ByteCount(bytes);
    }

    /// <summary>What an operating system's device is: a number in version 2, a bit mask in version 3.</summary>
    internal OsDeviceKind DeviceKind(XmlTreeElement element, bool isVersion2)
    {
        if (!element.TryGet("osdev_type", out XmlTreeAttribute attribute))
        {
            return OsDeviceKind.Other;
        }

        if (!StrictNumber.TryDecimal(attribute.Value, uint.MaxValue, out ulong type))
        {
            log.Error(attribute.Position, "the type of a device is not a number", attribute.Value, "0 to 4294967295");
            return OsDeviceKind.Other;
        }

        return isVersion2 ? KindOfNumber(type, element.Value("subtype")) : KindOfMask(type);
    }

    private static OsDeviceKind KindOfNumber(ulong type, string? subtype) => type switch
    {
        0 when subtype is "SPM" or "NVM" or "NVDIMM" or "CXLMem" => OsDeviceKind.Memory, // version 2 had no type of its own for these
        0 => OsDeviceKind.Block,
        1 => OsDeviceKind.Gpu,
        2 => OsDeviceKind.Network,
        3 => OsDeviceKind.Rdma,
        4 => OsDeviceKind.DmaEngine,
        5 => OsDeviceKind.CoProcessor,
        _ => OsDeviceKind.Other,
    };

    // Several bits may be on (an RDMA device is a network device too); the most special one tells most.
    private static OsDeviceKind KindOfMask(ulong mask) => mask switch
    {
        _ when (mask & 0x20) != 0 => OsDeviceKind.Rdma,
        _ when (mask & 0x10) != 0 => OsDeviceKind.Network,
        _ when (mask & 0x08) != 0 => OsDeviceKind.CoProcessor,
        _ when (mask & 0x04) != 0 => OsDeviceKind.Gpu,
        _ when (mask & 0x40) != 0 => OsDeviceKind.DmaEngine,
        _ when (mask & 0x02) != 0 => OsDeviceKind.Memory,
        _ when (mask & 0x01) != 0 => OsDeviceKind.Block,
        _ => OsDeviceKind.Other,
    };

    private static bool TryBracketed(string text, out PciId id)
    {
        id = default;
        return text.Length == 11 && text[0] == '[' && text[^1] == ']' && PciId.TryParse(text.AsSpan(1, 9), out id);
    }
}
