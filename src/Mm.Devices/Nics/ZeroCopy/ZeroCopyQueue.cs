using System.Net.Sockets;
using System.Numerics;
using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.Dma;
using Mm.Devices.Nics.PagePools;
using Mm.Devices.Nics.Queues;
using Mm.Devices.Nics.Sockets;

namespace Mm.Devices.Nics.ZeroCopy;

/// <summary>A queue whose payload lands in memory that a user registered: he is told where, and gives buffers back by a ring.</summary>
/// <remarks>
/// Owns the area, its mapping and the ring; lives by count: the user has one, each page pool one.
/// <para><b>Linux:</b> struct io_zcrx_ifq (io_uring/zcrx.c, v6.15). Differences: completions go to a buffer that the caller
/// gives, as there is no io_uring; where a socket still has what landed when the user is gone, the area lives on until
/// that is closed, where Linux lets the user wait.</para>
/// <para><b>States:</b> registered → closed (<see cref="Dispose"/>) → freed, when the last pool has ended; removed with its card
/// at any time.</para>
/// <para><b>Invariants:</b> (1) what a user gives back has an effect as often as he was given it; (2) once the card is removed
/// nothing is mapped, though the user goes on reading; (3) freed, every buffer is back.</para>
/// <para><b>Locking:</b> a lock around reading the ring, one around receiving (<b>Linux:</b> uring_lock); counts are atomic.</para>
/// </remarks>
public sealed partial class ZeroCopyQueue : IQueueProvider, IDisposable
{
    /// <summary>How many entries a refill ring may have. <b>Linux:</b> IO_RQ_MAX_ENTRIES.</summary>
    public const int MaxRefillEntries = 32768;

    private const ulong LargestArea = 1UL << 30;

    private readonly Lock refill = new(); // reads the ring
    private readonly Lock receiving = new(); // gives the user buffers, before the socket's
    private readonly IZeroCopyPort port;
    private readonly DmaDevice device;
    private readonly ZeroCopyArea area;
    private readonly AreaMemory memory;
    private int references = 1; // atomic
    private bool isClosed; // protected by receiving
    private volatile bool isGone; // set under the card's control lock

    private ZeroCopyQueue(IZeroCopyPort port, DmaDevice device, AreaMemory memory, int entries)
    {
        this.port = port;
        this.device = device;
        this.memory = memory;
        area = new ZeroCopyArea(this, memory);
        Ring = new RefillRing(entries);
    }

    /// <summary>By what the user gives buffers back.</summary>
    public RefillRing Ring { get; }

    /// <summary>How many buffers the area has.</summary>
    public PageCount Buffers => new((ulong)area.Count);

    /// <summary>How many buffers neither a queue nor the user has.</summary>
    public PageCount FreeBuffers => new((ulong)area.FreeCount);

    /// <summary>How many buffers the user has.</summary>
    public PageCount UserBuffers => new((ulong)area.UserCount);

    /// <summary>Whether the area is mapped for the card.</summary>
    public bool IsMapped => memory.IsMapped;

    /// <summary>Whether its last user is gone.</summary>
    public bool IsFreed => Volatile.Read(ref references) == 0;

    /// <inheritdoc/>
    public bool IsReady => !isGone;

    internal ZeroCopyArea Area => area;

    /// <summary>Checks what is asked, and pins or attaches the area.</summary>
    internal static Errno TryCreate(
        Machine machine, DmaDevice device, IZeroCopyPort port, ZeroCopyOptions options, out ZeroCopyQueue? queue)
    {
        queue = null;
        Errno errno = CheckRing(options, out int entries);
        if (!errno.IsOk)
        {
            return errno;
        }

        // The queue, its number, and the ring.
        for (int part = 0; part < 3; part++)
        {
            if (machine.Faults.ShouldFail(FaultPoint.Slab))
            {
                return Errno.ENOMEM;
            }
        }

        errno = CheckArea(options);
        AreaMemory? imported = null;
        errno = errno.IsOk ? AreaMemory.TryImport(machine, device, options, out imported) : errno;
        if (!errno.IsOk)
        {
            return errno;
        }

        // The area's three arrays.
        if (machine.Faults.ShouldFail(FaultPoint.Slab))
        {
            imported!.Dispose();
            return Errno.ENOMEM;
        }

        queue = new ZeroCopyQueue(port, device, imported!, entries);
        return Errno.Ok;
    }

