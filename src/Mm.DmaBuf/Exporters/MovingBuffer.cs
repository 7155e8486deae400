using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.Native;
using Mm.Core.PhysRanges;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Reservations;

namespace Mm.DmaBuf.Exporters;

/// <summary>A device's buffer that lies in its own memory or in RAM, and moves between them under its importers.</summary>
/// <remarks>
/// Owns the RAM while it is there. The device's memory is its driver's, which says where the buffer may lie and hears from
/// <see cref="IsInDevice"/> when that place is free again.
/// <para><b>Linux:</b> a GEM object of a driver on TTM, as amdgpu_dma_buf.c exports it (v6.12): an importer that does not take
/// or reach a peer's memory brings the buffer to RAM when it maps or pins. Difference: the move is made by the CPU and waits
/// for all fences, instead of adding one.</para>
/// <para><b>States:</b> in the device ⇄ in RAM; pinned, it stays.</para>
/// <para><b>Invariants:</b> (1) the bytes are the same after a move, those that a process writes meanwhile with them; (2) pinned, it does not move; (3) a move that is refused
/// leaves it where it was, with every mapping valid.</para>
/// <para><b>Locking:</b> the buffer's reservation.</para>
/// </remarks>
public sealed class MovingBuffer : IBufferExporter
{
    private const ulong ChunkBytes = 1 << 20;

    private readonly BufferRegistry registry;
    private readonly IRangeOwnerSource owners;
    private readonly IP2pProvider provider;
    private ValiditySource life = new(); // replaced with the reservation locked
    private PhysRangeList place; // protected by the reservation
    private RamStore? ram; // protected by the reservation
    private int pins; // protected by the reservation

    private MovingBuffer(BufferRegistry registry, IRangeOwnerSource owners, IP2pProvider provider, PhysRangeList place)
    {
        this.registry = registry;
        this.owners = owners;
        this.provider = provider;
        this.place = place;
        Size = place.Length;
    }

    /// <inheritdoc/>
    public string Name => provider.Name;

    /// <inheritdoc/>
    public ByteCount Size { get; }

    /// <inheritdoc/>
    public BufferTraits Traits { get; } = new() { Moves = true, HasCpuMap = true, HasKernelView = true };

    /// <summary>Whether the bytes lie in the device's memory now.</summary>
    public bool IsInDevice => Volatile.Read(ref ram) is null;

    /// <summary>How often it has moved.</summary>
    public long Moves { get; private set; }

    /// <summary>How many pins keep it.</summary>
    public int PinCount
    {
        get
        {
            using ReservationLock held = Reservation.LockOrGoOn();
            return pins;
        }
    }

    private DmaBuffer? Buffer { get; set; }

    private Reservation Reservation =>
        Buffer?.Reservation ?? throw new InvalidOperationException("the buffer was not exported");

    /// <summary>Shares a buffer that lies in a device's memory.</summary>
    /// <param name="registry">The machine's buffers.</param>
    /// <param name="owners">Who owns which addresses.</param>
    /// <param name="provider">Who answers for the device's memory.</param>
    /// <param name="ranges">Where in it the buffer lies; its driver keeps them for it.</param>
    /// <param name="exporter">The exporter's side, which moves it; null when refused.</param>
    /// <param name="handle">The buffer; null when refused. The caller disposes it.</param>
    /// <returns>Ok; EINVAL: no bytes, or not all in the provider's aperture; EFAULT: nobody owns a part of it; ENOMEM: no
    /// memory.</returns>
    public static Errno TryExport(
        BufferRegistry registry,
        IRangeOwnerSource owners,
        IP2pProvider provider,
        ReadOnlySpan<PhysRange> ranges,
        out MovingBuffer? exporter,
        out BufferHandle? handle)
    {
        ArgumentNullException.ThrowIfNull(registry);
        exporter = null;
        handle = null;
        if (registry.Machine.Faults.ShouldFail(FaultPoint.Slab))
        {
            return Errno.ENOMEM;
        }

        var first = new ValiditySource();
        Errno errno = TryBuild(owners, provider, ranges, first, out PhysRangeList? list);
        if (!errno.IsOk)
        {
            return errno;
        }

        var made = new MovingBuffer(registry, owners, provider, list!) { life = first };
        errno = DmaBuffer.TryExport(registry, made, reservation: null, out handle);
        made.Buffer = handle?.Buffer;
        exporter = errno.IsOk ? made : null;
        return errno;
    }

    /// <summary>Moves the bytes to RAM.</summary>
    /// <param name="timeoutNs">How long to wait for the importers' fences, in nanoseconds of the machine's clock.</param>
    /// <returns>Ok, also where they are there; EBUSY: pinned; ENOMEM: not enough RAM; ETIME: a fence has not signaled; the
    /// importers were told, and nothing moved.</returns>
    public Errno TryMoveToRam(ulong timeoutNs = ulong.MaxValue)
    {
        using ReservationLock held = Reservation.Lock();
        return TryMoveToRam(held, timeoutNs);
    }

