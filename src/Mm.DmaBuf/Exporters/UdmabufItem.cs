using Mm.Core;
using Mm.Core.Spaces;

namespace Mm.DmaBuf.Exporters;

/// <summary>A piece of an in-memory file for a buffer to be made of.</summary>
/// <remarks>
/// <b>Linux:</b> struct udmabuf_create_item (v6.12). <c>default</c> is of no file. Immutable.
/// </remarks>
/// <param name="File">The file; null for a file that is no in-memory file.</param>
/// <param name="Offset">Where it begins.</param>
/// <param name="Size">How many bytes.</param>
public readonly record struct UdmabufItem(MemoryFile? File, ByteCount Offset, ByteCount Size);
