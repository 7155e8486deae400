using System.Buffers.Binary;
using Mm.Core;

namespace Mm.DmaBuf.Exporters;

/// <summary>What a process asks of a heap.</summary>
/// <remarks>
/// <b>Linux:</b> struct dma_heap_allocation_data (v6.12). <c>default</c> asks for nothing, which is refused. Immutable.
/// </remarks>
/// <param name="Length">How many bytes; rounded up to pages.</param>
/// <param name="FileNumber">Must be 0: the answer goes there.</param>
/// <param name="FileFlags">How the file is opened: access mode and close-on-exec only.</param>
/// <param name="HeapFlags">Must be 0.</param>
public readonly record struct HeapRequest(ByteCount Length, uint FileNumber = 0, uint FileFlags = 2, ulong HeapFlags = 0)
{
    private const int Size = 24;

    /// <summary>The file flags that are known. <b>Linux:</b> O_CLOEXEC and O_ACCMODE.</summary>
    public const uint KnownFileFlags = 0x8_0003;

    /// <summary>Reads a request as a program passes it, older or newer than this one: what is missing is zero, what is more is not looked at.</summary>
    /// <param name="argument">The bytes of the structure.</param>
    /// <returns>The request.</returns>
    /// <remarks><b>Linux:</b> dma_heap_ioctl (v6.12).</remarks>
    public static HeapRequest Read(ReadOnlySpan<byte> argument)
    {
        Span<byte> whole = stackalloc byte[Size];
        argument[..Math.Min(argument.Length, Size)].CopyTo(whole);
        return new HeapRequest(
            new ByteCount(BinaryPrimitives.ReadUInt64LittleEndian(whole)),
            BinaryPrimitives.ReadUInt32LittleEndian(whole[8..]),
            BinaryPrimitives.ReadUInt32LittleEndian(whole[12..]),
            BinaryPrimitives.ReadUInt64LittleEndian(whole[16..]));
    }
}
