namespace Mm.P2pDma.Topologies;

/// <summary>One machine of a topology.</summary>
/// <remarks>Immutable.</remarks>
/// <param name="Id">Which one.</param>
public sealed record TopologyHost(HostId Id)
{
    /// <summary>A name or hash that tells it apart, where told.</summary>
    public string? Name { get; init; }

    /// <summary>Its CPUs.</summary>
    public CpuIdentity Cpu { get; init; }
}
