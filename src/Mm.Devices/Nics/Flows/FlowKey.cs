using System.Net;

namespace Mm.Devices.Nics.Flows;

/// <summary>Which connection a packet belongs to: where it comes from and where it goes.</summary>
/// <remarks>
/// <b>Linux:</b> struct flow_keys, as far as ntuple rules and RSS ask (v6.12).
/// <para>Immutable. <c>default</c> is no flow.</para>
/// </remarks>
/// <param name="Source">The sender's end.</param>
/// <param name="Destination">The receiver's end.</param>
public readonly record struct FlowKey(IPEndPoint Source, IPEndPoint Destination)
{
    /// <summary>The flow as <c>127.0.0.1:40000 > 127.0.0.1:5000</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"{Source} > {Destination}";
}
