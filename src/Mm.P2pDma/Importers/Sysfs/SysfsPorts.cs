using Mm.P2pDma.Importers.Reading;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Importers.Sysfs;

/// <summary>Infers port types where <c>config</c> was cut to 64 bytes: from what the kernel's port driver leaves in the tree.</summary>
/// <remarks>
/// <c>pcieport</c> binds to root ports and switch ports only, and names its services after the port's type. Where old
/// kernels misnamed them, the place in the tree decides: on a root bus it is a root port, below a root or downstream
/// port an upstream port, below that a downstream one.
/// <para><b>Linux:</b> pcie_portdrv_probe, get_descriptor_id (drivers/pci/pcie/portdrv.c, v6.12).</para>
/// <para><b>Locking:</b> the caller's.</para>
/// </remarks>
/// <param name="log">Where notes go.</param>
internal sealed class SysfsPorts(ImportLog log)
{
    private const int RootPortCode = 4; // PCI_EXP_TYPE_ROOT_PORT, from which the kernel counts

    /// <summary>Makes the functions, parents before children.</summary>
    /// <param name="devices">The folders.</param>
    /// <param name="read">Makes a function of a folder.</param>
    /// <returns>The functions, with port types as far as they are known or follow.</returns>
    internal List<PciFunction> Infer(IEnumerable<SysfsDevice> devices, Func<SysfsDevice, PciFunction> read)
    {
        var types = new Dictionary<PciAddress, PciPortType>();
        var functions = new List<PciFunction>();
        int inferred = 0;
        foreach (SysfsDevice device in devices.OrderBy(device => device.Path.Count(c => c == '/')))
        {
            PciFunction function = read(device);
            if (function.PortType == PciPortType.Unknown && function.Class?.IsPciBridge == true)
            {
                PciPortType type = TypeOf(device, function, types);
                inferred += type == PciPortType.Unknown ? 0 : 1;
                function = function with { PortType = type };
            }

            types[function.Address] = function.PortType;
            functions.Add(function);
        }

        if (inferred > 0)
        {
            log.Note(
                log.At(0, 0),
                "the tree was not read as root (64 bytes of config): ACS is unknown, and the port types of "
                + $"{inferred} bridges are inferred from their driver");
        }

        return functions;
    }

    private static PciPortType TypeOf(SysfsDevice device, PciFunction function, Dictionary<PciAddress, PciPortType> types)
    {
        bool isPort = device.PortService is not null || device.Driver is "pcieport" or "pcieport-driver";
        if (!isPort)
        {
            return PciPortType.Unknown;
        }

        PciPortType named = OfService(device.PortService);
        if (named != PciPortType.Unknown)
        {
            return named;
        }

        if (function.Parent is not { } parent)
        {
            return function.HostBridge is not null ? PciPortType.RootPort : PciPortType.Unknown;
        }

        return types.GetValueOrDefault(parent) switch
        {
            PciPortType.RootPort or PciPortType.SwitchDownstream => PciPortType.SwitchUpstream,
            PciPortType.SwitchUpstream => PciPortType.SwitchDownstream,
            _ => PciPortType.Unknown,
        };
    }

    // "pcie001" (type - 4, then the service in two digits), "pcie01" in old kernels; "pcieffffffc1" of a kernel that had
    // not read the type says nothing.
    private static PciPortType OfService(string? service)
    {
        bool isPlain = service is not null
            && service.Length is 6 or 7
            && service.StartsWith("pcie", StringComparison.Ordinal);
        if (!isPlain || !StrictNumber.TryHex(service.AsSpan(4, 1), 0xf, out ulong code))
        {
            return PciPortType.Unknown;
        }

        return ((int)code + RootPortCode) switch
        {
            4 => PciPortType.RootPort,
            5 => PciPortType.SwitchUpstream,
            6 => PciPortType.SwitchDownstream,
            _ => PciPortType.Unknown,
        };
    }
}
