using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Importers.Sysfs;

/// <summary>The folder of one PCI function in a sysfs tree: its files that matter, its driver, its operating system's names.</summary>
/// <remarks><b>Locking:</b> the caller's; filled by <see cref="SysfsTree"/>.</remarks>
/// <param name="path">The folder, from the root.</param>
/// <param name="address">The function.</param>
internal sealed class SysfsDevice(string path, PciAddress address)
{
    internal string Path { get; } = path;

    internal PciAddress Address { get; } = address;

    /// <summary>Contents by file name.</summary>
    internal Dictionary<string, byte[]> Files { get; } = [];

    /// <summary>The names below <c>net</c>, <c>block</c> and so on, each once, in the tree's order.</summary>
    internal List<OsDevice> OsDevices { get; } = [];

    /// <summary>The last part of the <c>driver</c> link, <c>pcieport</c>.</summary>
    internal string? Driver { get; set; }

    /// <summary>The last part of the <c>iommu_group</c> link.</summary>
    internal string? IommuGroup { get; set; }

    /// <summary>What follows the address in the name of a port's service, <c>pcie001</c>.</summary>
    internal string? PortService { get; set; }
}
