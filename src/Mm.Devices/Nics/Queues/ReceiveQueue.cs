using System.Net.Sockets;
using Mm.Core;
using Mm.Core.Dma;
using Mm.Core.Native;
using Mm.Devices.Nics.Flows;
using Mm.Devices.Nics.PagePools;

namespace Mm.Devices.Nics.Queues;

/// <summary>A receive queue: takes bytes of flows off the wire straight into its buffers, and puts segments together.</summary>
/// <remarks>
/// Owns its memory while it runs. Not responsible for whose flows come to it: steering says that.
/// <para><b>Linux:</b> struct netdev_rx_queue and the driver's ring behind it (v6.12). Differences: the ring is worked on when
/// somebody asks for bytes, not by an interrupt; where no buffer is there, the packet stays on the wire until one is, as a
/// paused sender would keep it, so that nothing is dropped that TCP would have to send again.</para>
/// <para><b>States:</b> stopped ↔ running.</para>
/// <para><b>Invariants:</b> (1) a byte of payload is written once, by the device's own address, into the buffer that the user
/// is told of; (2) stopped, it holds no buffer.</para>
/// <para><b>Locking:</b> a gate of its own, after a flow's and before a page pool's; the wire is read with it held, never
/// waited for.</para>
/// </remarks>
public sealed class ReceiveQueue
{
    private readonly Machine machine;
    private readonly DmaDevice device;
    private readonly Lock gate = new();
    private QueueMemory? memory; // protected by gate
    private long segments; // protected by gate, as the next five; read without as counters are
    private long reads;
    private long payload;
    private long allocationFailures;
    private long faults;
    private long starts;

    internal ReceiveQueue(Machine machine, DmaDevice device, int index)
    {
        this.machine = machine;
        this.device = device;
        Index = index;
    }

    /// <summary>Its number.</summary>
    public int Index { get; }

    /// <summary>Whether it runs.</summary>
    public bool IsRunning => Volatile.Read(ref memory) is not null;

    /// <summary>Its pool of payload; null while it is stopped.</summary>
    public PagePool? Pool => Volatile.Read(ref memory)?.Pool;

    /// <summary>Its pool of headers; null while it is stopped or splits none off.</summary>
    public PagePool? Headers => Volatile.Read(ref memory)?.Headers;

    /// <summary>Who gives its memory; null for the page allocator. Changed under the card's control lock.</summary>
    public IQueueProvider? Provider { get; internal set; }

    /// <summary>Whether an AF_XDP socket has it. Changed under the card's control lock.</summary>
    public bool IsXdpSocket { get; internal set; }

    /// <summary>How many buffers wait for packets.</summary>
    public int PostedCount
    {
        get
        {
            lock (gate)
            {
                return memory?.PostedCount ?? 0;
            }
        }
    }

    /// <summary>What it has done.</summary>
    public QueueStatistics Statistics
    {
        get
        {
            lock (gate)
            {
                return new QueueStatistics(segments, reads, new ByteCount((ulong)payload), allocationFailures, faults, starts);
            }
        }
    }

    /// <summary>Starts with new memory, or goes over to it: refused, it runs on with the old.</summary>
    /// <remarks><b>Linux:</b> netdev_rx_queue_restart (v6.12).</remarks>
    internal Errno TryRestart(QueueOptions options)
    {
        // The two descriptions of memory, the new one's and the old one's.
        if (machine.Faults.ShouldFail(FaultPoint.Slab) || machine.Faults.ShouldFail(FaultPoint.Slab))
        {
            return Errno.ENOMEM;
        }

        Errno errno = QueueMemory.TryCreate(machine, device, options, Provider, out QueueMemory? next);
        if (errno.IsOk && !ReferenceEquals(next!.Provider, Provider))
        {
            next.Dispose();
            return Errno.ENODATA;
        }

        if (errno.IsOk)
        {
            Exchange(next);
        }

        return errno;
    }

    /// <summary>Stops: buffers in the ring are given back, those of users come when they come.</summary>
    internal void Stop() => Exchange(next: null);

    /// <summary>Waits until no byte is on its way from the wire into memory.</summary>
    internal void Quiesce()
    {
        lock (gate)
        {
            // Whoever was inside has left.
        }
    }

    /// <summary>Takes bytes of a flow off the wire; with the flow's gate held.</summary>
    /// <returns>Why it ended, and how many bytes landed.</returns>
    internal (LandingEnd End, int Landed) Land(WireFlow flow, int atMost, bool flushes)
    {
        lock (gate)
        {
            if (memory is null)
            {
                return (LandingEnd.DeviceGone, 0);
            }

            using NapiContext.Scope napi = memory.Napi.Enter();
            if (flow.BuildingIn != memory)
            {
                Finish(flow); // begun in another queue, or in memory that this one has no more
            }

            if (memory.Provider is { IsReady: false })
            {
                Finish(flow);
                return (LandingEnd.MemoryGone, 0);
            }

            int landed = 0;
            LandingEnd end = LandingEnd.Done;
            while (landed < atMost && end == LandingEnd.Done)
            {
                end = Step(flow, atMost - landed, out int count);
                landed += count;
            }

            if (flushes || end != LandingEnd.WireEmpty)
            {
                Finish(flow);
            }

            allocationFailures += memory.Fill() ? 0 : 1;
            return (end, landed);
        }
    }

    /// <summary>Finishes what is put together of a flow; with the flow's gate held.</summary>
    internal void Flush(WireFlow flow)
    {
        lock (gate)
        {
            using NapiContext.Scope napi = memory is null ? default : memory.Napi.Enter();
            Finish(flow);
        }
    }

