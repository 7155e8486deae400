using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Net.Sockets;
using Mm.Core;
using Mm.Devices.Nics.Bindings;
using Mm.Devices.Nics.Flows;
using Mm.Devices.Nics.PagePools;
using Mm.Devices.Nics.Queues;

namespace Mm.Devices.Nics.Sockets;

/// <summary>A connection whose bytes a card receives: a user copies them, reads them as a pipe, or is told where they lie.</summary>
/// <remarks>
/// Owns the real connection, what has landed and was not consumed, and the fragments that its user has by token.
/// <para><b>Linux:</b> struct sock of a TCP connection as recvmsg and SO_DEVMEM_DONTNEED see it (net/ipv4/tcp.c,
/// net/core/sock.c, v6.12). Difference: nothing lands by itself; who wants bytes asks for them with <see cref="Land"/> or
/// <see cref="LandAsync"/>, so that a run is the same each time.</para>
/// <para><b>Invariants:</b> (1) one call never gives bytes that were copied from a readable segment together with fragments of
/// device memory; (2) a refused call consumes nothing; (3) closed, no token and no buffer is out.</para>
/// <para><b>Locking:</b> one lock for what has landed; safe from any thread, one reader at a time.</para>
/// </remarks>
public sealed partial class NicSocket : IDisposable
{
    /// <summary>How many ranges of tokens one call takes. <b>Linux:</b> MAX_DONTNEED_TOKENS.</summary>
    public const int MaxTokenRanges = 128;

    /// <summary>How many fragments one call gives back. <b>Linux:</b> MAX_DONTNEED_FRAGS.</summary>
    public const int MaxReturned = 1024;

    private const int TokenRangeSize = 8;

    private readonly Lock gate = new();
    private readonly IFlowPort port;
    private readonly FaultInjector faults;
    private readonly SegmentQueue queue = new(); // protected by gate
    private readonly UserTokens tokens = new();
    private SocketReader? reader; // made once, protected by gate
    private bool isEnded; // the sender has ended; protected by gate
    private bool isClosed; // protected by gate

    internal NicSocket(IFlowPort port, WireFlow wire, FaultInjector faults)
    {
        this.port = port;
        this.faults = faults;
        Wire = wire;
    }

    /// <summary>The connection's two ends.</summary>
    public FlowKey Flow => Wire.Key;

    /// <summary>What it speaks.</summary>
    public ProtocolType Protocol => Wire.Wire.ProtocolType;

    /// <summary>How many bytes have landed and were not consumed.</summary>
    public ByteCount Available
    {
        get
        {
            lock (gate)
            {
                return new ByteCount((ulong)queue.Count);
            }
        }
    }

    /// <summary>How many fragments its user has.</summary>
    public int TokenCount => tokens.Count;

    /// <summary>What can be read as bytes, as a pipe that asks the card itself; payload in device memory is EFAULT there too.</summary>
    /// <remarks>What is read lies in the buffers in which it landed, until it is advanced over.</remarks>
    public PipeReader Reader
    {
        get
        {
            lock (gate)
            {
                return reader ??= new SocketReader(this);
            }
        }
    }

    internal WireFlow Wire { get; }

    internal UserTokens Tokens => tokens;

    internal bool IsEnded
    {
        get
        {
            lock (gate)
            {
                return isEnded;
            }
        }
    }

    /// <summary>Takes what is on the wire now.</summary>
    /// <returns>How much landed, and why it ended.</returns>
    public Landing Land() => Note(port.Land(this, int.MaxValue, flushes: true));

