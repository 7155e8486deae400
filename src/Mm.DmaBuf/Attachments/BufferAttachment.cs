using Mm.Core;
using Mm.Core.Dma;
using Mm.Core.PhysRanges;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Reservations;

namespace Mm.DmaBuf.Attachments;

/// <summary>A device attached to a shared buffer: maps it, pins it, and is told when it moves.</summary>
/// <remarks>
/// Holds a handle of the buffer and the mappings of it. An importer that follows moves is dynamic; without one the
/// attachment is static, and a buffer that moves is pinned for it.
/// <para><b>Linux:</b> struct dma_buf_attachment, dma_buf_dynamic_attach (v6.12). Where importer and exporter disagree about
/// moves, the buffer is mapped both ways at attach and stays so. Differences: a mapping is kept while nothing moves, for
/// every exporter, so that mapping again costs a comparison; static importers wait for KERNEL fences at each map.</para>
/// <para><b>States:</b> attached → detached.</para>
/// <para><b>Invariants:</b> (1) one mapping at most for each direction is current; (2) it is made anew exactly when the list
/// or what the list rests on changed; (3) detached, no mapping and no pin of it is left.</para>
/// <para><b>Locking:</b> the buffer's reservation; members that take its token assert it.</para>
/// </remarks>
public sealed class BufferAttachment : IMoveListener, IDisposable
{
    private readonly BufferHandle handle;
    private readonly IBufferImporter? importer;
    private readonly AttachedMapping?[] current = new AttachedMapping?[3]; // by direction, protected by the reservation
    private readonly HashSet<AttachmentPin> pins = []; // protected by the reservation
    private readonly List<AttachedMapping> replaced = []; // with users still, protected by the reservation
    private BufferClient client;
    private DmaDirection? kept; // protected by the reservation: the only direction there may be
    private bool isPinnedAtAttach; // protected by the reservation
    private LinkedListNode<IMoveListener>? place; // among the buffer's listeners; protected by the reservation
    private bool isDetached; // protected by the reservation

    private BufferAttachment(BufferHandle handle, DmaDevice device, IBufferImporter? importer)
    {
        this.handle = handle;
        this.importer = importer;
        Device = device;
        Buffer = handle.Buffer;
        AllowsPeerToPeer = importer?.AllowsPeerToPeer ?? false;
        client = new BufferClient(device.Id, IsDynamic, AllowsPeerToPeer);
    }

    /// <summary>The buffer.</summary>
    public DmaBuffer Buffer { get; }

    /// <summary>The device.</summary>
    public DmaDevice Device { get; }

    /// <summary>Whether it is told of moves.</summary>
    public bool IsDynamic => importer is not null;

    /// <summary>What was agreed about memory of a peer, and why.</summary>
    public PeerTerms Terms { get; private set; }

    /// <summary>How often a list was mapped: once at first, and once after each move that somebody mapped after.</summary>
    public long Rebuilds { get; private set; }

    /// <summary>How often the importer was told.</summary>
    public long Notifications { get; private set; }

    internal bool AllowsPeerToPeer { get; }

    /// <summary>Attaches a device.</summary>
    /// <param name="buffer">A handle of the buffer; stays the caller's.</param>
    /// <param name="device">The device.</param>
    /// <param name="importer">Who follows moves for it; null for nobody.</param>
    /// <param name="attachment">The attachment; null when refused. The caller disposes it.</param>
    /// <returns>As <see cref="TryAttach(BufferHandle, DmaDevice, IBufferImporter, out BufferAttachment, out PeerTerms)"/>.</returns>
    /// <exception cref="ObjectDisposedException">The handle was disposed.</exception>
    public static Errno TryAttach(
        BufferHandle buffer, DmaDevice device, IBufferImporter? importer, out BufferAttachment? attachment) =>
        TryAttach(buffer, device, importer, out attachment, out _);

    /// <summary>Attaches a device, and tells what was agreed also where that is why it was refused.</summary>
    /// <param name="buffer">A handle of the buffer; stays the caller's.</param>
    /// <param name="device">The device.</param>
    /// <param name="importer">Who follows moves for it; null for nobody.</param>
    /// <param name="attachment">The attachment; null when refused. The caller disposes it.</param>
    /// <param name="terms">What was agreed about memory of a peer.</param>
    /// <returns>
    /// Ok; ENOMEM: no memory; EOPNOTSUPP: the memory is a peer's and the device does not take or reach it; ENODEV: the
    /// memory is taken away; and where importer and exporter disagree about moves, what pinning and mapping are refused with.
    /// </returns>
    /// <exception cref="ObjectDisposedException">The handle was disposed.</exception>
    public static Errno TryAttach(
        BufferHandle buffer, DmaDevice device, IBufferImporter? importer, out BufferAttachment? attachment, out PeerTerms terms)
    {
        ArgumentNullException.ThrowIfNull(buffer);
        ArgumentNullException.ThrowIfNull(device);
        attachment = null;
        terms = default;
        if (buffer.Buffer.Registry.Machine.Faults.ShouldFail(FaultPoint.Slab))
        {
            return Errno.ENOMEM;
        }

        var made = new BufferAttachment(buffer.Duplicate(), device, importer);
        Errno errno = made.TryAttach();
        terms = made.Terms;
        attachment = errno.IsOk ? made : null;
        return errno;
    }

