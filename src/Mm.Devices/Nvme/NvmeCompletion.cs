using System.Buffers.Binary;

namespace Mm.Devices.Nvme;

/// <summary>A completion as it stands in a completion queue: 16 bytes, the phase in its last word says whether it is new.</summary>
/// <remarks><b>Linux:</b> struct nvme_completion (include/linux/nvme.h, v6.12). Immutable.</remarks>
/// <param name="Tag">Of which command.</param>
/// <param name="Head">Up to where the submission queue was read.</param>
/// <param name="Status">How it ended.</param>
/// <param name="Phase">Turns over each time the queue is round.</param>
internal readonly record struct NvmeCompletion(ushort Tag, ushort Head, NvmeStatus Status, bool Phase)
{
    internal const int Size = 16;

    internal void WriteTo(Span<byte> bytes)
    {
        bytes[..Size].Clear();
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[8..], Head);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[12..], Tag);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[14..], (ushort)((Status.Value << 1) | (Phase ? 1 : 0)));
    }

    internal static NvmeCompletion ReadFrom(ReadOnlySpan<byte> bytes)
    {
        ushort word = BinaryPrimitives.ReadUInt16LittleEndian(bytes[14..]);
        return new NvmeCompletion(
            BinaryPrimitives.ReadUInt16LittleEndian(bytes[12..]),
            BinaryPrimitives.ReadUInt16LittleEndian(bytes[8..]),
            new NvmeStatus((ushort)(word >> 1)),
            (word & 1) != 0);
    }
}
