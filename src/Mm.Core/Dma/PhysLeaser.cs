using Mm.Core.Native;

namespace Mm.Core.Dma;

/// <summary>Borrows the bytes at physical addresses: the one thing that this room needs of its machine's memory.</summary>
/// <param name="range">The addresses; inside one region of RAM or one window.</param>
/// <param name="lease">The bytes, or none when refused.</param>
/// <returns>Ok, or ENXIO: no bytes lie there, or not all of them in one region.</returns>
internal delegate Errno PhysLeaser(PhysRange range, out SpanLease lease);
