namespace Mm.P2pDma.Topologies;

/// <summary>The buses below a bridge: from its secondary to its subordinate one.</summary>
/// <remarks><b>Linux:</b> pci_bus.busn_res (v6.12). <c>default</c> is bus 0 alone. Immutable.</remarks>
/// <param name="Secondary">The bus right below.</param>
/// <param name="Subordinate">The highest bus below; the range is <c>[Secondary, Subordinate + 1)</c>.</param>
public readonly record struct PciBusRange(byte Secondary, byte Subordinate)
{
    /// <summary>The range half-open, as <c>[2b, 3c)</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"[{Secondary:x2}, {Subordinate + 1:x2})";
}
