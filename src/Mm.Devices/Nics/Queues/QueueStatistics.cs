using Mm.Core;

namespace Mm.Devices.Nics.Queues;

/// <summary>What a receive queue has done so far.</summary>
/// <remarks><b>Linux:</b> struct netdev_queue_stats_rx (v6.12). Immutable; the counts are not of one instant.</remarks>
/// <param name="Segments">Segments handed up.</param>
/// <param name="Reads">How often the wire was read: a segment may take several, and one may fill several buffers.</param>
/// <param name="Bytes">Bytes of payload in them.</param>
/// <param name="AllocationFailures">How often no buffer was there for the ring. <b>Linux:</b> rx-alloc-fail.</param>
/// <param name="Faults">How often the device's write faulted.</param>
/// <param name="Starts">How often it was started: once, and once for each restart.</param>
public sealed record QueueStatistics(
    long Segments, long Reads, ByteCount Bytes, long AllocationFailures, long Faults, long Starts);
