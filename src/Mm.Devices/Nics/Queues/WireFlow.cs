using System.Net.Sockets;
using Mm.Devices.Nics.Flows;

namespace Mm.Devices.Nics.Queues;

/// <summary>One connection as the card sees it: the real socket that its bytes come from, and the segment being put together.</summary>
/// <remarks>
/// Owns the segment that is not finished; the socket is its opener's.
/// <para><b>Linux:</b> none: the wire, and the card's coalescing of one flow.</para>
/// <para><b>Locking:</b> its own, taken before the queue's gate: one thread at a time lands bytes of a flow.</para>
/// </remarks>
internal sealed class WireFlow(Socket wire, FlowKey key)
{
    private readonly List<Segment> finished = []; // protected by Gate

    internal Lock Gate { get; } = new();

    internal Socket Wire { get; } = wire;

    internal FlowKey Key { get; } = key;

    /// <summary>The number of the next byte, modulo 2^32; protected by Gate.</summary>
    internal uint Sequence { get; private set; }

    /// <summary>Whether nobody wants it any more; protected by Gate.</summary>
    internal bool IsDropped { get; private set; }

    /// <summary>The segment being put together, and the memory of the queue that it is put together in; protected by Gate.</summary>
    internal Segment? Building { get; private set; }

    internal QueueMemory? BuildingIn { get; private set; }

    internal void Begin(Segment segment, QueueMemory memory) => (Building, BuildingIn) = (segment, memory);

    /// <summary>The segment is whole: it goes up once the queue is left.</summary>
    internal void Finish()
    {
        finished.Add(Building!);
        Sequence = unchecked(Sequence + (uint)Building!.Count); // modulo 2^32, as TCP counts
        (Building, BuildingIn) = (null, null);
    }

    /// <summary>Forgets the segment that is not finished; the caller disposes it.</summary>
    internal void Abandon() => (Building, BuildingIn) = (null, null);

    /// <summary>Nobody wants it any more: what is put together is dropped.</summary>
    internal void Drop()
    {
        IsDropped = true;
        Building?.Dispose();
        Abandon();
        finished.ForEach(static segment => segment.Dispose());
        finished.Clear();
    }

    /// <summary>Takes what is finished, in order.</summary>
    internal Segment[] TakeFinished()
    {
        if (finished.Count == 0)
        {
            return [];
        }

        Segment[] taken = [.. finished];
        finished.Clear();
        return taken;
    }
}
