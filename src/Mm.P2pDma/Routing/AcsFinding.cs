using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Routing;

/// <summary>A function whose ACS sends the traffic of a pair up to the root.</summary>
/// <remarks>Immutable.</remarks>
/// <param name="Function">The function.</param>
/// <param name="Bits">Its bits that redirect.</param>
public sealed record AcsFinding(PciFunction Function, AcsBits Bits)
{
    /// <summary>The finding as <c>0000:3b:00.0 RR+CR (control 0x001d)</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() =>
        $"{Function.Place} {AcsControl.Names(Bits)} (control 0x{(int)Function.Acs.Bits:x4})";
}
