using Mm.P2pDma.Topologies;

namespace Mm.Testing.Generators;

/// <summary>The parts of a sound topology, easy to vary: what <see cref="TopologyArbitraries"/> generates and shrinks.</summary>
/// <param name="Cpu">The CPUs of its one host.</param>
/// <param name="Bridges">Its host bridges.</param>
/// <param name="Functions">Its functions, parents before children.</param>
public sealed record TopologySketch(
    CpuIdentity Cpu, IReadOnlyList<HostBridge> Bridges, IReadOnlyList<PciFunction> Functions)
{
    /// <summary>Makes the topology.</summary>
    /// <returns>A topology of its own, to edit at will.</returns>
    public Topology Build()
    {
        var builder = new TopologyBuilder();
        builder.AddHost(Cpu);
        foreach (HostBridge bridge in Bridges)
        {
            builder.AddHostBridge(bridge);
        }

        foreach (PciFunction function in Functions)
        {
            builder.AddFunction(function);
        }

        return builder.Build();
    }

    /// <summary>The sketch as one line a function, for the report of a failure.</summary>
    /// <returns>The text.</returns>
    public override string ToString() =>
        $"CPU {Cpu}; {string.Join(", ", Bridges)}\n"
        + string.Join('\n', Functions.Select(function =>
            $"  {function} below {function.Parent?.ToString() ?? function.HostBridge?.ToString()} {function.PortType} ACS {function.Acs}"));
}
