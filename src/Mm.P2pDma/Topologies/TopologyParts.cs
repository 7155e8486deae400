namespace Mm.P2pDma.Topologies;

/// <summary>The lists that a topology is made of, before they are checked.</summary>
/// <remarks><b>Locking:</b> the caller's; never changed once a snapshot holds them.</remarks>
internal sealed class TopologyParts
{
    public List<TopologyHost> Hosts { get; init; } = [];

    public List<HostBridge> HostBridges { get; init; } = [];

    public List<PciFunction> Functions { get; init; } = [];

    public List<NumaNode> Nodes { get; init; } = [];

    public List<InterconnectLink> Interconnects { get; init; } = [];

    public TopologyOmissions Omissions { get; set; }

    public TopologyParts Copy() => new()
    {
        Hosts = [.. Hosts],
        HostBridges = [.. HostBridges],
        Functions = [.. Functions],
        Nodes = [.. Nodes],
        Interconnects = [.. Interconnects],
        Omissions = Omissions,
    };
}
