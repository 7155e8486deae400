using Mm.Core;

namespace Mm.P2pDma.Importers.PciConfig;

/// <summary>One entry of the resizable-BAR capability: the only register that tells a BAR's size without probing it.</summary>
/// <remarks><b>Linux:</b> PCI_REBAR_CTRL (v6.12).</remarks>
/// <param name="Bar">Which BAR, 0 to 5.</param>
/// <param name="Size">Its current size.</param>
internal readonly record struct PciResizableBar(int Bar, ByteCount Size);
