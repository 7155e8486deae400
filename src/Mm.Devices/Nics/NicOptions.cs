using Mm.Devices.Nics.Queues;

namespace Mm.Devices.Nics;

/// <summary>What a network card is made as.</summary>
/// <remarks>
/// <b>Linux:</b> what a driver gives alloc_etherdev_mqs, and its operations (v6.12).
/// <para>Immutable.</para>
/// </remarks>
public sealed record NicOptions
{
    /// <summary>What ledgers and messages call it.</summary>
    public string Name { get; init; } = "nic0";

    /// <summary>How many receive queues work at first; positive.</summary>
    public int Queues { get; init; } = 2;

    /// <summary>How many there may be; at least <see cref="Queues"/>.</summary>
    public int MaxQueues { get; init; } = 16;

    /// <summary>How the queues work at first.</summary>
    public QueueOptions Queue { get; init; } = new();

    /// <summary>Whether the driver can restart one queue alone. <b>Linux:</b> netdev_queue_mgmt_ops.</summary>
    public bool HasQueueManagement { get; init; } = true;
}
