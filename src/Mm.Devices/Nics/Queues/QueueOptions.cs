using Mm.Core;

namespace Mm.Devices.Nics.Queues;

/// <summary>How the receive queues of a card work.</summary>
/// <remarks>
/// <b>Linux:</b> what <c>ethtool -G</c> and <c>-K</c> set for a device (v6.12).
/// <para>Immutable.</para>
/// </remarks>
public sealed record QueueOptions
{
    /// <summary>The most bytes of one segment that there may be: its fragments are as many as a socket buffer takes.</summary>
    public static ByteCount LargestSegment { get; } = ByteCount.FromKiB(60);

    /// <summary>How many buffers wait in the ring for packets; positive.</summary>
    public int RingEntries { get; init; } = 64;

    /// <summary>Whether headers go to RAM and payload elsewhere. <b>Linux:</b> tcp-data-split.</summary>
    public bool SplitsHeaders { get; init; } = true;

    /// <summary>How many bytes of payload the card puts behind the header where it splits too late; at most 128.</summary>
    public ByteCount SplitExcess { get; init; }

    /// <summary>How many bytes the card coalesces into one segment; in [1, <see cref="LargestSegment"/>].</summary>
    public ByteCount MaxSegment { get; init; } = ByteCount.FromKiB(32);

    /// <summary>The order of each buffer of a queue without a provider. With one, other than 0 is refused by the provider.</summary>
    public int Order { get; init; }

    /// <summary>Whether buffers come from the queue's provider where it has one; a driver that does not know providers says no.</summary>
    public bool UsesProviders { get; init; } = true;
}
