using Mm.Core.Checks;

namespace Mm.DmaBuf.Reservations;

/// <summary>The fences of a reservation, written by the lock's holder and read by anybody.</summary>
/// <remarks>
/// <para><b>Linux:</b> struct dma_resv_list (v6.12).</para>
/// <para><b>Invariants:</b> (1) a slot below the count is not empty: the slot is published before the count; (2) the
/// count does not fall.</para>
/// <para><b>Locking:</b> writing wants the reservation's lock; reading none.</para>
/// </remarks>
internal class FenceSlots(int capacity, IYieldPoints? points)
{
    private readonly ReservationSlot?[] slots = new ReservationSlot?[capacity];
    private int count;

    internal int Capacity => slots.Length;

    internal int Count => Volatile.Read(ref count);

    protected IYieldPoints? Points { get; } = points;

    /// <summary>A slot below the count.</summary>
    internal ReservationSlot this[int index]
    {
        get
        {
            ReservationSlot? slot = Volatile.Read(ref slots[index]);
            Check.That(slot is not null, $"slot {index} of {Count} is empty (1)");
            return slot;
        }
    }

    internal void Replace(int index, ReservationSlot slot) => Volatile.Write(ref slots[index], slot);

    /// <summary>Adds a slot at the end; there is room.</summary>
    internal virtual void Append(ReservationSlot slot)
    {
        int end = Count;
        Replace(end, slot);
        Points?.Reach("slot-before-count");
        PublishCount(end + 1);
    }

    protected void PublishCount(int published) => Volatile.Write(ref count, published);
}
