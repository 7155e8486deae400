using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Importers.Hwloc;

/// <summary>A PCI function while an hwloc tree is read: names and labels arrive after it.</summary>
/// <param name="facts">What its own attributes say.</param>
/// <param name="position">Where it stands.</param>
internal sealed class HwlocFunction(PciFunction facts, ImportPosition position)
{
    private readonly List<OsDevice> devices = [];

    /// <summary>What its own attributes say.</summary>
    internal PciFunction Facts { get; } = facts;

    /// <summary>Where it stands.</summary>
    internal ImportPosition Position { get; } = position;

    /// <summary>What people call it; the name of the model wins over that of the chip.</summary>
    internal string? Label { get; set; }

    /// <summary>Adds a name that the operating system gave it.</summary>
    /// <param name="device">The name.</param>
    internal void Add(OsDevice device) => devices.Add(device);

    /// <summary>All facts together.</summary>
    /// <returns>The function.</returns>
    internal PciFunction ToFunction() => Facts with { OsDevices = [.. devices], Label = Label };
}