    /// <summary>Moves the bytes into the device's memory, or to another place in it.</summary>
    /// <param name="ranges">Where to; as many bytes as the buffer has, disjoint from where it is.</param>
    /// <param name="timeoutNs">How long to wait for the importers' fences, in nanoseconds of the machine's clock.</param>
    /// <returns>Ok; EINVAL: another number of bytes, or not all in the provider's aperture; EFAULT: nobody owns a part of it;
    /// EBUSY: pinned; ETIME: as <see cref="TryMoveToRam(ulong)"/>.</returns>
    public Errno TryMoveToDevice(ReadOnlySpan<PhysRange> ranges, ulong timeoutNs = ulong.MaxValue)
    {
        var next = new ValiditySource();
        Errno errno = TryBuild(owners, provider, ranges, next, out PhysRangeList? list);
        if (!errno.IsOk || list!.Length != Size)
        {
            return errno.IsOk ? Errno.EINVAL : errno;
        }

        using ReservationLock held = Reservation.Lock();
        return TryMove(held, list, store: null, next, timeoutNs);
    }

    /// <inheritdoc/>
    public Errno TryAttach(BufferClient client, out PeerTerms terms)
    {
        terms = PeerTerms.Negotiate(client, provider);
        return Errno.Ok; // who does not take it where it is gets it in RAM
    }

    /// <inheritdoc/>
    public Errno TryGetList(ReservationLock held, BufferClient client, out PhysRangeList? list)
    {
        Errno errno = client.IsPeerToPeer ? Errno.Ok : TryMoveToRam(held, ulong.MaxValue);
        list = errno.IsOk ? place : null;
        return errno;
    }

    /// <inheritdoc/>
    public Errno TryPin(ReservationLock held, BufferClient client)
    {
        Errno errno = client.IsPeerToPeer ? Errno.Ok : TryMoveToRam(held, ulong.MaxValue);
        pins += errno.IsOk ? 1 : 0;
        return errno;
    }

    /// <inheritdoc/>
    public void Unpin(ReservationLock held)
    {
        Check.That(pins > 0, "as many pins are dropped as were taken");
        pins--;
    }

    /// <inheritdoc/>
    public void Release()
    {
        Check.That(pins == 0, "a buffer is released without pins");
        EndPlace();
    }

    private static Errno TryBuild(
        IRangeOwnerSource owners, IP2pProvider provider, ReadOnlySpan<PhysRange> ranges, ValiditySource life, out PhysRangeList? list)
    {
        ArgumentNullException.ThrowIfNull(owners);
        ArgumentNullException.ThrowIfNull(provider);
        list = null;
        foreach (PhysRange range in ranges)
        {
            if (range.IsEmpty || !provider.Aperture.Contains(range))
            {
                return Errno.EINVAL;
            }
        }

        var builder = new PhysRangeListBuilder(owners);
        Errno errno = ranges.IsEmpty ? Errno.EINVAL : builder.TryAppend(ranges);
        list = errno.IsOk ? builder.Build(life.Token) : null;
        return errno;
    }

    private Errno TryMoveToRam(ReservationLock held, ulong timeoutNs)
    {
        if (!IsInDevice)
        {
            return Errno.Ok;
        }

        if (pins > 0)
        {
            return Errno.EBUSY;
        }

        Errno errno = RamStore.TryAllocate(registry.Machine, Size, out RamStore? store);
        if (!errno.IsOk)
        {
            return errno;
        }

        errno = TryMove(held, store!.List, store, next: null, timeoutNs);
        if (!errno.IsOk)
        {
            store!.Dispose();
        }

        return errno;
    }

    // Told, waited for, copied, and only then are the old addresses ended: refused before, nothing has changed.
    private Errno TryMove(ReservationLock held, PhysRangeList to, RamStore? store, ValiditySource? next, ulong timeoutNs)
    {
        if (pins > 0)
        {
            return Errno.EBUSY;
        }

        Buffer!.NotifyMove(held, MoveNotice.MayMove);
        Errno errno = Reservation.Wait(FenceUsage.Bookkeep, timeoutNs, out _);
        if (!errno.IsOk)
        {
            return errno;
        }

        Buffer!.UnmapAreas(held);
        Copy(place, to);
        EndPlace();
        place = to;
        life = next ?? life;
        Volatile.Write(ref ram, store);
        Moves++;
        return Errno.Ok;
    }

    private void EndPlace()
    {
        if (ram is null)
        {
            life.Invalidate();
            place.Dispose();
        }

        ram?.Dispose();
    }

    private void Copy(PhysRangeList from, PhysRangeList to)
    {
        for (ulong done = 0; done < Size.Value;)
        {
            PhysRange source = PieceAt(from, done);
            PhysRange target = PieceAt(to, done);
            var size = new ByteCount(Math.Min(Math.Min(source.Length.Value, target.Length.Value), ChunkBytes));
            using SpanLease read = registry.Machine.Lease(source.Slice(ByteCount.Zero, size));
            using SpanLease write = registry.Machine.Lease(target.Slice(ByteCount.Zero, size));
            read.Bytes.CopyTo(write.Bytes);
            done += size.Value;
        }
    }

    private static PhysRange PieceAt(PhysRangeList list, ulong offset)
    {
        _ = list.TryFindByte(new ByteCount(offset), out PhysAddr address, out int index); // below the list's length
        PhysRange whole = list[index];
        ulong passed = address.Value - whole.Start.Value;
        return whole.Slice(new ByteCount(passed), new ByteCount(whole.Length.Value - passed));
    }
}
