using Mm.Devices.Nics.PagePools;

namespace Mm.Devices.Nics.Queues;

/// <summary>A part of a segment's payload: so many bytes of one buffer.</summary>
/// <remarks><b>Linux:</b> skb_frag_t (v6.12). <c>default</c> has nothing. Immutable.</remarks>
/// <param name="Lease">The buffer.</param>
/// <param name="Start">Where in the buffer the bytes begin.</param>
/// <param name="Count">How many.</param>
internal readonly record struct SegmentFragment(PoolLease Lease, int Start, int Count);
