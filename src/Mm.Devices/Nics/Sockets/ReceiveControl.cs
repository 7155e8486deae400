using Mm.Core;

namespace Mm.Devices.Nics.Sockets;

/// <summary>A control message: where a part of what was received lies.</summary>
/// <remarks><b>Linux:</b> struct dmabuf_cmsg (v6.12). <c>default</c> tells of no byte. Immutable.</remarks>
/// <param name="Kind">What it tells.</param>
/// <param name="Offset">Where in the bound buffer the bytes begin; 0 where they were copied.</param>
/// <param name="Size">How many bytes.</param>
/// <param name="Token">What gives the fragment back; 0 where bytes were copied.</param>
/// <param name="Binding">In which binding's buffer; 0 where bytes were copied.</param>
public readonly record struct ReceiveControl(
    ReceiveControlKind Kind, ByteCount Offset, ByteCount Size, uint Token, uint Binding);
