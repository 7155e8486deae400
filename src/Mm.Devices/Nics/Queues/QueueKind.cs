namespace Mm.Devices.Nics.Queues;

/// <summary>Which way a queue of a network card goes.</summary>
/// <remarks><b>Linux:</b> enum netdev_queue_type (v6.12).</remarks>
public enum QueueKind
{
    /// <summary>Packets come in. <b>Linux:</b> NETDEV_QUEUE_TYPE_RX.</summary>
    Receive = 0,

    /// <summary>Packets go out; a card's model has none that do. <b>Linux:</b> NETDEV_QUEUE_TYPE_TX.</summary>
    Transmit = 1,
}
