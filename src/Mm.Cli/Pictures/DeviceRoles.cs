using Mm.P2pDma.Topologies;

namespace Mm.Cli.Pictures;

/// <summary>What a function is to a user of peer-to-peer DMA, by its class code or its operating system's name.</summary>
internal static class DeviceRoles
{
    /// <summary>A display controller, a 3D controller or a processing accelerator; not the plain VGA of a board controller.</summary>
    public static bool IsGpu(PciFunction function) =>
        HasDevice(function, OsDeviceKind.CoProcessor)
        || (function.Class is { } known && (known.BaseClass == 0x12 || known.Code >> 8 is 0x0302 or 0x0380))
        || (function.Class is { BaseClass: 0x03 } && function.Id is { Vendor: 0x10de or 0x1002 });

    /// <summary>A network or InfiniBand controller.</summary>
    public static bool IsNic(PciFunction function) =>
        function.Class is { BaseClass: 0x02 }
        || HasDevice(function, OsDeviceKind.Rdma)
        || HasDevice(function, OsDeviceKind.Network);

    /// <summary>An NVMe controller.</summary>
    public static bool IsNvme(PciFunction function) => function.Class is { Code: 0x010802 };

    /// <summary>Whether a function plays a role.</summary>
    public static bool Has(PciFunction function, DeviceRole role) => role switch
    {
        DeviceRole.Gpu => IsGpu(function),
        DeviceRole.Nic => IsNic(function),
        _ => IsNvme(function),
    };

    /// <summary>What nvidia-smi calls a NIC: its RDMA name if it has one, else its network name.</summary>
    public static string? NicName(PciFunction function) =>
        (function.OsDevices.FirstOrDefault(device => device.Kind == OsDeviceKind.Rdma)
            ?? function.OsDevices.FirstOrDefault(device => device.Kind == OsDeviceKind.Network))?.Name;

    private static bool HasDevice(PciFunction function, OsDeviceKind kind)
    {
        foreach (OsDevice device in function.OsDevices)
        {
            if (device.Kind == kind)
            {
                return true;
            }
        }

        return false;
    }
}
