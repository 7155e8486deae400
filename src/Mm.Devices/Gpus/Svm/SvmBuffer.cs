using Mm.Core;
using Mm.Core.PhysRanges;
using Mm.Devices.Gpus.Objects;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Reservations;

namespace Mm.Devices.Gpus.Svm;

/// <summary>Memory of a process that lies on a GPU, shared with peers: they get addresses where the GPU has put it behind its BAR.</summary>
/// <remarks>
/// Owns the list of addresses. The memory is the process's: whatever takes it away, a CPU's touch above all, ends the addresses
/// at once, and nobody maps until the GPU has brought it back. Pinned for nobody.
/// <para><b>Linux:</b> none in v6.19; the peer-to-peer of device-private pages that was proposed for hmm_range_fault
/// (get_dma_pfn_for_device), as a dma-buf. An invalidation cannot take the reservation, so importers are told when the memory
/// is there again, and find out before by faults and refusals.</para>
/// <para><b>States:</b> there ⇄ taken away; → released.</para>
/// <para><b>Invariants:</b> (1) only importers that take and reach memory of a peer attach; (2) an address that is valid leads
/// to a page behind the BAR that the process has now.</para>
/// <para><b>Locking:</b> the buffer's reservation, and the lock of its <see cref="GpuSvm"/>.</para>
/// </remarks>
public sealed class SvmBuffer : IBufferExporter
{
    private readonly ValiditySource life = new();
    private readonly GpuSvm owner;
    private readonly GpuParts parts;
    private PhysRangeList? place; // replaced with the reservation locked
    private int isReleased; // atomic

    internal SvmBuffer(GpuSvm owner, GpuParts parts, VirtRange range)
    {
        this.owner = owner;
        this.parts = parts;
        Range = range;
        Name = $"{parts.Name} svm {owner.Number}";
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public ByteCount Size => Range.Length;

    /// <inheritdoc/>
    public BufferTraits Traits { get; } = new() { Moves = true };

    /// <summary>Which memory of the process it is.</summary>
    public VirtRange Range { get; }

    /// <summary>Whether peers have addresses, or may get them.</summary>
    public bool IsThere => Volatile.Read(ref place) is { IsValid: true } && parts.Provider.IsLive;

    /// <summary>Why the memory could not be brought behind the BAR the last time; ok if it could.</summary>
    public Errno Refusal { get; private set; }

    internal DmaBuffer? Buffer { get; set; } // set before anybody has the handle

    internal ValidityToken Validity => life.Token;

    /// <summary>Brings the memory behind the BAR, from RAM or from where peers do not reach it, and lets them map it.</summary>
    /// <returns>Ok; ENOMEM: no room behind the BAR; EBUSY: a page could not come; ENOENT, EFAULT, EPERM: the process has not all
    /// of the memory, or may not write it; EOPNOTSUPP: it cannot lie on a GPU; ENODEV: the GPU is gone, or the buffer.</returns>
    public Errno TryBring()
    {
        if (IsThere)
        {
            return Errno.Ok;
        }

        PhysRangeList? list = null;
        Refusal = Volatile.Read(ref isReleased) != 0 ? Errno.ENODEV : owner.TryBring(this, out list);
        if (!Refusal.IsOk)
        {
            return Refusal;
        }

        using ReservationLock held = Buffer!.Reservation.Lock();
        if (IsThere)
        {
            list!.Dispose(); // another thread was faster, and importers may have its list
            return Errno.Ok;
        }

        place?.Dispose();
        Volatile.Write(ref place, list);
        Buffer.NotifyMove(held, MoveNotice.Restored);
        return Errno.Ok;
    }

    /// <inheritdoc/>
    public Errno TryAttach(BufferClient client, out PeerTerms terms)
    {
        terms = PeerTerms.Negotiate(client, parts.Provider);
        if (!terms.IsPeerToPeer)
        {
            return Errno.EOPNOTSUPP;
        }

        return TryBring().IsOk ? Errno.Ok : Errno.ENODEV;
    }

    /// <inheritdoc/>
    public Errno TryGetList(ReservationLock held, BufferClient client, out PhysRangeList? list)
    {
        list = IsThere ? place : null;
        return list is null ? Errno.ENODEV : Errno.Ok;
    }

    /// <summary>Refuses: memory that the process goes on using is pinned for nobody.</summary>
    /// <param name="held">The buffer's reservation, locked.</param>
    /// <param name="client">For whom.</param>
    /// <returns>EOPNOTSUPP.</returns>
    public Errno TryPin(ReservationLock held, BufferClient client) => Errno.EOPNOTSUPP;

    /// <inheritdoc/>
    public void Release()
    {
        Volatile.Write(ref isReleased, 1);
        owner.Forget(this);
        End();
        place?.Dispose();
    }

    /// <summary>The memory goes: every address given is dead from here on.</summary>
    internal void End() => life.Invalidate();
}