    /// <summary>Maps the buffer for the device, or finds it mapped where nothing has moved.</summary>
    /// <param name="held">The buffer's reservation, locked.</param>
    /// <param name="direction">Which way the bytes will flow.</param>
    /// <param name="mapping">The addresses; null when refused. The caller disposes it.</param>
    /// <returns>
    /// Ok; EBUSY: the buffer is mapped in another direction, and the exporter keeps one mapping only; or it would have to
    /// move, and is pinned; ENODEV: the memory is taken away, or the device is detached; EREMOTEIO: the device does not
    /// reach a part of it; EINTR, ETIME: no wait for the kernel's fences; and what
    /// <see cref="DmaDevice.TryMap(PhysRangeList, DmaDirection, out DmaMapping)"/> refuses with.
    /// </returns>
    /// <exception cref="InvalidOperationException">The token is another's, or the importer is being told of a move.</exception>
    /// <exception cref="ObjectDisposedException">The attachment has ended.</exception>
    public Errno TryMap(ReservationLock held, DmaDirection direction, out BufferMapping? mapping)
    {
        mapping = null;
        RequireAttached(held);
        if (kept is not null && kept != direction && kept != DmaDirection.Bidirectional)
        {
            return Errno.EBUSY;
        }

        Errno errno = TryGetCurrent(held, kept ?? direction, out AttachedMapping? found);
        errno = errno.IsOk && !IsDynamic
            ? Buffer.Reservation.Wait(FenceUsage.Kernel, ulong.MaxValue, out _)
            : errno;
        mapping = errno.IsOk ? new BufferMapping(found!) : null;
        return errno;
    }

    /// <summary>Maps the buffer for the device, entering the reservation.</summary>
    /// <param name="direction">Which way the bytes will flow.</param>
    /// <param name="mapping">The addresses; null when refused. The caller disposes it.</param>
    /// <returns>As <see cref="TryMap(ReservationLock, DmaDirection, out BufferMapping)"/>.</returns>
    /// <exception cref="ObjectDisposedException">The attachment has ended.</exception>
    public Errno TryMap(DmaDirection direction, out BufferMapping? mapping)
    {
        using ReservationLock held = Buffer.Reservation.Lock();
        return TryMap(held, direction, out mapping);
    }

    /// <summary>Keeps the buffer where it is, at a place that the device reaches.</summary>
    /// <param name="held">The buffer's reservation, locked.</param>
    /// <param name="pin">The pin; null when refused. The caller disposes it.</param>
    /// <returns>Ok, also where the buffer never moves; and what the exporter refuses with.</returns>
    /// <exception cref="InvalidOperationException">The attachment is static: what moves was pinned for it at attach.</exception>
    /// <exception cref="ObjectDisposedException">The attachment has ended.</exception>
    public Errno TryPin(ReservationLock held, out AttachmentPin? pin)
    {
        pin = null;
        RequireAttached(held);
        if (!IsDynamic)
        {
            throw new InvalidOperationException("only an importer that follows moves pins; for a static one it is done at attach");
        }

        Errno errno = Buffer.Traits.Moves ? Buffer.Exporter.TryPin(held, client) : Errno.Ok;
        if (errno.IsOk)
        {
            pin = new AttachmentPin(this);
            _ = pins.Add(pin);
        }

        return errno;
    }

    /// <summary>Unmaps what is mapped and kept for the next map, whoever uses it: an importer that is revoked calls it while it is told.</summary>
    /// <param name="held">The buffer's reservation, locked.</param>
    /// <exception cref="InvalidOperationException">The token is another's, or the attachment is static and keeps its mapping.</exception>
    /// <exception cref="ObjectDisposedException">The attachment has ended.</exception>
    /// <remarks><b>Linux:</b> dma_buf_unmap_attachment (v6.12), for all users at once.</remarks>
    public void DropMappings(ReservationLock held)
    {
        held.RequireOf(Buffer.Reservation);
        ObjectDisposedException.ThrowIf(isDetached, this);
        if (!IsDynamic)
        {
            throw new InvalidOperationException("a static attachment keeps its mapping until it is detached");
        }

        UnmapAll();
    }

