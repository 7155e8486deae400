using Mm.Core;

namespace Mm.Devices.Nics.ZeroCopy;

/// <summary>Tells a user where in his area bytes lie.</summary>
/// <remarks><b>Linux:</b> struct io_uring_zcrx_cqe behind its completion (v6.15). <c>default</c> tells of no byte. Immutable.</remarks>
/// <param name="Place">The area's number and the offset in it, as a <see cref="RefillEntry"/> gives it back.</param>
/// <param name="Size">How many bytes.</param>
public readonly record struct ReceiveCompletion(ulong Place, ByteCount Size)
{
    /// <summary>Where in the area the bytes begin.</summary>
    public ByteCount Offset => new RefillEntry(Place).Offset;
}
