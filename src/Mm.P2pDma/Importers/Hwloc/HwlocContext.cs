using Mm.Core;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Importers.Hwloc;

/// <summary>What the objects around a place in an hwloc tree say about it.</summary>
/// <remarks><c>default</c> is not used: <see cref="Outside"/> is the start. Immutable.</remarks>
internal sealed record HwlocContext
{
    /// <summary>Above the root object.</summary>
    internal static HwlocContext Outside { get; } = new();

    /// <summary>The nearest package, by the operating system's number.</summary>
    internal int? Package { get; init; }

    /// <summary>The only NUMA node with CPUs around here; none where there are several.</summary>
    internal NodeId Node { get; init; } = NodeId.None;

    /// <summary>The host bridge above.</summary>
    internal HostBridge? HostBridge { get; init; }

    /// <summary>The PCI function above.</summary>
    internal HwlocFunction? Function { get; init; }
}
