using Mm.Core;
using Mm.Devices.Nics.PagePools;
using Mm.Devices.Nics.Queues;
using Mm.Devices.Nics.Sockets;

namespace Mm.Devices.Nics.ZeroCopy;

/// <summary>One receive of a registered queue: tells of what lies in the area, and copies the rest into it.</summary>
/// <remarks>
/// <b>Linux:</b> io_zcrx_recv_skb, io_zcrx_recv_frag and io_zcrx_copy_chunk (io_uring/zcrx.c, v6.15).
/// <para><b>Locking:</b> its caller's.</para>
/// </remarks>
internal sealed class AreaReader(ZeroCopyQueue queue, CompletionBuffer completions) : ISegmentReader
{
    private const int MaxSegments = 20; // IO_SKBS_PER_CALL_LIMIT

    private int segments;

    public Errno TryRead(Segment segment, int from, int atMost, out int taken)
    {
        taken = 0;
        if (segments++ > MaxSegments)
        {
            return Errno.EAGAIN;
        }

        if (from < segment.LinearCount)
        {
            int count = Math.Min(segment.LinearCount - from, atMost);
            Errno errno = TryCopy(segment.OpenLinear().Span.Slice(from, count), out taken);
            if (taken < count)
            {
                return errno;
            }
        }

        int start = segment.LinearCount;
        for (int index = 0; index < segment.Fragments.Count && taken < atMost; index++)
        {
            int end = start + segment.Fragments[index].Count;
            if (from + taken < end)
            {
                int skipped = from + taken - start;
                int count = Math.Min(end - start - skipped, atMost - taken);
                Errno errno = TryTake(segment, index, skipped, count, out int part);
                taken += part;
                if (part < count)
                {
                    return errno;
                }
            }

            start = end;
        }

        return Errno.Ok;
    }

    private Errno TryTake(Segment segment, int index, int skipped, int count, out int taken)
    {
        taken = 0;
        SegmentFragment fragment = segment.Fragments[index];
        if (!fragment.Lease.Memory.TryGetNetIov(out NetIov? memory))
        {
            return TryCopy(segment.Open(index).Span.Slice(skipped, count), out taken);
        }

        if (memory.Owner != queue)
        {
            return Errno.EFAULT;
        }

        if (!completions.HasRoom)
        {
            return Errno.ENOSPC;
        }

        // The buffer is held before the user is counted: his return may come at once.
        memory.AddUser();
        Give(memory, fragment.Start + skipped, count);
        taken = count;
        return Errno.Ok;
    }

    private Errno TryCopy(ReadOnlySpan<byte> bytes, out int copied)
    {
        copied = 0;
        if (queue.Area.Memory.Buffer is not null)
        {
            return Errno.EFAULT;
        }

        while (copied < bytes.Length)
        {
            if (!queue.Area.TryTake(out NetIov? buffer))
            {
                return Errno.ENOMEM;
            }

            int count = Math.Min(bytes.Length - copied, (int)ZeroCopyArea.PageBytes);
            int index = ZeroCopyArea.IndexOf(buffer!);
            queue.Area.Memory.Write(index, bytes.Slice(copied, count));
            if (!completions.HasRoom)
            {
                queue.Area.Return(buffer!);
                return Errno.ENOSPC;
            }

            Give(buffer!, 0, count);
            copied += count;
        }

        return Errno.Ok;
    }

    private void Give(NetIov buffer, int at, int count)
    {
        queue.Area.AddUser(ZeroCopyArea.IndexOf(buffer));
        completions.Add(new ReceiveCompletion(buffer.Offset.Value + (ulong)at, new ByteCount((ulong)count)));
    }
}
