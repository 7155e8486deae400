using Mm.DmaBuf.Fences;

namespace Mm.DmaBuf.Reservations;

/// <summary>A fence with its usage: one object, so that a reader without the lock sees both or neither.</summary>
internal sealed record ReservationSlot(DmaFence Fence, FenceUsage Usage);
