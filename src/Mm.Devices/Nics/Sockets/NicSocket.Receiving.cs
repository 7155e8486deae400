using Mm.Core;
using Mm.Devices.Nics.Bindings;
using Mm.Devices.Nics.PagePools;
using Mm.Devices.Nics.Queues;

namespace Mm.Devices.Nics.Sockets;

/// <content>What one call that receives does with what has landed.</content>
public sealed partial class NicSocket
{
    /// <summary>The segments that can be read from the start on, as bytes; and whether one follows that cannot.</summary>
    internal (List<Memory<byte>> Parts, bool IsBlocked) CollectReadable()
    {
        var parts = new List<Memory<byte>>();
        lock (gate)
        {
            SegmentQueue.Cursor cursor = queue.Start;
            for (; cursor.Node is not null; cursor = new SegmentQueue.Cursor(cursor.Node.Next, 0))
            {
                if (!cursor.Node.Value.IsReadable)
                {
                    return (parts, true);
                }

                AddParts(cursor.Node.Value, cursor.From, parts);
            }
        }

        return (parts, false);
    }

    /// <summary>Consumes bytes that a pipe's reader is done with.</summary>
    internal void Consume(long bytes)
    {
        lock (gate)
        {
            if (!isClosed)
            {
                queue.Consume(bytes);
            }
        }
    }

    private static void AddParts(Segment segment, int from, List<Memory<byte>> parts)
    {
        if (from < segment.LinearCount)
        {
            parts.Add(segment.OpenLinear()[from..]);
        }

        int start = segment.LinearCount;
        for (int index = 0; index < segment.Fragments.Count; index++)
        {
            int end = start + segment.Fragments[index].Count;
            if (from < end)
            {
                parts.Add(segment.Open(index)[Math.Max(from - start, 0)..]);
            }

            start = end;
        }
    }

    private Errno ReceiveQueued(Span<byte> bytes, ReceiveFlags flags, ControlBuffer? controls, out int done)
    {
        done = 0;
        SegmentQueue.Cursor cursor = queue.Start;
        bool isFirst = true;
        bool wasReadable = false;
        while (cursor.Node is { } node && done < bytes.Length)
        {
            Segment segment = node.Value;
            if (!isFirst && wasReadable != segment.IsReadable)
            {
                return Errno.Ok; // invariant 1
            }

            int most = Math.Min(bytes.Length - done, segment.Count - cursor.From);
            Errno errno = Errno.Ok;
            int used = most;
            if (segment.IsReadable)
            {
                Copy(segment, cursor.From, bytes.Slice(done, most));
            }
            else if ((flags & ReceiveFlags.DeviceMemory) == ReceiveFlags.None)
            {
                return Errno.EFAULT;
            }
            else
            {
                errno = ReceiveDeviceMemory(segment, cursor.From, bytes.Slice(done, most), controls, out used);
            }

            if (used == 0)
            {
                return errno;
            }

            done += used;
            (isFirst, wasReadable) = (false, segment.IsReadable);
            cursor = cursor.From + used == segment.Count
                ? new SegmentQueue.Cursor(node.Next, 0)
                : cursor with { From = cursor.From + used };
        }

        return Errno.Ok;
    }

    private static void Copy(Segment segment, int from, Span<byte> bytes)
    {
        int start = segment.LinearCount;
        if (from < start)
        {
            Span<byte> linear = segment.OpenLinear().Span[from..];
            int count = Math.Min(linear.Length, bytes.Length);
            linear[..count].CopyTo(bytes);
            bytes = bytes[count..];
            from += count;
        }

        for (int index = 0; index < segment.Fragments.Count && !bytes.IsEmpty; index++)
        {
            int end = start + segment.Fragments[index].Count;
            if (from < end)
            {
                Span<byte> part = segment.Open(index).Span[(from - start)..];
                int count = Math.Min(part.Length, bytes.Length);
                part[..count].CopyTo(bytes);
                bytes = bytes[count..];
                from += count;
            }

            start = end;
        }
    }

    // Bytes behind the header are copied and announced; of fragments the user is told where they lie. What was done before
    // a refusal counts.
    private Errno ReceiveDeviceMemory(
        Segment segment, int from, Span<byte> bytes, ControlBuffer? controls, out int done)
    {
        done = 0;
        int copied = Math.Min(segment.LinearCount - from, bytes.Length);
        if (copied > 0)
        {
            segment.OpenLinear().Span.Slice(from, copied).CopyTo(bytes);
            var linear = new ReceiveControl(ReceiveControlKind.Linear, default, new ByteCount((ulong)copied), 0, 0);
            if (controls?.TryAdd(linear) != true)
            {
                return Errno.ETOOSMALL;
            }

            done = copied;
            from += copied;
        }

        int start = segment.LinearCount;
        bool hasTokens = false;
        foreach (SegmentFragment fragment in segment.Fragments)
        {
            if (done == bytes.Length)
            {
                break;
            }

            int end = start + fragment.Count;
            if (!fragment.Lease.Memory.TryGetNetIov(out NetIov? memory))
            {
                return Errno.ENODEV;
            }

            if (from < end)
            {
                // Tokens are taken for all fragments of a segment at once.
                if (!hasTokens && faults.ShouldFail(FaultPoint.Slab))
                {
                    return Errno.ENOMEM;
                }

                hasTokens = true;
                int count = Math.Min(end - from, bytes.Length - done);
                if (!TryLend(fragment, memory, from - start, count, controls))
                {
                    return Errno.ETOOSMALL;
                }

                done += count;
                from += count;
            }

            start = end;
        }

        return Errno.Ok;
    }

    private bool TryLend(SegmentFragment fragment, NetIov memory, int skipped, int count, ControlBuffer? controls)
    {
        if (controls is null || controls.Messages.Count == controls.Capacity)
        {
            return false;
        }

        var offset = new ByteCount(memory.Offset.Value + (ulong)(fragment.Start + skipped));
        uint token = tokens.Add(fragment.Lease.Share());
        uint binding = (memory.Owner as DeviceMemoryBinding)?.Id ?? 0;
        return controls.TryAdd(new ReceiveControl(
            ReceiveControlKind.DeviceMemory, offset, new ByteCount((ulong)count), token, binding));
    }
}
