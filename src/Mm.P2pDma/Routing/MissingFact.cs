namespace Mm.P2pDma.Routing;

/// <summary>A fact that a verdict would have asked for and the topology does not know.</summary>
/// <remarks>Immutable.</remarks>
/// <param name="Kind">What kind of fact.</param>
/// <param name="Subject">Whose, as text: a function, a host, a host bridge.</param>
public sealed record MissingFact(MissingFactKind Kind, string Subject)
{
    /// <summary>The fact as <c>ACS control of 0000:3b:00.0</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => Kind switch
    {
        MissingFactKind.Acs => $"ACS control of {Subject}",
        MissingFactKind.Cpu => $"CPU of {Subject}",
        MissingFactKind.HostBridge => $"host bridge of {Subject}",
        MissingFactKind.FirstDevice => $"first device on the root bus of {Subject}",
        MissingFactKind.Ports => $"ports that the source leaves out {Subject}",
        _ => Subject,
    };
}
