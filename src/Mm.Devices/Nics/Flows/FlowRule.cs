using System.Net;

namespace Mm.Devices.Nics.Flows;

/// <summary>Sends the packets of some flows to one queue.</summary>
/// <remarks>
/// <b>Linux:</b> struct ethtool_rx_flow_spec of an ntuple rule (<c>ethtool -N … queue</c>, v6.12).
/// <para>Immutable. What is null fits everything.</para>
/// </remarks>
public sealed record FlowRule
{
    /// <summary>Whence they come.</summary>
    public IPAddress? SourceAddress { get; init; }

    /// <summary>From which port.</summary>
    public int? SourcePort { get; init; }

    /// <summary>Whither they go.</summary>
    public IPAddress? DestinationAddress { get; init; }

    /// <summary>To which port.</summary>
    public int? DestinationPort { get; init; }

    /// <summary>The queue that they go to.</summary>
    public required int Queue { get; init; }

    /// <summary>Whether a flow is meant.</summary>
    /// <param name="flow">The flow.</param>
    /// <returns>Whether it is.</returns>
    public bool Fits(FlowKey flow) =>
        (SourceAddress is null || SourceAddress.Equals(flow.Source.Address))
        && (SourcePort is null || SourcePort == flow.Source.Port)
        && (DestinationAddress is null || DestinationAddress.Equals(flow.Destination.Address))
        && (DestinationPort is null || DestinationPort == flow.Destination.Port);
}
