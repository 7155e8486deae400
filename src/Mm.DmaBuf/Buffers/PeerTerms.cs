using Mm.Core.PhysRanges;

namespace Mm.DmaBuf.Buffers;

/// <summary>What exporter and importer agreed on about memory of a peer, and why.</summary>
/// <remarks>
/// <b>Linux:</b> dma_buf_attachment::peer2peer after the exporter's attach (v6.12), with the reason.
/// <para><c>default</c>: a buffer that is only RAM. Immutable.</para>
/// </remarks>
/// <param name="Reason">Why.</param>
/// <param name="Way">How the device reaches the exporter's memory; <see cref="P2pMapKind.Unknown"/> where nobody asked.</param>
public readonly record struct PeerTerms(PeerReason Reason, P2pMapKind Way)
{
    /// <summary>Whether mappings may hold memory of a peer.</summary>
    public bool IsPeerToPeer => Reason == PeerReason.Agreed;

    /// <summary>Decides by what the importer allows and how its device reaches a provider.</summary>
    /// <param name="client">Who attaches.</param>
    /// <param name="provider">Who answers for the exporter's memory.</param>
    /// <returns>The terms.</returns>
    public static PeerTerms Negotiate(BufferClient client, IP2pProvider provider)
    {
        ArgumentNullException.ThrowIfNull(provider);
        if (!client.IsPeerToPeer)
        {
            return new PeerTerms(PeerReason.ImporterDeclines, P2pMapKind.Unknown);
        }

        P2pMapKind way = P2pProviderContract.MapKindFor(provider, client.Device);
        return new PeerTerms(way == P2pMapKind.NotSupported ? PeerReason.NoWay : PeerReason.Agreed, way);
    }

    /// <summary>The terms in words.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => Reason switch
    {
        PeerReason.Agreed => $"peer to peer, {Way}",
        PeerReason.ImporterDeclines => "not peer to peer: the importer does not allow it",
        PeerReason.NoWay => "not peer to peer: the device does not reach the exporter's memory",
        _ => "RAM",
    };
}