    /// <summary>Takes so many bytes off the wire, waiting for them.</summary>
    /// <param name="count">How many; below 2^31. Segments are as large as the card makes them, the last one ends with the count.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <returns>How much landed; fewer where the flow ended or the card cannot go on.</returns>
    public async ValueTask<Landing> LandAsync(ByteCount count, CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count.Value, (ulong)int.MaxValue, nameof(count));
        int left = (int)count.Value;
        while (true)
        {
            Landing landing = port.Land(this, left, flushes: false);
            left -= (int)landing.Bytes.Value;
            if (landing.End != LandingEnd.WireEmpty)
            {
                return Note(landing with { Bytes = count.SubtractChecked(new ByteCount((ulong)left)) });
            }

            await WaitAsync(cancellation).ConfigureAwait(false);
        }
    }

    /// <summary>Receives.</summary>
    /// <param name="bytes">Where bytes are copied to. What lies in device memory takes up room, too, and is not written.</param>
    /// <param name="flags">How.</param>
    /// <param name="controls">Room for where the bytes lie; needed for device memory.</param>
    /// <param name="received">How many bytes; 0 at the end of the flow.</param>
    /// <returns>
    /// <see cref="Errno.EAGAIN"/>: nothing has landed.
    /// <see cref="Errno.EFAULT"/>: what comes next lies in device memory, and that was not welcome.
    /// <see cref="Errno.ETOOSMALL"/>: there is no room for a control message.
    /// <see cref="Errno.ENOMEM"/>: no memory for tokens.
    /// <see cref="Errno.ENODEV"/>: a fragment that should lie in device memory does not.
    /// </returns>
    /// <exception cref="ObjectDisposedException">It is closed.</exception>
    /// <remarks><b>Linux:</b> tcp_recvmsg_locked and tcp_recvmsg_dmabuf (v6.12).</remarks>
    public Errno TryReceive(Span<byte> bytes, ReceiveFlags flags, ControlBuffer? controls, out ByteCount received)
    {
        received = ByteCount.Zero;
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(isClosed, this);
            if (queue.Count == 0)
            {
                return isEnded ? Errno.Ok : Errno.EAGAIN;
            }

            Errno errno = ReceiveQueued(bytes, flags, controls, out int done);
            if (done > 0 && (flags & ReceiveFlags.Peek) == ReceiveFlags.None)
            {
                queue.Consume(done);
            }

            received = new ByteCount((ulong)done);
            return done > 0 ? Errno.Ok : errno;
        }
    }

    /// <summary>Gives fragments back, as user space does with an option of the socket.</summary>
    /// <param name="option">Ranges of tokens: 4 bytes of start and 4 bytes of count each, little endian.</param>
    /// <param name="freed">How many fragments came back; tokens that are not out are passed over.</param>
    /// <returns>
    /// <see cref="Errno.EBADF"/>: it is no TCP connection.
    /// <see cref="Errno.EINVAL"/>: the bytes are no whole ranges, or more than <see cref="MaxTokenRanges"/>.
    /// <see cref="Errno.ENOMEM"/>: a failure was planned at <see cref="FaultPoint.Slab"/>.
    /// </returns>
    /// <remarks><b>Linux:</b> SO_DEVMEM_DONTNEED, sock_devmem_dontneed (v6.12). No more than <see cref="MaxReturned"/> tokens are
    /// looked at, those that are not out among them.</remarks>
    public Errno TryReturnTokens(ReadOnlySpan<byte> option, out int freed)
    {
        freed = 0;
        if (Protocol != ProtocolType.Tcp)
        {
            return Errno.EBADF;
        }

        if (option.Length % TokenRangeSize != 0 || option.Length > TokenRangeSize * MaxTokenRanges)
        {
            return Errno.EINVAL;
        }

        if (faults.ShouldFail(FaultPoint.Slab))
        {
            return Errno.ENOMEM;
        }

        int seen = 0;
        for (; !option.IsEmpty; option = option[TokenRangeSize..])
        {
            uint start = BinaryPrimitives.ReadUInt32LittleEndian(option);
            uint count = BinaryPrimitives.ReadUInt32LittleEndian(option[4..]);
            for (uint index = 0; index < count; index++)
            {
                if (++seen > MaxReturned)
                {
                    return Errno.Ok;
                }

                // Modulo 2^32, as user space may ask for anything.
                if (tokens.TryRemove(unchecked(start + index), out PoolLease lease))
                {
                    lease.Dispose();
                    freed++;
                }
            }
        }

        return Errno.Ok;
    }

    /// <summary>Gives fragments back.</summary>
    /// <param name="ranges">Ranges of tokens.</param>
    /// <param name="freed">How many fragments came back.</param>
    /// <returns>As <see cref="TryReturnTokens(ReadOnlySpan{byte}, out int)"/>.</returns>
    public Errno TryReturnTokens(ReadOnlySpan<TokenRange> ranges, out int freed)
    {
        byte[] option = new byte[ranges.Length * TokenRangeSize];
        for (int index = 0; index < ranges.Length; index++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(option.AsSpan(index * TokenRangeSize), ranges[index].Start);
            BinaryPrimitives.WriteUInt32LittleEndian(option.AsSpan((index * TokenRangeSize) + 4), ranges[index].Count);
        }

        return TryReturnTokens(option, out freed);
    }

    /// <summary>Closes it: the connection ends, what has landed is dropped, all fragments come back. Twice does nothing.</summary>
    public void Dispose()
    {
        lock (gate)
        {
            if (isClosed)
            {
                return;
            }

            isClosed = true;
        }

        port.Forget(this);
        lock (gate)
        {
            queue.Clear();
        }

        tokens.Close();
        Wire.Wire.Dispose();
    }

    /// <summary>The flow.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"socket {Flow}";

    internal void Report(string holder, DeviceId nic, ICollection<LedgerEntry> entries)
    {
        ByteCount landed = Available;
        if (!landed.IsZero)
        {
            entries.Add(new LedgerEntry(holder, HoldingKind.Page, $"{landed} that landed", default, landed.ToPagesRoundUp().Value));
        }

        foreach (IGrouping<IMemoryProvider, PoolLease> group in tokens.CollectByOwner())
        {
            string held = group.Key is DeviceMemoryBinding binding ? $"dma-buf {binding.Buffer.Number}" : "bound memory";
            entries.Add(new LedgerEntry(holder, HoldingKind.Token, held, nic, (ulong)group.Count()));
        }
    }

    /// <summary>Segments go up; those of a closed socket are dropped.</summary>
    internal void Deliver(Segment segment)
    {
        lock (gate)
        {
            if (!isClosed)
            {
                queue.Add(segment);
                return;
            }
        }

        segment.Dispose();
    }

    /// <summary>Lets somebody read segments one after the other until he stops, and consumes what he took.</summary>
    internal Errno TryRead(long atMost, ISegmentReader by, out long taken)
    {
        taken = 0;
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(isClosed, this);
            if (queue.Count == 0)
            {
                return isEnded ? Errno.Ok : Errno.EAGAIN;
            }

            Errno errno = Errno.Ok;
            SegmentQueue.Cursor cursor = queue.Start;
            while (cursor.Node is not null && taken < atMost && errno.IsOk)
            {
                int most = (int)Math.Min(atMost - taken, int.MaxValue);
                errno = SegmentQueue.TryRead(ref cursor, most, by, out int part);
                taken += part;
            }

            queue.Consume(taken);
            return taken > 0 ? Errno.Ok : errno;
        }
    }

    /// <summary>Waits until something is on the wire, or its end. No byte is taken.</summary>
    internal async ValueTask WaitAsync(CancellationToken cancellation)
    {
        try
        {
            _ = await Wire.Wire.ReceiveAsync(Memory<byte>.Empty, SocketFlags.None, cancellation).ConfigureAwait(false);
        }
        catch (SocketException)
        {
            // The next read from the wire says what happened.
        }
    }

    private Landing Note(Landing landing)
    {
        if (landing.End is LandingEnd.FlowEnded)
        {
            lock (gate)
            {
                isEnded = true;
            }
        }

        return landing;
    }
}
