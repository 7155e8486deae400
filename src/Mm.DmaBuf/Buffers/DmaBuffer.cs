using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.PhysRanges;
using Mm.Core.Spaces;
using Mm.DmaBuf.Reservations;

namespace Mm.DmaBuf.Buffers;

/// <summary>A piece of memory that devices and processes share: a name, a size, an exporter, and what everybody waits for.</summary>
/// <remarks>
/// Owns neither bytes nor fences: the exporter has the bytes, the reservation the fences. Lives by its handles.
/// <para><b>Linux:</b> struct dma_buf (drivers/dma-buf/dma-buf.c, v6.12). Differences: the file's count is a count of
/// leases, which everybody who needs the buffer holds, so that none is released with a view, a poll or an attachment left;
/// waits for fences have time-outs.</para>
/// <para><b>States:</b> exported → released, when the last handle is gone.</para>
/// <para><b>Invariants:</b> (1) released once; (2) nobody is told of moves after having detached; (3) a view, an attachment,
/// an armed poll and a space that maps it each hold a handle.</para>
/// <para><b>Locking:</b> safe from any thread; what wants the reservation locked takes its token.</para>
/// </remarks>
public sealed partial class DmaBuffer
{
    /// <summary>How many characters of a name are taken; more are refused.</summary>
    public const int MaxNameLength = 31;

    private readonly LinkedList<IMoveListener> listeners = new(); // protected by the reservation
    private readonly BufferPoll poll;
    private string? name; // atomic
    private int handles = 1; // atomic
    private PhysRangeList? lastList; // protected by the reservation
    private int viewCount; // protected by the reservation
    private bool isNotifying; // protected by the reservation

    private DmaBuffer(BufferRegistry registry, IBufferExporter exporter, Reservation reservation)
    {
        Registry = registry;
        Exporter = exporter;
        Reservation = reservation;
        Number = registry.NextNumber();
        Size = exporter.Size;
        Traits = exporter.Traits;
        poll = new BufferPoll(this);
        Areas = new BufferArea(this);
    }

    /// <summary>The machine's buffers.</summary>
    public BufferRegistry Registry { get; }

    /// <summary>Its number, which no other buffer of the machine has. <b>Linux:</b> the inode.</summary>
    public ulong Number { get; }

    /// <summary>Who exported it.</summary>
    public string ExporterName => Exporter.Name;

    /// <summary>How many bytes it has.</summary>
    public ByteCount Size { get; }

    /// <summary>What it can do.</summary>
    public BufferTraits Traits { get; }

    /// <summary>What one waits for before an access.</summary>
    public Reservation Reservation { get; }

    /// <summary>The name that somebody gave it; null for none.</summary>
    public string? Name => Volatile.Read(ref name);

    /// <summary>How many handles hold it.</summary>
    public int HandleCount => Volatile.Read(ref handles);

    /// <summary>How many are attached.</summary>
    public int AttachmentCount
    {
        get
        {
            using ReservationLock held = Reservation.LockOrGoOn();
            return listeners.Count;
        }
    }

    /// <summary>What a process maps, in an <see cref="AreaRequest"/> whose offset counts the buffer's pages. Each space that
    /// maps it holds the buffer.</summary>
    /// <remarks>
    /// Mapping it answers EINVAL: the buffer cannot be mapped, or not so many pages of it, or not privately; ENODEV: the memory is
    /// taken away; ENOMEM: no memory for a table. A touch of what is taken away is a bus error.
    /// <para><b>Linux:</b> mmap of the file, dma_buf_mmap_internal (v6.12).</para>
    /// </remarks>
    public AreaBacking Backing => Areas.Backing;

    internal BufferArea Areas { get; }

    internal IBufferExporter Exporter { get; }

    internal bool IsNotifying => isNotifying;

    /// <summary>Makes memory shareable.</summary>
    /// <param name="registry">The machine's buffers.</param>
    /// <param name="exporter">Whose memory it is. Refused, it stays with the caller; else the buffer releases it, and nobody else.</param>
    /// <param name="reservation">A reservation shared with other buffers; null for one of its own.</param>
    /// <param name="handle">The first hold on the buffer; null when refused. The caller disposes it.</param>
    /// <returns>Ok; EINVAL: the exporter keeps mappings of memory that moves; ENOMEM: no memory for the file or the
    /// buffer.</returns>
    /// <exception cref="ArgumentException">The exporter breaks its contract.</exception>
    public static Errno TryExport(
        BufferRegistry registry, IBufferExporter exporter, Reservation? reservation, out BufferHandle? handle)
    {
        ArgumentNullException.ThrowIfNull(registry);
        BufferExporterContract.ThrowIfBroken(exporter);
        handle = null;
        if (exporter.Traits is { KeepsMappings: true, Moves: true })
        {
            return Errno.EINVAL;
        }

        // The file, then the buffer.
        if (registry.Machine.Faults.ShouldFail(FaultPoint.Slab) || registry.Machine.Faults.ShouldFail(FaultPoint.Slab))
        {
            return Errno.ENOMEM;
        }

        var buffer = new DmaBuffer(registry, exporter, reservation ?? new Reservation(registry.Contexts));
        registry.Add(buffer);
        handle = new BufferHandle(buffer);
        return Errno.Ok;
    }

