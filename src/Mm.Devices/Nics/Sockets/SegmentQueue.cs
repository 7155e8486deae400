using Mm.Core;
using Mm.Devices.Nics.Queues;

namespace Mm.Devices.Nics.Sockets;

/// <summary>What has landed for a socket and was not consumed yet.</summary>
/// <remarks>
/// Owns the segments.
/// <para><b>Linux:</b> sk_receive_queue with copied_seq (v6.12).</para>
/// <para><b>Locking:</b> the socket's gate.</para>
/// </remarks>
internal sealed class SegmentQueue
{
    private readonly LinkedList<Segment> segments = new();
    private int consumed; // of the first segment

    /// <summary>How many bytes are left.</summary>
    internal long Count { get; private set; }

    internal Cursor Start => new(segments.First, consumed);

    internal void Add(Segment segment)
    {
        _ = segments.AddLast(segment);
        Count += segment.Count;
    }

    /// <summary>Consumes bytes: segments without a byte left give their buffers back.</summary>
    internal void Consume(long bytes)
    {
        Count -= bytes;
        while (segments.First is { } first)
        {
            int left = first.Value.Count - consumed;
            if (bytes < left)
            {
                consumed += (int)bytes;
                return;
            }

            bytes -= left;
            consumed = 0;
            segments.RemoveFirst();
            first.Value.Dispose();
        }
    }

    /// <summary>Reads from a place on; what was read stays.</summary>
    internal static Errno TryRead(ref Cursor cursor, int atMost, ISegmentReader reader, out int taken)
    {
        int from = cursor.From;
        Segment segment = cursor.Node!.Value;
        Errno errno = reader.TryRead(segment, from, Math.Min(atMost, segment.Count - from), out taken);
        cursor = from + taken == segment.Count ? new Cursor(cursor.Node.Next, 0) : cursor with { From = from + taken };
        return errno;
    }

    internal void Clear()
    {
        foreach (Segment segment in segments)
        {
            segment.Dispose();
        }

        segments.Clear();
        (consumed, Count) = (0, 0);
    }

    /// <summary>A place in the queue: a segment, and how much of it is behind; no segment at the end.</summary>
    internal readonly record struct Cursor(LinkedListNode<Segment>? Node, int From);
}
