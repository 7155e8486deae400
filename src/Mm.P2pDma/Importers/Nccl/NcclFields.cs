using Mm.Core;
using Mm.P2pDma.Importers.Reading;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Importers.Nccl;

/// <summary>Reads the attributes of NCCL's elements, each with its place on error.</summary>
/// <param name="log">Where errors go.</param>
internal sealed class NcclFields(ImportLog log)
{
    /// <summary>What NCCL writes as the target of a link to a switch that it cannot name; no address, its device is 255.</summary>
    internal const string SomeSwitch = "fffffff:ff:ff.0";

    /// <summary>What sysfs says of the width of a link that it cannot read.</summary>
    private const ulong UnknownWidth = 255;

    private const ulong MaxWidth = 32;

    /// <summary>What an operating system calls a device of this name: NCCL's nets are RDMA devices, or interfaces of its socket transport.</summary>
    internal static OsDeviceKind DeviceKind(string name)
    {
        string[] interfaces = ["eth", "en", "ib", "bond", "wl", "usb"];
        return interfaces.Any(prefix => name.StartsWith(prefix, StringComparison.Ordinal)) ? OsDeviceKind.Network : OsDeviceKind.Rdma;
    }

    /// <summary>An address.</summary>
    internal bool TryAddress(XmlTreeElement element, string name, out PciAddress address)
    {
        if (!element.TryGet(name, out XmlTreeAttribute attribute))
        {
            address = default;
            log.Error(element.Position, $"the {element.Name} element has no {name}", "", "dddd:bb:dd.f, as 0000:3b:00.1");
            return false;
        }

        bool isAddress = PciAddress.TryParse(attribute.Value, out address) && attribute.Value.Count(c => c == ':') == 2;
        if (!isAddress)
        {
            log.Error(attribute.Position, $"the {name} is not an address", attribute.Value, "dddd:bb:dd.f, as 0000:3b:00.1");
        }

        return isAddress;
    }

    /// <summary>The other end of a link; null where it is only said to be some switch.</summary>
    internal bool TryTarget(XmlTreeElement element, out PciAddress? target)
    {
        target = null;
        if (element.Value("target") == SomeSwitch)
        {
            return true;
        }

        bool isAddress = TryAddress(element, "target", out PciAddress address);
        target = isAddress ? address : null;
        return isAddress;
    }

    /// <summary>The NUMA node of a cpu; none where it is -1, which NCCL writes when it does not know.</summary>
    internal bool TryNode(XmlTreeElement element, out NodeId node)
    {
        node = NodeId.None;
        if (element.Value("numaid") is "-1")
        {
            return true;
        }

        if (!element.TryGet("numaid", out XmlTreeAttribute attribute)
            || !StrictNumber.TryDecimal(attribute.Value, NodeId.MaxIndex, out ulong index))
        {
            log.Error(
                attribute.Name is null ? element.Position : attribute.Position,
                "the numaid of a cpu is not a node",
                attribute.Value ?? "",
                $"-1 to {NodeId.MaxIndex}");
            return false;
        }

        node = new NodeId((int)index);
        return true;
    }

    /// <summary>Whether the affinity of a cpu has bits: words of 32 bits, <c>000000ff,ffff0000</c>; null where absent or empty.</summary>
    internal bool? HasCpus(XmlTreeElement element)
    {
        if (!element.TryGet("affinity", out XmlTreeAttribute attribute) || attribute.Value.Length == 0)
        {
            return null;
        }

        bool any = false;
        foreach (string word in attribute.Value.Split(','))
        {
            if (!StrictNumber.TryHex(word, uint.MaxValue, out ulong bits))
            {
                log.Error(attribute.Position, "the affinity is not a bitmap", attribute.Value, "words of 32 bits, as 000000ff,ffff0000");
                return null;
            }

            any |= bits != 0;
        }

        return any;
    }