    /// <summary>Names the buffer, for whoever looks for the memory's users.</summary>
    /// <param name="wanted">The name.</param>
    /// <returns>Ok; EINVAL: it has more than <see cref="MaxNameLength"/> characters.</returns>
    public Errno TrySetName(string wanted)
    {
        ArgumentNullException.ThrowIfNull(wanted);
        if (wanted.Length > MaxNameLength)
        {
            return Errno.EINVAL;
        }

        Volatile.Write(ref name, wanted);
        return Errno.Ok;
    }

    /// <summary>Seeks, which tells the size and does nothing else.</summary>
    /// <param name="distance">How far from the origin; only 0 is taken.</param>
    /// <param name="origin">From where: the beginning or the end.</param>
    /// <param name="at">0, or the size; 0 when refused.</param>
    /// <returns>Ok; EINVAL: any other origin or distance.</returns>
    public Errno TrySeek(long distance, SeekOrigin origin, out ByteCount at)
    {
        bool isLegal = distance == 0 && origin is (SeekOrigin.Begin or SeekOrigin.End);
        at = isLegal && origin == SeekOrigin.End ? Size : ByteCount.Zero;
        return isLegal ? Errno.Ok : Errno.EINVAL;
    }

    /// <summary>Asks what need not be waited for, and arms a callback for the rest.</summary>
    /// <param name="interest">Reading, writing, or both.</param>
    /// <param name="changed">Where nothing is ready now, runs once when something may be, maybe with a reservation locked; null
    /// for nobody.</param>
    /// <returns>Which of them are ready now. What is not is armed, one fence at a time, and holds the buffer until then.</returns>
    /// <remarks><b>Linux:</b> dma_buf_poll (v6.12).</remarks>
    public SyncAccess Poll(SyncAccess interest, Action? changed = null) => poll.Poll(interest, changed);

    /// <summary>Tells every importer that follows moves, with the reservation locked.</summary>
    /// <param name="held">The buffer's reservation, locked.</param>
    /// <param name="notice">What happens.</param>
    /// <remarks><b>Linux:</b> dma_buf_move_notify (v6.12).</remarks>
    /// <exception cref="InvalidOperationException">The token is another's, or an importer's answer to a notice calls this.</exception>
    public void NotifyMove(ReservationLock held, MoveNotice notice)
    {
        held.RequireOf(Reservation);
        if (isNotifying)
        {
            throw new InvalidOperationException($"{this} is telling its importers already");
        }

        isNotifying = true;
        try
        {
            foreach (IMoveListener listener in listeners)
            {
                listener.OnMove(held, notice);
            }
        }
        finally
        {
            isNotifying = false;
        }
    }

    /// <summary>Number, exporter, size and name.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"buffer {Number} of {ExporterName}, {Size}{(Name is null ? "" : $" \"{Name}\"")}";

    /// <summary>Recounts who holds the buffer.</summary>
    internal void Validate()
    {
        using ReservationLock held = Reservation.LockOrGoOn();
        int users = listeners.Count + viewCount + (poll.IsArmed ? 1 : 0) + Backing.SpaceCount;
        Check.That(HandleCount > 0 && HandleCount >= users, $"invariant 3: {this} has {HandleCount} handles for {users} users");
        bool isStale = lastList is not null && lastList.IsValid && lastList.Length != Size;
        Check.That(!isStale, $"{this} lies at {lastList}");
    }

    /// <summary>Tells a listener of moves from here on.</summary>
    /// <returns>Its place among them, to remove it by.</returns>
    internal LinkedListNode<IMoveListener> Add(ReservationLock held, IMoveListener listener)
    {
        RequireQuiet(held);
        return listeners.AddLast(listener);
    }

    internal void Remove(ReservationLock held, LinkedListNode<IMoveListener> place)
    {
        RequireQuiet(held);
        Check.That(place.List == listeners, "an attachment is attached once");
        listeners.Remove(place);
    }

    /// <summary>Where the bytes are now.</summary>
    internal Errno TryGetList(ReservationLock held, BufferClient client, out PhysRangeList? list)
    {
        RequireQuiet(held);
        Errno errno = BufferExporterContract.TryGetList(Exporter, held, client, lastList, out list);
        lastList = errno.IsOk ? list : lastList;
        return errno;
    }

    internal void RequireQuiet(ReservationLock held)
    {
        held.RequireOf(Reservation);
        if (isNotifying)
        {
            throw new InvalidOperationException($"an importer that is being told of a move must not call {this}");
        }
    }

    internal BufferHandle Hold()
    {
        int seen = Volatile.Read(ref handles);
        while (true)
        {
            ObjectDisposedException.ThrowIf(seen == 0, this);
            int before = Interlocked.CompareExchange(ref handles, seen + 1, seen);
            if (before == seen)
            {
                return new BufferHandle(this);
            }

            seen = before;
        }
    }

    internal void Drop()
    {
        Registry.Contexts.Points?.Reach("drop-handle");
        if (Interlocked.Decrement(ref handles) != 0)
        {
            return;
        }

        bool isUnused = viewCount == 0 && listeners.Count == 0 && !poll.IsArmed && Backing.SpaceCount == 0;
        Check.That(isUnused, $"invariant 3: {this} is released while in use");
        Registry.Remove(this);
        Exporter.Release();
    }
}