    private void Exchange(QueueMemory? next)
    {
        QueueMemory? old;
        lock (gate)
        {
            old = memory;
            Volatile.Write(ref memory, next);
            starts += next is null ? 0 : 1;
        }

        old?.Dispose(); // without the gate: the last buffer of a provider may end more than a pool
    }

    // One read from the wire into one buffer, or into neighbours.
    private LandingEnd Step(WireFlow flow, int atMost, out int count)
    {
        count = 0;
        if (flow.Building is null && !TryBegin(flow))
        {
            return LandingEnd.NoBuffer;
        }

        Segment segment = flow.Building!;
        int most = Math.Min(atMost, (int)memory!.Options.MaxSegment.Value - segment.Count);
        Target target = FindTarget(segment, most);
        if (target.Room == 0)
        {
            return LandingEnd.NoBuffer;
        }

        most = Math.Min(most, target.Room);
        DmaAddr address = QueueMemory.AddressOf(target.Lease, target.Start);
        if (!device.Port.TryLease(address, new ByteCount((ulong)most), IoAccess.Write, out SpanLease bytes, out _).IsOk)
        {
            faults++;
            return LandingEnd.Fault;
        }

        using (bytes)
        {
            count = flow.Wire.Receive(bytes.Bytes, SocketFlags.None, out SocketError error);
            if (count == 0 || error != SocketError.Success)
            {
                count = 0;
                return EndOf(error);
            }
        }

        Grow(segment, target, count);
        reads++;
        payload += count;
        if (segment.Count == (int)memory.Options.MaxSegment.Value)
        {
            Finish(flow);
        }

        return LandingEnd.Done;
    }

    // The card says in the header how much it put together, and the driver gives the bytes to the CPU. Memory that was
    // exchanged meanwhile the card reaches no more: then the header stays as it was.
    private void Finish(WireFlow flow)
    {
        if (flow.Building is not { } segment)
        {
            return;
        }

        if (segment.Count == 0)
        {
            flow.Abandon();
            segment.Dispose();
            return;
        }

        if (flow.BuildingIn == memory)
        {
            WriteHeader(segment, new WireHeader(flow.Key, flow.Sequence, segment.Count));
        }

        foreach (SegmentFragment fragment in segment.Fragments)
        {
            if (fragment.Lease.Memory.TryGetPage(out PoolPage? page))
            {
                page.SyncForCpu(new ByteCount((ulong)fragment.Start), new ByteCount((ulong)fragment.Count));
            }
        }

        segments++;
        flow.Finish();
    }

    private void WriteHeader(Segment segment, WireHeader header)
    {
        Span<byte> bytes = stackalloc byte[WireHeader.MaxSize];
        int size = header.Write(bytes);
        PoolLease place = segment.Header.IsEmpty ? segment.Fragments[0].Lease : segment.Header;
        if (!device.Port.TryWrite(QueueMemory.AddressOf(place, 0), bytes[..size], out _).IsOk)
        {
            faults++;
        }
    }

    private static LandingEnd EndOf(SocketError error) => error switch
    {
        SocketError.Success => LandingEnd.FlowEnded,
        SocketError.WouldBlock or SocketError.IOPending => LandingEnd.WireEmpty,
        _ => LandingEnd.ConnectionLost,
    };

    private bool TryBegin(WireFlow flow)
    {
        if (!memory!.TryTakeHeader(out PoolLease header).IsOk)
        {
            allocationFailures++;
            return false;
        }

        int linear = header.IsEmpty ? 0 : (int)memory.Options.SplitExcess.Value;
        flow.Begin(new Segment(header, WireHeader.SizeOf(flow.Key), linear), memory);
        return true;
    }

    // Where the next byte goes: behind the header, into the last buffer, or into the next ones of the ring.
    private Target FindTarget(Segment segment, int most)
    {
        if (segment.LinearCount < segment.LinearRoom)
        {
            return new Target(segment.Header, segment.HeaderSize + segment.LinearCount, segment.LinearRoom - segment.LinearCount);
        }

        if (segment.Fragments.Count > 0)
        {
            SegmentFragment last = segment.Fragments[^1];
            int used = last.Start + last.Count;
            if (used < (int)last.Lease.Length.Value)
            {
                return new Target(last.Lease, used, (int)last.Lease.Length.Value - used);
            }
        }

        if (!memory!.TryPeek(out PoolLease lease))
        {
            _ = memory.Fill();
            if (!memory.TryPeek(out lease))
            {
                allocationFailures++;
                return default;
            }
        }

        int start = segment.Header.IsEmpty && segment.Fragments.Count == 0 ? segment.HeaderSize : 0;
        return new Target(lease, start, memory.CountRun(start, most));
    }

    private void Grow(Segment segment, Target target, int count)
    {
        if (segment.LinearCount < segment.LinearRoom)
        {
            segment.GrowLinear(count);
        }
        else if (segment.Fragments.Count > 0 && segment.Fragments[^1].Lease.Memory == target.Lease.Memory)
        {
            segment.GrowLast(count);
        }
        else
        {
            AddFromRing(segment, target.Start, count);
        }
    }

    private void AddFromRing(Segment segment, int start, int count)
    {
        while (count > 0 && memory!.TryPeek(out PoolLease lease))
        {
            memory.Take();
            int part = Math.Min(count, (int)lease.Length.Value - start);
            segment.Add(new SegmentFragment(lease, start, part));
            count -= part;
            start = 0;
        }
    }

    private readonly record struct Target(PoolLease Lease, int Start, int Room);
}
