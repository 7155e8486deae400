using Mm.Core;

namespace Mm.P2pDma.Topologies;

/// <summary>A host bridge: the root of one PCI tree, named by its root bus.</summary>
/// <remarks>
/// <para><b>Linux:</b> struct pci_host_bridge (v6.12).</para>
/// <para>Immutable.</para>
/// </remarks>
public sealed record HostBridge
{
    /// <summary>The machine that it is part of; the first unless said otherwise.</summary>
    public HostId Host { get; init; }

    /// <summary>Domain and root bus: its identity on its host.</summary>
    public required PciBusId Bus { get; init; }

    /// <summary>The highest bus below it, where told.</summary>
    public byte? LastBus { get; init; }

    /// <summary>The NUMA node that it is near; <see cref="NodeId.None"/> where not told.</summary>
    public NodeId Node { get; init; } = NodeId.None;

    /// <summary>The CPU package that it is part of, where told.</summary>
    public int? Package { get; init; }

    /// <summary>
    /// Whether every device of the root bus is listed, in the kernel's order; when not, nobody knows which one is first,
    /// unless device 00.0 is listed.
    /// </summary>
    public bool IsRootBusComplete { get; init; } = true;

    /// <summary>The bridge as sysfs names it: <c>pci0000:40</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => Host == HostId.First ? $"pci{Bus}" : $"{Host.Index}/pci{Bus}";
}
