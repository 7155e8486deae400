namespace Mm.P2pDma.Importers.PciConfig;

/// <summary>An entry of a capability list: which one, and where.</summary>
/// <param name="Id">The identity; 8 bits in the conventional list, 16 in the extended one.</param>
/// <param name="Offset">Where it starts, in bytes from the start of configuration space.</param>
internal readonly record struct PciCapability(int Id, int Offset);
