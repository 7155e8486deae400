using System.Buffers.Binary;
using Mm.Core;

namespace Mm.Devices.Nvme;

/// <summary>A command as it stands in a submission queue: 64 bytes.</summary>
/// <remarks>
/// <code>
/// byte 0 opcode · 1 flags (bit 6: SGL) · 2 tag · 4 namespace · 24 first pointer · 32 second pointer · 40 block · 48 blocks - 1
/// </code>
/// <b>Linux:</b> struct nvme_rw_command (include/linux/nvme.h, v6.12). Immutable.
/// </remarks>
/// <param name="Opcode">What to do.</param>
/// <param name="Tag">What the completion says again.</param>
/// <param name="Namespace">On which namespace.</param>
/// <param name="IsSgl">Whether the pointers are one descriptor.</param>
/// <param name="First">The first page, or the descriptor's address.</param>
/// <param name="Second">The second page or the list, or the descriptor's length and type.</param>
/// <param name="Block">The first block.</param>
/// <param name="Blocks">How many blocks; 1 to 65,536.</param>
internal readonly record struct NvmeCommand(
    NvmeOpcode Opcode, ushort Tag, uint Namespace, bool IsSgl, DmaAddr First, ulong Second, ulong Block, uint Blocks)
{
    internal const int Size = 64;

    private const byte SglFlag = 1 << 6; // NVME_CMD_SGL_METABUF

    internal void WriteTo(Span<byte> bytes)
    {
        bytes[..Size].Clear();
        bytes[0] = (byte)Opcode;
        bytes[1] = IsSgl ? SglFlag : (byte)0;
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[2..], Tag);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[4..], Namespace);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[24..], First.Value);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[32..], Second);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[40..], Block);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[48..], (ushort)(Math.Max(Blocks, 1) - 1));
    }

    internal static NvmeCommand ReadFrom(ReadOnlySpan<byte> bytes) => new(
        (NvmeOpcode)bytes[0],
        BinaryPrimitives.ReadUInt16LittleEndian(bytes[2..]),
        BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]),
        (bytes[1] & SglFlag) != 0,
        new DmaAddr(BinaryPrimitives.ReadUInt64LittleEndian(bytes[24..])),
        BinaryPrimitives.ReadUInt64LittleEndian(bytes[32..]),
        BinaryPrimitives.ReadUInt64LittleEndian(bytes[40..]),
        (uint)BinaryPrimitives.ReadUInt16LittleEndian(bytes[48..]) + 1);
}
