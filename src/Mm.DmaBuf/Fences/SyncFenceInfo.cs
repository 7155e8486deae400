namespace Mm.DmaBuf.Fences;

/// <summary>What a sync file says of one of its fences.</summary>
/// <remarks>
/// <para><b>Linux:</b> struct sync_fence_info (v6.12). Immutable.</para>
/// </remarks>
/// <param name="TimelineName">The name of the fence's timeline.</param>
/// <param name="DriverName">Who made the fence.</param>
/// <param name="Status">How it stands.</param>
/// <param name="TimestampNs">When it signaled on the machine's clock; 0 while pending.</param>
public readonly record struct SyncFenceInfo(string TimelineName, string DriverName, FenceStatus Status, ulong TimestampNs);
