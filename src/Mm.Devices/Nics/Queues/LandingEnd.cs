namespace Mm.Devices.Nics.Queues;

/// <summary>Why a card stopped taking bytes of a flow off the wire.</summary>
/// <remarks><b>Linux:</b> why a NAPI poll ends before its budget (v6.12).</remarks>
public enum LandingEnd
{
    /// <summary>As many bytes as were asked for have landed.</summary>
    Done = 0,

    /// <summary>Nothing more is on the wire now.</summary>
    WireEmpty = 1,

    /// <summary>The sender has ended the flow.</summary>
    FlowEnded = 2,

    /// <summary>The queue has no buffer: the rest waits on the wire until one is given back.</summary>
    NoBuffer = 3,

    /// <summary>The device's write faulted: the memory is not where it was. The rest waits on the wire.</summary>
    Fault = 4,

    /// <summary>The queue's memory is taken away, maybe for a while. The rest waits on the wire.</summary>
    MemoryGone = 5,

    /// <summary>The card is removed or stopped.</summary>
    DeviceGone = 6,

    /// <summary>The connection broke.</summary>
    ConnectionLost = 7,
}
