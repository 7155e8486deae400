namespace Mm.Devices.Nics.Bindings;

/// <summary>What a binding expects of memory that is shared with it.</summary>
/// <remarks><b>Linux:</b> the first alone (v6.12).</remarks>
public enum BindingContract
{
    /// <summary>It never moves and is never taken away while the binding lives: the attachment is static. Memory of a peer that
    /// its exporter may take away is refused.</summary>
    Static = 0,

    /// <summary>It may move, be taken away and come back: the binding follows, takes memory of a peer, and meanwhile what is sent
    /// waits on the wire. Linux has no such binding.</summary>
    Revocable = 1,
}