    /// <summary>Detaches: what is mapped is unmapped, what is pinned is not any more. Twice does nothing.</summary>
    /// <exception cref="InvalidOperationException">The importer is being told of a move.</exception>
    public void Dispose()
    {
        using (ReservationLock held = Buffer.Reservation.LockOrGoOn())
        {
            Buffer.RequireQuiet(held);
            if (isDetached)
            {
                return;
            }

            isDetached = true;
            UnmapAll();
            UnpinAll(held);
            Buffer.Remove(held, place!);
        }

        Buffer.Exporter.Detach(client);
        handle.Dispose();
    }

    /// <summary>Device, kind and terms.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"{Device.Id} on {Buffer}, {(IsDynamic ? "follows moves" : "static")}, {Terms}";

    void IMoveListener.OnMove(ReservationLock held, MoveNotice notice)
    {
        if (importer is not null)
        {
            Notifications++;
            BufferImporterContract.OnMove(importer, this, held, notice);
        }
    }

    internal void Unpin(AttachmentPin pin)
    {
        using ReservationLock held = Buffer.Reservation.LockOrGoOn();
        if ((pins.Remove(pin) || Buffer.LosesTrackOfPins) && Buffer.Traits.Moves)
        {
            Buffer.Exporter.Unpin(held);
        }
    }

    private Errno TryAttach()
    {
        Errno errno = BufferExporterContract.TryAttach(Buffer.Exporter, client, out PeerTerms agreed);
        Terms = agreed;
        client = client with { IsPeerToPeer = agreed.IsPeerToPeer };
        if (!errno.IsOk)
        {
            handle.Dispose();
            return errno;
        }

        using (ReservationLock held = Buffer.Reservation.LockOrGoOn())
        {
            place = Buffer.Add(held, this);
            errno = IsDynamic == Buffer.Traits.Moves ? Errno.Ok : TryMapForGood(held);
        }

        if (!errno.IsOk)
        {
            Dispose();
        }

        return errno;
    }

    // One of the two does not follow moves: mapped both ways now, and pinned where the memory would move.
    private Errno TryMapForGood(ReservationLock held)
    {
        Errno errno = Buffer.Traits.Moves ? Buffer.Exporter.TryPin(held, client) : Errno.Ok;
        isPinnedAtAttach = errno.IsOk && Buffer.Traits.Moves;
        if (!errno.IsOk)
        {
            return errno;
        }

        errno = TryGetCurrent(held, DmaDirection.Bidirectional, out _);
        errno = errno.IsOk && !IsDynamic ? Buffer.Reservation.Wait(FenceUsage.Kernel, ulong.MaxValue, out _) : errno;
        kept = errno.IsOk ? DmaDirection.Bidirectional : null;
        return errno;
    }

    private Errno TryGetCurrent(ReservationLock held, DmaDirection direction, out AttachedMapping? found)
    {
        found = null;
        Errno errno = Buffer.TryGetList(held, client, out PhysRangeList? list);
        if (!errno.IsOk)
        {
            return errno;
        }

        ref AttachedMapping? slot = ref current[(int)direction];
        if (slot is null || !slot.IsOf(list!))
        {
            errno = Device.TryMap(list!, direction, out DmaMapping? dma);
            if (!errno.IsOk)
            {
                return errno;
            }

            Replace(ref slot, new AttachedMapping(list!, dma!));
            kept ??= Buffer.Traits.KeepsMappings ? direction : null;
        }

        found = slot;
        return Errno.Ok;
    }

    // The old one lives on while somebody has a lease of it, and is forgotten when nobody has.
    private void Replace(ref AttachedMapping? slot, AttachedMapping next)
    {
        if (slot is not null)
        {
            slot.DropUser();
            replaced.Add(slot);
            _ = replaced.RemoveAll(static old => old.IsUnmapped);
        }

        slot = next;
        Rebuilds++;
    }

    private void UnmapAll()
    {
        foreach (AttachedMapping? each in current)
        {
            each?.Unmap();
        }

        replaced.ForEach(static each => each.Unmap());
        replaced.Clear();
        Array.Clear(current);
    }

    private void UnpinAll(ReservationLock held)
    {
        int count = Buffer.Traits.Moves ? pins.Count + (isPinnedAtAttach ? 1 : 0) : 0;
        pins.Clear();
        for (; count > 0; count--)
        {
            Buffer.Exporter.Unpin(held);
        }
    }

    private void RequireAttached(ReservationLock held)
    {
        Buffer.RequireQuiet(held);
        ObjectDisposedException.ThrowIf(isDetached, this);
    }
}
