using Mm.Core;

namespace Mm.P2pDma.Topologies;

/// <summary>A NUMA node of a host: its memory, and whether it has CPUs.</summary>
/// <remarks>Immutable.</remarks>
/// <param name="Node">The node, by the operating system's number; numbers may be sparse.</param>
public sealed record NumaNode(NodeId Node)
{
    /// <summary>The machine that it is part of; the first unless said otherwise.</summary>
    public HostId Host { get; init; }

    /// <summary>The CPU package that it is part of, where told.</summary>
    public int? Package { get; init; }

    /// <summary>Its memory, where told.</summary>
    public ByteCount? Memory { get; init; }

    /// <summary>Whether it has CPUs, where told; memory of devices may be nodes without.</summary>
    public bool? HasCpus { get; init; }

    /// <summary>The function whose memory it is, where told.</summary>
    public PciAddress? Device { get; init; }
}