    /// <summary>The CPUs that a cpu element describes.</summary>
    internal CpuIdentity Cpu(XmlTreeElement element)
    {
        int? family = Number(element, "familyid", 0xfff);
        int? model = Number(element, "modelid", 0xffff);
        string arch = element.Value("arch") ?? "";
        if (arch.Length > 0 && arch != "x86_64")
        {
            return new CpuIdentity(arch == "arm64" ? CpuVendor.Arm : CpuVendorWords.OfArchitecture(arch), null, null);
        }

        if (element.Value("vendor") is not { Length: > 0 } vendor)
        {
            return CpuIdentity.Unknown;
        }

        int? display = family is { } packed ? DisplayFamily(packed) : null;
        if (display != family)
        {
            log.Note(element.Position, $"familyid {family} is NCCL's packed form of CPU family 0x{display:x}");
        }

        return new CpuIdentity(CpuVendorWords.OfX86Vendor(vendor), display, model);
    }

    /// <summary>The class; null where absent or empty.</summary>
    internal PciClass? Class(XmlTreeElement element)
    {
        if (!element.TryGet("class", out XmlTreeAttribute attribute) || attribute.Value.Length == 0)
        {
            return null;
        }

        if (PciClass.TryParse(attribute.Value, out PciClass code))
        {
            return code;
        }

        log.Error(attribute.Position, "the class is not a class code", attribute.Value, "0x and six digits, as 0x060400");
        return null;
    }

    /// <summary>Two halves of an identity; null where absent, 0x0000 or 0xffff, which are no vendors.</summary>
    internal PciId? Id(XmlTreeElement element, string vendorName, string deviceName)
    {
        ushort? vendor = Half(element, vendorName);
        ushort? device = Half(element, deviceName);
        return vendor is null or 0 or 0xffff || device is null ? null : new PciId(vendor.Value, device.Value);
    }

    /// <summary>Speed and width of a link; unknown parts stay so.</summary>
    internal PciLinkState Link(XmlTreeElement element)
    {
        PciLinkSpeed speed = PciLinkSpeed.Unknown;
        if (element.TryGet("link_speed", out XmlTreeAttribute attribute) && !PciLinkSpeed.TryParse(attribute.Value, out speed))
        {
            log.Error(attribute.Position, "the link speed is not readable", attribute.Value, "empty, or as 16 GT/s or 16.0 GT/s PCIe");
        }

        if (!element.TryGet("link_width", out attribute) || attribute.Value.Length == 0)
        {
            return new PciLinkState(speed, 0);
        }

        if (!StrictNumber.TryDecimal(attribute.Value, UnknownWidth, out ulong width) || width is > MaxWidth and < UnknownWidth)
        {
            string allowed = $"0 to {MaxWidth}, or {UnknownWidth} for unknown";
            log.Error(attribute.Position, "the link width is out of range", attribute.Value, allowed);
            width = 0;
        }

        return new PciLinkState(speed, width == UnknownWidth ? (byte)0 : (byte)width);
    }

    /// <summary>A decimal number; null where absent.</summary>
    internal int? Number(XmlTreeElement element, string name, uint max)
    {
        if (!element.TryGet(name, out XmlTreeAttribute attribute) || attribute.Value.Length == 0)
        {
            return null;
        }

        uint limit = Math.Min(max, int.MaxValue);
        if (StrictNumber.TryDecimal(attribute.Value, limit, out ulong value))
        {
            return (int)value;
        }

        log.Error(attribute.Position, $"the {name} is not a number in its range", attribute.Value, $"0 to {limit}");
        return null;
    }

    // NCCL adds the extended family, shifted by four, to the base family: 0x8f stands for 0xf + 0x8 = 0x17 (Zen 2). Only
    // base family 0xf has an extension, so another low digit means that somebody wrote the family itself: 23, 25.
    private static int DisplayFamily(int packed) => packed > 0xf && (packed & 0xf) == 0xf ? 0xf + (packed >> 4) : packed;

    private ushort? Half(XmlTreeElement element, string name)
    {
        if (!element.TryGet(name, out XmlTreeAttribute attribute) || attribute.Value.Length == 0)
        {
            return null;
        }

        if (StrictNumber.TryPrefixedHex(attribute.Value, 0xffff, out ulong value))
        {
            return (ushort)value;
        }

        log.Error(attribute.Position, $"the {name} is not an identity", attribute.Value, "0x0000 to 0xffff");
        return null;
    }
}
