using System.Buffers.Binary;

namespace Mm.Devices.Nics.Flows;

/// <summary>The hash by which network cards spread flows: linear in the bits of both ends.</summary>
/// <remarks><b>Linux:</b> what netdev_rss_key_fill's users program (v6.12); here with the key of the published test vectors.</remarks>
internal static class ToeplitzHash
{
    private static ReadOnlySpan<byte> Key =>
    [
        0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb,
        0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
    ];

    /// <summary>Hashes both ends of a flow.</summary>
    internal static uint Of(FlowKey flow)
    {
        Span<byte> input = stackalloc byte[36];
        int length = Append(flow.Source.Address, input, 0);
        length = Append(flow.Destination.Address, input, length);
        BinaryPrimitives.WriteUInt16BigEndian(input[length..], (ushort)flow.Source.Port);
        BinaryPrimitives.WriteUInt16BigEndian(input[(length + 2)..], (ushort)flow.Destination.Port);
        return Of(input[..(length + 4)]);
    }

    // Each bit that is set adds the 32 bits of the key that stand at its place.
    private static uint Of(ReadOnlySpan<byte> input)
    {
        uint hash = 0;
        for (int index = 0; index < input.Length; index++)
        {
            ulong window = ((ulong)BinaryPrimitives.ReadUInt32BigEndian(Key[index..]) << 8) | Key[index + 4];
            for (int bit = 0; bit < 8; bit++)
            {
                if ((input[index] & (0x80 >> bit)) != 0)
                {
                    hash ^= (uint)((window >> (8 - bit)) & uint.MaxValue);
                }
            }
        }

        return hash;
    }

    private static int Append(System.Net.IPAddress address, Span<byte> input, int at)
    {
        _ = address.TryWriteBytes(input[at..], out int written);
        return at + written;
    }
}