    /// <summary>Receives: what has landed in the area is told of, anything else is copied into it first.</summary>
    /// <param name="socket">The socket.</param>
    /// <param name="atMost">How many bytes at most; 0 for all there are.</param>
    /// <param name="completions">Room for where the bytes lie.</param>
    /// <param name="received">How many bytes; 0 at the end of the flow.</param>
    /// <returns>
    /// <see cref="Errno.EPROTONOSUPPORT"/>: it is no TCP connection.
    /// <see cref="Errno.EAGAIN"/>: nothing has landed.
    /// <see cref="Errno.EFAULT"/>: it landed in another's memory; or it would have to be copied into a shared buffer.
    /// <see cref="Errno.ENOMEM"/>: it would have to be copied, and no buffer is free.
    /// <see cref="Errno.ENOSPC"/>: no room for a completion.
    /// </returns>
    /// <exception cref="ObjectDisposedException">The socket or the queue is closed.</exception>
    /// <remarks><b>Linux:</b> IORING_OP_RECV_ZC, io_zcrx_recv (v6.15).</remarks>
    public Errno TryReceive(NicSocket socket, ByteCount atMost, CompletionBuffer completions, out ByteCount received)
    {
        ArgumentNullException.ThrowIfNull(socket);
        ArgumentNullException.ThrowIfNull(completions);
        received = ByteCount.Zero;
        if (socket.Protocol != ProtocolType.Tcp)
        {
            return Errno.EPROTONOSUPPORT;
        }

        long most = atMost.IsZero ? uint.MaxValue : (long)Math.Min(atMost.Value, uint.MaxValue);
        lock (receiving)
        {
            ObjectDisposedException.ThrowIf(isClosed, this);
            Errno errno = socket.TryRead(most, new AreaReader(this, completions), out long taken);
            received = new ByteCount((ulong)taken);
            return errno;
        }
    }

    /// <inheritdoc/>
    /// <remarks><b>Linux:</b> io_pp_zc_init (v6.15).</remarks>
    public Errno TryBegin(PagePool pool)
    {
        ArgumentNullException.ThrowIfNull(pool);
        if (pool.Options.Device != device)
        {
            return Errno.EINVAL;
        }

        if (pool.Options.Order != 0 || pool.Options.Direction != DmaDirection.FromDevice)
        {
            return Errno.EOPNOTSUPP;
        }

        Errno errno = isGone ? Errno.ENODEV : area.TryMap();
        if (errno.IsOk)
        {
            _ = Interlocked.Increment(ref references);
        }

        return errno;
    }

    /// <inheritdoc/>
    /// <remarks><b>Linux:</b> io_zcrx_ring_refill (v6.15). What makes no sense is passed over.</remarks>
    public void Collect(PagePool pool)
    {
        lock (refill)
        {
            uint entries = Math.Min(Ring.CountReady(), PagePool.RefillSize);
            for (; entries > 0; entries--)
            {
                RefillEntry entry = Ring.Read();
                ulong index = entry.Offset.Value / ZeroCopyArea.PageBytes;
                bool isLegal = entry.Padding == 0 && entry.Area == 0 && index < (ulong)area.Count;
                if (isLegal && area.TryDropUser((int)index))
                {
                    area.Put((int)index, 1);
                }
            }
        }
    }

    /// <inheritdoc/>
    public Errno TryAllocate(PagePool pool, out NetIov? buffer)
    {
        buffer = null;
        return !isGone && area.TryTake(out buffer) ? Errno.Ok : Errno.ENOMEM;
    }

