namespace Mm.DmaBuf.Buffers;

/// <summary>Why an attachment gets, or does not get, memory of a peer.</summary>
/// <remarks><b>Linux:</b> no symbol: exporters clear peer2peer, or refuse, without a word (v6.12).</remarks>
public enum PeerReason
{
    /// <summary>The buffer is RAM wherever it goes: the question does not arise.</summary>
    OnlyRam = 0,

    /// <summary>The importer allows it, and the device reaches the exporter's memory.</summary>
    Agreed = 1,

    /// <summary>The importer does not allow it.</summary>
    ImporterDeclines = 2,

    /// <summary>The importer allows it, but the way from its device to the exporter's memory is refused.</summary>
    NoWay = 3,
}
