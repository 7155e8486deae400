using Mm.Core;
using Mm.Core.Locking;
using Mm.DmaBuf.Fences;

namespace Mm.DmaBuf.Reservations;

/// <summary>A reservation that is locked: the token whose members change it.</summary>
/// <remarks>
/// Room comes first, by <see cref="Reserve"/>, then fences, by <see cref="Add"/>, which so cannot fail.
/// <para><b>Linux:</b> dma_resv_lock, and the functions that assert it (v6.12).</para>
/// <para><b>Locking:</b> belongs to the thread that entered. <c>default</c> holds nothing.</para>
/// </remarks>
public readonly ref struct ReservationLock : IDisposable
{
    private const int SmallestCapacity = 4;

    private readonly Reservation? reservation;
    private readonly RankedLock.Guard guard;
    private readonly bool isBorrowed;

    internal ReservationLock(Reservation reservation, RankedLock.Guard guard)
    {
        this.reservation = reservation;
        this.guard = guard;
        reservation.Holder = Thread.CurrentThread.ManagedThreadId;
    }

    private ReservationLock(Reservation reservation)
    {
        this.reservation = reservation;
        isBorrowed = true;
    }

    private Reservation Held => reservation is not null && reservation.Holder == Thread.CurrentThread.ManagedThreadId
        ? reservation
        : throw new InvalidOperationException("the reservation is not locked by this thread");

    /// <summary>Makes room for fences, dropping those that have signaled when the list grows.</summary>
    /// <param name="count">How many will be added; not negative, 0 for none.</param>
    /// <returns>EINVAL: the count is 0, which mostly is a mistake in counting.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The count is negative.</exception>
    /// <exception cref="InvalidOperationException">The lock was left.</exception>
    public Errno TryReserve(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        if (count == 0)
        {
            return Errno.EINVAL;
        }

        Reserve(count);
        return Errno.Ok;
    }

    /// <summary>Adds a fence: over an earlier one of its context whose usage is not before its own, over one that has signaled, or at the end.</summary>
    /// <param name="fence">The fence; no array and no chain.</param>
    /// <param name="usage">What it stands for.</param>
    /// <exception cref="ArgumentException">The fence is a container: add what is in it.</exception>
    /// <exception cref="InvalidOperationException">No room was reserved, or the lock was left.</exception>
    public void Add(DmaFence fence, FenceUsage usage)
    {
        ReservationSlot added = Slot(fence, usage);
        FenceSlots slots = Held.Slots ?? throw new InvalidOperationException($"no room is reserved for {fence}");
        for (int index = 0; index < slots.Count; index++)
        {
            if (IsReplacedBy(slots[index], added))
            {
                slots.Replace(index, added);
                return;
            }
        }

        if (slots.Count == slots.Capacity)
        {
            throw new InvalidOperationException($"no room is reserved for {fence}: all {slots.Capacity} slots are taken");
        }

        slots.Append(added);
    }

    /// <summary>Puts a fence in the place of all fences of a context, as when memory was preempted.</summary>
    /// <param name="context">The context that goes.</param>
    /// <param name="replacement">What ends no earlier than they; no container.</param>
    /// <param name="usage">What it stands for.</param>
    /// <returns>How many were replaced.</returns>
    /// <exception cref="ArgumentException">The replacement is a container.</exception>
    /// <exception cref="InvalidOperationException">The lock was left.</exception>
    public int Replace(FenceContext context, DmaFence replacement, FenceUsage usage)
    {
        ReservationSlot added = Slot(replacement, usage);
        FenceSlots? slots = Held.Slots;
        int replaced = 0;
        for (int index = 0; index < (slots?.Count ?? 0); index++)
        {
            if (slots![index].Fence.Context == context)
            {
                slots.Replace(index, added);
                replaced++;
            }
        }

        return replaced;
    }

    /// <summary>Takes over the pending fences of another reservation, and drops its own.</summary>
    /// <param name="source">The other, which need not be locked.</param>
    /// <exception cref="InvalidOperationException">The lock was left.</exception>
    public void CopyFrom(Reservation source)
    {
        ArgumentNullException.ThrowIfNull(source);
        Reservation target = Held;
        var copied = new List<ReservationSlot>();
        ReservationReader reader = source.Read(FenceUsage.Bookkeep);
        while (reader.MoveNext())
        {
            if (reader.IsRestarted)
            {
                copied.Clear();
            }

            copied.Add(new ReservationSlot(reader.Current, reader.CurrentUsage));
        }

        if (reader.IsRestarted)
        {
            copied.Clear();
        }

        FenceSlots next = target.NewSlots(copied.Count);
        copied.ForEach(next.Append);
        target.Exchange(next);
    }

    /// <summary>All fences, signaled ones with them.</summary>
    /// <param name="usage">Up to which usage.</param>
    /// <returns>Each fence and its usage, in the order of their slots.</returns>
    /// <exception cref="InvalidOperationException">The lock was left.</exception>
    public IReadOnlyList<(DmaFence Fence, FenceUsage Usage)> GetAll(FenceUsage usage)
    {
        FenceSlots? slots = Held.Slots;
        var found = new List<(DmaFence Fence, FenceUsage Usage)>();
        for (int index = 0; index < (slots?.Count ?? 0); index++)
        {
            ReservationSlot slot = slots![index];
            if (slot.Usage <= Reservation.Checked(usage))
            {
                found.Add((slot.Fence, slot.Usage));
            }
        }

        return found;
    }

    /// <summary>Leaves the lock.</summary>
    /// <exception cref="SynchronizationLockException">A copy of the token has left it before.</exception>
    public void Dispose()
    {
        if (reservation is not null && !isBorrowed)
        {
            if (reservation.Holder == Thread.CurrentThread.ManagedThreadId)
            {
                reservation.Holder = 0;
            }

            guard.Dispose();
        }
    }

    /// <summary>A token of a lock that the thread holds already; disposing it leaves nothing.</summary>
    internal static ReservationLock Borrow(Reservation reservation) => new(reservation);

    /// <summary>Checks that this token holds a reservation.</summary>
    /// <exception cref="InvalidOperationException">It holds another, or none any more.</exception>
    internal void RequireOf(Reservation wanted)
    {
        if (!ReferenceEquals(Held, wanted))
        {
            throw new InvalidOperationException("the token is of another buffer's reservation");
        }
    }

    /// <summary>Makes room for fences, which 0 needs none of.</summary>
    internal void Reserve(int count)
    {
        Reservation target = Held;
        FenceSlots? old = target.Slots;
        int taken = old?.Count ?? 0;
        if (count == 0 || (old is not null && taken + count <= old.Capacity))
        {
            return;
        }

        int capacity = old is null || old.Capacity == 0
            ? Math.Max(SmallestCapacity, (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)count))
            : Math.Max(taken + count, old.Capacity * 2);
        FenceSlots next = target.NewSlots(capacity);
        for (int index = 0; index < taken; index++)
        {
            ReservationSlot slot = old![index];
            if (!slot.Fence.IsSignaled)
            {
                next.Append(slot);
            }
        }

        // Readers see the same pending fences in the old list and in the new one.
        target.Exchange(next);
    }

    private static ReservationSlot Slot(DmaFence fence, FenceUsage usage)
    {
        ArgumentNullException.ThrowIfNull(fence);
        return fence.IsContainer
            ? throw new ArgumentException($"a reservation holds no containers; got {fence}", nameof(fence))
            : new ReservationSlot(fence, Reservation.Checked(usage));
    }

    private static bool IsReplacedBy(ReservationSlot old, ReservationSlot added) =>
        (old.Fence.Context == added.Fence.Context && old.Usage >= added.Usage && IsSameOrLater(added.Fence, old.Fence))
        || old.Fence.IsSignaled;

    private static bool IsSameOrLater(DmaFence added, DmaFence old) => added == old || DmaFence.IsLater(added, old);
}
