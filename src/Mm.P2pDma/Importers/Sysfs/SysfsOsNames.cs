using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Importers.Sysfs;

/// <summary>Finds the operating system's names of a function in the paths below its folder.</summary>
/// <remarks>
/// A name is what stands behind a class folder: <c>net/ib0</c>, <c>host4/target4:0:0/4:0:0:0/block/sda</c>. Partitions and
/// queues below it are not names of their own.
/// </remarks>
internal static class SysfsOsNames
{
    private const int MaxNames = 256;

    /// <summary>Notes what a path tells.</summary>
    /// <param name="device">The function.</param>
    /// <param name="below">The path below its folder.</param>
    internal static void Note(SysfsDevice device, ReadOnlySpan<string> below)
    {
        if (below.Length > 0 && below[0].StartsWith($"{device.Address}:", StringComparison.Ordinal))
        {
            device.PortService ??= below[0][(device.Address.ToString().Length + 1)..];
            return;
        }

        for (int index = 0; index + 1 < below.Length; index++)
        {
            if (TryKind(below[index], out OsDeviceKind kind))
            {
                Add(device, below[index + 1], kind);
                bool isNvmeDisk = below[index] == "nvme" && index + 2 < below.Length
                    && below[index + 2].StartsWith($"{below[index + 1]}n", StringComparison.Ordinal);
                if (isNvmeDisk)
                {
                    Add(device, below[index + 2], OsDeviceKind.Block);
                }

                return;
            }
        }
    }

    private static void Add(SysfsDevice device, string name, OsDeviceKind kind)
    {
        if (device.OsDevices.Count < MaxNames && !device.OsDevices.Exists(known => known.Name == name))
        {
            device.OsDevices.Add(new OsDevice(name, kind));
        }
    }

    private static bool TryKind(string folder, out OsDeviceKind kind)
    {
        kind = folder switch
        {
            "net" => OsDeviceKind.Network,
            "block" => OsDeviceKind.Block,
            "infiniband" => OsDeviceKind.Rdma,
            "drm" => OsDeviceKind.Gpu,
            "mic" => OsDeviceKind.CoProcessor,
            "dma" => OsDeviceKind.DmaEngine,
            _ => OsDeviceKind.Other,
        };
        return kind != OsDeviceKind.Other || folder == "nvme";
    }
}
