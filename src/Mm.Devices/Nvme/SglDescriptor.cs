using System.Buffers.Binary;
using Mm.Core;

namespace Mm.Devices.Nvme;

/// <summary>One scatter-gather descriptor: an address, a length, and what lies there.</summary>
/// <remarks>
/// <code>
/// byte 0 address · 8 length · 12 zero · 15 type in bits 4 to 7, subtype in bits 0 to 3
/// </code>
/// <b>Linux:</b> struct nvme_sgl_desc (v6.12). Immutable.
/// </remarks>
internal readonly record struct SglDescriptor(DmaAddr Address, uint Length, byte Kind)
{
    internal SglType Type => (SglType)(Kind >> 4);

    /// <summary>Whether it leads to more descriptors.</summary>
    internal bool IsLink => Type is SglType.Segment or SglType.LastSegment;

    /// <summary>Whether the controller knows it: types 0 to 3, by plain address.</summary>
    internal bool IsKnown => Type <= SglType.LastSegment && (Kind & 0xf) == 0;

    internal static ulong Words(SglType type, ulong length) => (uint)length | ((ulong)type << 60);

    internal static SglDescriptor Of(DmaAddr address, ulong words) => new(address, (uint)(words & uint.MaxValue), (byte)(words >> 56));

    internal static SglDescriptor ReadFrom(ReadOnlySpan<byte> bytes) => Of(
        new DmaAddr(BinaryPrimitives.ReadUInt64LittleEndian(bytes)), BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]));
}
