namespace Mm.Devices.Nics.Sockets;

/// <summary>Tokens that follow one another, to be given back.</summary>
/// <remarks><b>Linux:</b> struct dmabuf_token (v6.12), 8 bytes. <c>default</c> is none. Immutable.</remarks>
/// <param name="Start">The first token.</param>
/// <param name="Count">How many.</param>
public readonly record struct TokenRange(uint Start, uint Count);
