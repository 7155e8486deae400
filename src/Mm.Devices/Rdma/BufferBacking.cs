using Mm.Core;
using Mm.Core.Dma;
using Mm.Core.Locking;
using Mm.Core.PhysRanges;
using Mm.DmaBuf.Attachments;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Reservations;

namespace Mm.Devices.Rdma;

/// <summary>A window of a shared buffer: one that moves, one that is pinned, or one that is pinned and may be taken away.</summary>
/// <remarks>
/// Owns an attachment, and the pin where there is one. While nothing has moved, no notice costs a new mapping or a new table.
/// <para><b>Linux:</b> struct ib_umem_dmabuf, ib_umem_dmabuf_get, ib_umem_dmabuf_get_pinned,
/// ib_umem_dmabuf_get_pinned_revocable_and_lock, ib_umem_dmabuf_revoke (drivers/infiniband/core/umem_dmabuf.c, v6.12).
/// Difference: a mapping that is still good is kept, where mlx5 maps anew after every notice.</para>
/// <para><b>States:</b> mapped ⇄ told of a move; either → revoked.</para>
/// <para><b>Invariants:</b> (1) the table is loaded anew exactly when the mapping is another; (2) revoked, it is neither mapped
/// nor pinned, and its owner was told once; (3) the buffer's own list is never changed.</para>
/// <para><b>Locking:</b> the buffer's reservation, and inside it the lock of its base.</para>
/// </remarks>
internal sealed partial class BufferBacking : RegionBacking, IBufferImporter
{
    private readonly RdmaContext context;
    private readonly RegionContract contract;
    private readonly ByteCount offset;
    private readonly ByteCount length;
    private BufferAttachment attachment = null!; // set before anybody sees this
    private AttachmentPin? pin; // protected by the reservation
    private BufferMapping? mapping; // protected by the reservation
    private RegionTable? table; // changed with the reservation and Gate held
    private bool mayHaveMoved; // protected by Gate
    private bool isRevoked; // changed with the reservation and Gate held

    private BufferBacking(RdmaContext context, RegionContract contract, ByteCount offset, ByteCount length)
        : base(context.Nic.View)
    {
        this.context = context;
        this.contract = contract;
        this.offset = offset;
        this.length = length;
    }

    /// <inheritdoc/>
    public bool AllowsPeerToPeer => true;

    /// <summary>How often it was told of a move that a pin forbids. <b>Linux:</b> a rate-limited warning.</summary>
    internal long Warnings { get; private set; }

    /// <summary>How often its owner was told that it was revoked; at most once.</summary>
    internal int Revocations { get; private set; }

    internal BufferAttachment Attachment => attachment;

    private Reservation Reservation => attachment.Buffer.Reservation;

    internal static Errno TryCreate(
        RdmaContext context, BufferHandle buffer, RegionContract contract, ByteCount offset, ByteCount length, out BufferBacking? backing)
    {
        backing = null;
        if (!offset.TryAdd(length, out ByteCount end) || end > buffer.Buffer.Size)
        {
            return Errno.EINVAL;
        }

        if (context.Nic.Machine.Faults.ShouldFail(FaultPoint.Slab))
        {
            return Errno.ENOMEM;
        }

        if (length.IsZero)
        {
            return Errno.EINVAL;
        }

        var made = new BufferBacking(context, contract, offset, length);
        Errno errno = BufferAttachment.TryAttach(buffer, context.Nic.View, made, out BufferAttachment? attached);
        if (!errno.IsOk)
        {
            return errno;
        }

        made.attachment = attached!;
        errno = contract == RegionContract.Buffer ? Errno.Ok : made.TryPinAndMap();
        if (!errno.IsOk)
        {
            made.Release();
            return errno;
        }

        backing = made;
        return Errno.Ok;
    }

    /// <summary>Whose memory a list names: that of the first provider in it; none where all is RAM.</summary>
    internal static DeviceId OwnerOf(PhysRangeList list)
    {
        foreach (OwnerRun run in list.IsValid ? list.OwnerRuns : [])
        {
            if (run.Owner.Provider is { } provider)
            {
                return provider.Owner;
            }
        }

        return DeviceId.None;
    }

