namespace Mm.Devices.Nics.Queues;

/// <summary>Names a queue of a network card.</summary>
/// <remarks>
/// <b>Linux:</b> the nest NETDEV_A_DMABUF_QUEUES, type and id (v6.12).
/// <para><c>default</c> is the first receive queue. Immutable.</para>
/// </remarks>
/// <param name="Kind">Which way it goes.</param>
/// <param name="Index">Its number, from 0.</param>
public readonly record struct QueueId(QueueKind Kind, int Index)
{
    /// <summary>Names a receive queue.</summary>
    /// <param name="index">Its number, from 0.</param>
    /// <returns>The name.</returns>
    public static QueueId Receive(int index) => new(QueueKind.Receive, index);
}