    /// <inheritdoc/>
    public void Release(PagePool pool, NetIov buffer) => area.Return(buffer);

    /// <inheritdoc/>
    public void End(PagePool pool) => Drop();

    /// <inheritdoc/>
    public Errno TryReady() => isGone ? Errno.ENODEV : Errno.Ok;

    /// <inheritdoc/>
    public void OnBound(ReceiveQueue queue, bool isBound)
    {
        // A registered queue is one queue's; the card says which.
    }

    /// <inheritdoc/>
    /// <remarks><b>Linux:</b> io_pp_uninstall (v6.15).</remarks>
    public void DeviceGone()
    {
        isGone = true;
        if (!UnmapsLate)
        {
            memory.Unmap();
        }
    }

    /// <inheritdoc/>
    public void Report(string prefix, ICollection<LedgerEntry> entries)
    {
        ArgumentNullException.ThrowIfNull(entries);
        string holder = $"{prefix}zero-copy area";
        string held = memory.Buffer is { } buffer ? $"dma-buf {buffer.Number}" : "user pages";
        if (memory.PinCount > 0)
        {
            entries.Add(new LedgerEntry(holder, HoldingKind.Pin, held, default, (ulong)memory.PinCount));
        }

        if (memory.IsMapped)
        {
            entries.Add(new LedgerEntry(holder, HoldingKind.Mapping, held, default, 1));
        }

        if (area.UserCount > 0)
        {
            entries.Add(new LedgerEntry(holder, HoldingKind.Token, held, device.Id, (ulong)area.UserCount));
        }
    }

    /// <summary>The user is gone: what he had is taken back, the queue goes on with plain memory. Twice does nothing.</summary>
    /// <remarks><b>Linux:</b> io_shutdown_zcrx_ifqs, io_zcrx_scrub (v6.15).</remarks>
    public void Dispose()
    {
        lock (receiving)
        {
            if (isClosed)
            {
                return;
            }

            isClosed = true;
        }

        Scrub();
        port.Close(this);
        Drop();
    }

    /// <summary>Takes from the user what he has.</summary>
    internal void Scrub()
    {
        for (int index = 0; index < area.Count; index++)
        {
            int count = area.TakeUsers(index);
            if (count != 0)
            {
                area.Put(index, count);
            }
        }
    }

    private static Errno CheckRing(ZeroCopyOptions options, out int entries)
    {
        entries = options.RefillEntries;
        if (!options.IsPrivileged)
        {
            return Errno.EPERM;
        }

        if (!options.DefersWork || !options.HasBigCompletions || options.Queue < 0 || entries <= 0)
        {
            return Errno.EINVAL;
        }

        if (entries > MaxRefillEntries)
        {
            if (!options.Clamps)
            {
                return Errno.EINVAL;
            }

            entries = MaxRefillEntries;
        }

        entries = (int)BitOperations.RoundUpToPowerOf2((uint)entries);
        return Errno.Ok;
    }

    private static Errno CheckArea(ZeroCopyOptions options)
    {
        if (options.Length.IsZero || options.Length.Value > LargestArea)
        {
            return Errno.EFAULT;
        }

        if (!options.Start.TryAdd(options.Length, out _))
        {
            return Errno.EOVERFLOW;
        }

        bool isAligned = options.Start.IsAligned(PageSize.Small) && options.Length.Value % ZeroCopyArea.PageBytes == 0;
        bool isBoth = options.Buffer is not null && options.Space is not null;
        return isAligned && !isBoth ? Errno.Ok : Errno.EINVAL;
    }

    private void Drop()
    {
        if (Interlocked.Decrement(ref references) == 0)
        {
            Check.That(area.FreeCount == area.Count, $"zero-copy queue invariant 3: {area.Count - area.FreeCount} buffers are out");
            area.Dispose();
        }
    }
}
