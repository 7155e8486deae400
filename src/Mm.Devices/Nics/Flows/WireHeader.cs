using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace Mm.Devices.Nics.Flows;

/// <summary>The headers of a segment on the wire: Ethernet, IP and TCP, as bytes.</summary>
/// <remarks>
/// Owns nothing. The real system has taken the headers off before a socket gives its bytes, so the card makes them
/// anew from what the socket knows: its two ends, and how many bytes went before.
/// <para><b>Linux:</b> struct ethhdr, iphdr or ipv6hdr, tcphdr (v6.12), without options; checksums are left zero, as the card
/// has checked them.</para>
/// <para>Immutable. <c>default</c> is no header.</para>
/// </remarks>
/// <param name="Flow">The flow.</param>
/// <param name="Sequence">The number of the first byte of payload, modulo 2^32.</param>
/// <param name="Payload">How many bytes of payload follow.</param>
internal readonly record struct WireHeader(FlowKey Flow, uint Sequence, int Payload)
{
    /// <summary>The most bytes that a header has.</summary>
    internal const int MaxSize = Ethernet + IpV6 + Tcp;

    private const int Ethernet = 14;
    private const int IpV4 = 20;
    private const int IpV6 = 40;
    private const int Tcp = 20;

    /// <summary>How many bytes the headers of a flow have.</summary>
    internal static int SizeOf(FlowKey flow) =>
        Ethernet + (flow.Source.AddressFamily == AddressFamily.InterNetwork ? IpV4 : IpV6) + Tcp;

    /// <summary>Writes it.</summary>
    internal int Write(Span<byte> bytes)
    {
        bool isV4 = Flow.Source.AddressFamily == AddressFamily.InterNetwork;
        int size = SizeOf(Flow);
        bytes[..size].Clear();
        BinaryPrimitives.WriteUInt16BigEndian(bytes[12..], (ushort)(isV4 ? 0x0800 : 0x86dd));
        Span<byte> ip = bytes[Ethernet..];
        if (isV4)
        {
            ip[0] = 0x45;
            BinaryPrimitives.WriteUInt16BigEndian(ip[2..], (ushort)Math.Min(IpV4 + Tcp + Payload, ushort.MaxValue));
            ip[9] = 6;
            _ = Flow.Source.Address.TryWriteBytes(ip[12..16], out _);
            _ = Flow.Destination.Address.TryWriteBytes(ip[16..20], out _);
        }
        else
        {
            ip[0] = 0x60;
            BinaryPrimitives.WriteUInt16BigEndian(ip[4..], (ushort)Math.Min(Tcp + Payload, ushort.MaxValue));
            ip[6] = 6;
            _ = Flow.Source.Address.TryWriteBytes(ip[8..24], out _);
            _ = Flow.Destination.Address.TryWriteBytes(ip[24..40], out _);
        }

        Span<byte> tcp = bytes[(size - Tcp)..];
        BinaryPrimitives.WriteUInt16BigEndian(tcp, (ushort)Flow.Source.Port);
        BinaryPrimitives.WriteUInt16BigEndian(tcp[2..], (ushort)Flow.Destination.Port);
        BinaryPrimitives.WriteUInt32BigEndian(tcp[4..], Sequence);
        tcp[12] = (Tcp / 4) << 4;
        tcp[13] = 0x10; // ACK
        return size;
    }

    /// <summary>Reads the headers that <see cref="Write"/> made.</summary>
    /// <returns>Whether they are such headers.</returns>
    internal static bool TryRead(ReadOnlySpan<byte> bytes, out WireHeader header, out int size)
    {
        header = default;
        size = 0;
        if (bytes.Length < Ethernet + IpV4 + Tcp)
        {
            return false;
        }

        ushort kind = BinaryPrimitives.ReadUInt16BigEndian(bytes[12..]);
        size = Ethernet + (kind == 0x0800 ? IpV4 : IpV6) + Tcp;
        if (kind is not (0x0800 or 0x86dd) || bytes.Length < size)
        {
            return false;
        }

        ReadOnlySpan<byte> ip = bytes[Ethernet..];
        ReadOnlySpan<byte> tcp = bytes[(size - Tcp)..];
        int source = BinaryPrimitives.ReadUInt16BigEndian(tcp);
        int destination = BinaryPrimitives.ReadUInt16BigEndian(tcp[2..]);
        uint sequence = BinaryPrimitives.ReadUInt32BigEndian(tcp[4..]);
        bool isV4 = kind == 0x0800;
        var from = new IPAddress(isV4 ? ip[12..16] : ip[8..24]);
        var to = new IPAddress(isV4 ? ip[16..20] : ip[24..40]);
        int payload = BinaryPrimitives.ReadUInt16BigEndian(isV4 ? ip[2..] : ip[4..]) - (isV4 ? IpV4 + Tcp : Tcp);
        header = new WireHeader(new FlowKey(new IPEndPoint(from, source), new IPEndPoint(to, destination)), sequence, payload);
        return true;
    }
}
