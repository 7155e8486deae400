using Mm.DmaBuf.Fences;

namespace Mm.DmaBuf.Reservations;

/// <summary>Goes through the pending fences of a reservation without its lock, starting anew when the list is exchanged.</summary>
/// <remarks>
/// When <see cref="IsRestarted"/> is set, what was collected before is to be dropped; it is set at the first fence, too.
/// <para><b>Linux:</b> dma_resv_for_each_fence_unlocked (v6.12).</para>
/// <c>default</c> is not usable. Belongs to one thread.
/// </remarks>
public ref struct ReservationReader
{
    private readonly Reservation reservation;
    private readonly FenceUsage usage;
    private FenceSlots? slots;
    private ReservationSlot? current;
    private int count;
    private int index;
    private bool hasStarted;

    internal ReservationReader(Reservation reservation, FenceUsage usage)
    {
        this.reservation = reservation;
        this.usage = usage;
    }

    /// <summary>The fence at which the reader stands.</summary>
    /// <exception cref="InvalidOperationException">It stands at none.</exception>
    public readonly DmaFence Current => Slot.Fence;

    /// <summary>The usage of that fence.</summary>
    /// <exception cref="InvalidOperationException">It stands at none.</exception>
    public readonly FenceUsage CurrentUsage => Slot.Usage;

    /// <summary>Whether the last move began from the start.</summary>
    public bool IsRestarted { get; private set; }

    private readonly ReservationSlot Slot => current ?? throw new InvalidOperationException("the reader stands at no fence");

    /// <summary>Goes to the next pending fence of the usage or one before it.</summary>
    /// <returns>Whether there is one. At the end nothing is left to restart: what was collected since is the answer.</returns>
    public bool MoveNext()
    {
        IsRestarted = false;
        bool restart = !hasStarted || reservation.Slots != slots;
        hasStarted = true;
        do
        {
            if (restart)
            {
                Restart();
            }

            Walk();
            restart = true;
        }
        while (reservation.Slots != slots);

        return current is not null;
    }

    /// <summary>Makes the next move restart, as an exchange of the list would.</summary>
    internal void ForceRestart() => hasStarted = false;

    private void Restart()
    {
        IsRestarted = true;
        index = 0;
        slots = reservation.Slots;
        reservation.Points?.Reach("list-before-count");
        count = slots?.Count ?? 0;
    }

    private void Walk()
    {
        current = null;
        while (index < count)
        {
            reservation.Points?.Reach("read-slot");
            ReservationSlot slot = slots![index++];
            if (slot.Usage <= usage && !slot.Fence.IsSignaled)
            {
                current = slot;
                return;
            }
        }
    }
}
