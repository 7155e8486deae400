using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.PhysRanges;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Reservations;
using Mm.P2pDma;
using Mm.P2pDma.Providers;

namespace Mm.DmaBuf.Exporters;

/// <summary>The exporter's side of a shared piece of a BAR: takes it away from all importers, for a while or for good.</summary>
/// <remarks>
/// Owns the list of addresses, and nothing of the BAR.
/// <para><b>Linux:</b> struct vfio_pci_dma_buf, vfio_pci_dma_buf_move (v6.19), with the wait for importers' fences that later
/// kernels have (museum 31).</para>
/// <para><b>States:</b> shared ⇄ revoked; either → revoked for good. Revoked, it drains until the importers' fences have
/// signaled.</para>
/// <para><b>Invariants:</b> (1) only importers that take and reach memory of a peer attach; (2) once a revoke has returned ok,
/// nothing that was mapped before is valid, for a device or a process; (3) importers are told of changes only.</para>
/// <para><b>Locking:</b> the buffer's reservation.</para>
/// </remarks>
public sealed class BarBuffer : IBufferExporter
{
    private readonly PciSystem pci;
    private readonly BarProvider provider;
    private readonly PhysRange[] ranges;
    private readonly ValiditySource life = new();
    private readonly bool pinsForRevocable;
    private PhysRangeList? place; // protected by the reservation
    private int pins; // protected by the reservation
    private volatile bool isRevoked; // changed with the reservation locked
    private bool isForGood; // protected by the reservation
    private int isReleased; // atomic

    internal BarBuffer(
        PciSystem pci, BarProvider provider, PhysRange[] ranges, bool isRevoked, bool hasCpuMap, bool pinsForRevocable)
    {
        Traits = new BufferTraits { Moves = true, HasCpuMap = hasCpuMap };
        this.pci = pci;
        this.provider = provider;
        this.ranges = ranges;
        this.isRevoked = isRevoked;
        this.pinsForRevocable = pinsForRevocable;
        foreach (PhysRange range in ranges)
        {
            Size = Size.AddChecked(range.Length);
        }
    }

    /// <inheritdoc/>
    public string Name => provider.Name;

    /// <inheritdoc/>
    public ByteCount Size { get; }

    /// <inheritdoc/>
    public BufferTraits Traits { get; }

    /// <summary>Whether the memory is taken away.</summary>
    public bool IsRevoked => isRevoked;

    /// <summary>The buffer; null until it is exported, and after it was refused.</summary>
    internal DmaBuffer? Buffer { get; set; }

    private Reservation Reservation =>
        Buffer?.Reservation ?? throw new InvalidOperationException("the buffer was not exported");

    /// <summary>Takes the memory away: importers are told, nobody maps any more, and when their fences have signaled, what is
    /// mapped leads nowhere.</summary>
    /// <param name="isForGood">Whether it never comes back, as when the device is closed.</param>
    /// <param name="timeoutNs">How long to wait for fences, in nanoseconds of the machine's clock.</param>
    /// <returns>Ok, also where it was taken away before; ETIME: a fence has not signaled. Nobody maps the memory any more, but
    /// who does may still use it: call again.</returns>
    public Errno TryRevoke(bool isForGood = false, ulong timeoutNs = ulong.MaxValue)
    {
        using ReservationLock held = Reservation.Lock();
        this.isForGood |= isForGood;
        if (!isRevoked)
        {
            isRevoked = true;
            Buffer!.UnmapAreas(held);
            Buffer.NotifyMove(held, MoveNotice.Revoked);
        }

        Errno errno = Reservation.Wait(FenceUsage.Bookkeep, timeoutNs, out _);
        if (errno.IsOk)
        {
            EndPlace();
        }

        return errno;
    }

    /// <summary>Gives the memory back: importers are told, and may map again.</summary>
    /// <returns>Ok, also where it is there; ENODEV: it was taken away for good.</returns>
    public Errno TryRestore()
    {
        using ReservationLock held = Reservation.Lock();
        if (isForGood)
        {
            return Errno.ENODEV;
        }

        if (isRevoked)
        {
            isRevoked = false;
            Buffer!.NotifyMove(held, MoveNotice.Restored);
        }

        return Errno.Ok;
    }

    /// <inheritdoc/>
    public Errno TryAttach(BufferClient client, out PeerTerms terms)
    {
        terms = PeerTerms.Negotiate(client, provider);
        if (!terms.IsPeerToPeer)
        {
            return Errno.EOPNOTSUPP;
        }

        return isRevoked ? Errno.ENODEV : Errno.Ok;
    }

    /// <inheritdoc/>
    public Errno TryGetList(ReservationLock held, BufferClient client, out PhysRangeList? list)
    {
        list = null;
        if (isRevoked || !provider.IsLive)
        {
            return Errno.ENODEV;
        }

        if (place is null || !place.IsValid)
        {
            PhysRangeListBuilder builder = pci.CreateListBuilder();
            Errno errno = builder.TryAppend(ranges);
            if (!errno.IsOk)
            {
                return errno;
            }

            place = builder.Build(life.Token);
        }

        list = place;
        return Errno.Ok;
    }

    /// <summary>How many pins there are.</summary>
    public int PinCount
    {
        get
        {
            using ReservationLock held = Reservation.LockOrGoOn();
            return pins;
        }
    }

    /// <summary>Pins, where the exporter does that at all: the memory never moves, and a pin does not keep it from being taken away.</summary>
    /// <param name="held">The buffer's reservation, locked.</param>
    /// <param name="client">For whom.</param>
    /// <returns>Ok; EOPNOTSUPP: the exporter pins for nobody, or the importer could not be told of a revocation; ENODEV: the memory
    /// is taken away.</returns>
    public Errno TryPin(ReservationLock held, BufferClient client)
    {
        if (!pinsForRevocable || !client.IsDynamic)
        {
            return Errno.EOPNOTSUPP;
        }

        pins += isRevoked ? 0 : 1;
        return isRevoked ? Errno.ENODEV : Errno.Ok;
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
        Check.That(Interlocked.Exchange(ref isReleased, 1) == 0, $"the export of {Name} is freed twice");
        isRevoked = true;
        EndPlace();
    }

    private void EndPlace()
    {
        life.Invalidate();
        place?.Dispose();
        place = null;
    }
}