    /// <inheritdoc/>
    public void OnMove(BufferAttachment attachment, ReservationLock held, MoveNotice notice)
    {
        if (contract != RegionContract.Buffer && pin is null)
        {
            return; // nothing is mapped: not yet, and its own pin may bring the buffer within reach, or not any more
        }

        if (contract == RegionContract.BufferPinned)
        {
            Warnings++;
            return;
        }

        if (contract == RegionContract.BufferRevocable)
        {
            // What was pinned and is told of a move is revoked, whatever comes later.
            EndLocked(held, isTold: true);
            return;
        }

        using RankedLock.Guard guard = Gate.Enter();
        mayHaveMoved = true;
    }

    /// <inheritdoc/>
    internal override Errno TryAccess(ByteCount offset, Span<byte> bytes, bool isWrite)
    {
        using (Gate.Enter())
        {
            if (isRevoked)
            {
                return Errno.EINVAL;
            }

            if (table is not null && !mayHaveMoved)
            {
                return table.TryAccess(Device.Port, offset, bytes, isWrite);
            }
        }

        context.Nic.Points?.Reach("region-stale");
        using ReservationLock held = Reservation.Lock();
        Errno errno = TryMapLocked(held);
        if (!errno.IsOk)
        {
            return errno;
        }

        using RankedLock.Guard guard = Gate.Enter();
        return table!.TryAccess(Device.Port, offset, bytes, isWrite);
    }

    /// <inheritdoc/>
    internal override void Revoke()
    {
        using ReservationLock held = Reservation.Lock();
        EndLocked(held, isTold: true);
    }

    /// <inheritdoc/>
    internal override void Release()
    {
        using (ReservationLock held = Reservation.Lock())
        {
            EndLocked(held, isTold: false);
        }

        attachment.Dispose();
    }

    /// <inheritdoc/>
    internal override void Report(string holder, ICollection<LedgerEntry> entries)
    {
        using ReservationLock held = Reservation.Lock();
        DeviceId owner = mapping is { IsValid: true } ? OwnerOf(mapping.List) : DeviceId.None;
        string what = $"buffer {attachment.Buffer.Number}";
        entries.Add(new LedgerEntry(holder, HoldingKind.Attachment, what, owner, 1));
        if (pin is not null)
        {
            entries.Add(new LedgerEntry(holder, HoldingKind.Pin, what, owner, 1));
        }

        if (mapping is not null)
        {
            entries.Add(new LedgerEntry(holder, HoldingKind.Mapping, what, owner, 1));
        }
    }

    private Errno TryPinAndMap()
    {
        using ReservationLock held = Reservation.Lock();
        Errno errno = attachment.TryPin(held, out pin);
        errno = errno.IsOk ? TryMapLocked(held) : errno;
        if (!errno.IsOk)
        {
            UndoPinToo();
        }

        return errno;
    }

    private Errno TryMapLocked(ReservationLock held)
    {
        if (isRevoked)
        {
            return Errno.EINVAL;
        }

        Errno errno = attachment.TryMap(held, DmaDirection.Bidirectional, out BufferMapping? next);
        if (!errno.IsOk)
        {
            return errno;
        }

        // The addresses are good, the bytes may still be on their way: until they are there, nobody finds the table.
        errno = Reservation.Wait(FenceUsage.Kernel, context.Nic.Options.FenceTimeoutNs, out _);
        if (!errno.IsOk)
        {
            next!.Dispose();
            return errno == Errno.ETIME ? Errno.ETIMEDOUT : errno;
        }

        bool isSame = mapping is { IsValid: true } && ReferenceEquals(mapping.List, next!.List);
        using (Gate.Enter())
        {
            mayHaveMoved = false;
            if (!isSame)
            {
                table = RegionTable.Of(next!.Segments, offset, length);
                TableLoads++;
            }
        }

        (isSame ? next : mapping)?.Dispose();
        mapping = isSame ? mapping : next;
        return Errno.Ok;
    }

    // Neither mapped nor pinned any more: taken away, which the owner is told, or let go.
    private void EndLocked(ReservationLock held, bool isTold)
    {
        using (Gate.Enter())
        {
            if (isRevoked)
            {
                return;
            }

            isRevoked = true;
            table = null;
        }

        if (isTold)
        {
            Revocations++;
            TellTakenAway();
        }

        mapping?.Dispose();
        mapping = null;
        attachment.DropMappings(held);
        pin?.Dispose();
        pin = null;
    }
}
