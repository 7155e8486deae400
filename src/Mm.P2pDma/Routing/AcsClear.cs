using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Routing;

/// <summary>ACS bits to switch off at one function.</summary>
/// <remarks>Immutable.</remarks>
/// <param name="Function">The function.</param>
/// <param name="Bits">The bits to clear; the others stay.</param>
public sealed record AcsClear(PciFunction Function, AcsBits Bits)
{
    /// <summary>The line that does it: <c>setpci -s 0000:3b:00.0 ECAP_ACS+6.w=0011</c>.</summary>
    /// <returns>The command, without a line end.</returns>
    /// <remarks>
    /// Where the register is not known, setpci's <c>value:mask</c> clears the bits and leaves the others; that line is also
    /// right, and does nothing, should they be clear already.
    /// </remarks>
    public string ToSetPci() =>
        Function.Acs.IsPresent
            ? $"setpci -s {Function.Address} ECAP_ACS+6.w={(int)Function.Acs.Without(Bits).Bits:x4}"
            : $"setpci -s {Function.Address} ECAP_ACS+6.w=0000:{(int)Bits:x4}";

    /// <summary>The clearing as <c>0000:3b:00.0 clear RR+CR</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"{Function.Place} clear {AcsControl.Names(Bits)}";
}
