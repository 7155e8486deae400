using Mm.DmaBuf.Reservations;

namespace Mm.DmaBuf.Buffers;

/// <summary>Who is told that a buffer moves: the attachments, which this room does not know.</summary>
/// <remarks><b>Locking:</b> called with the buffer's reservation locked.</remarks>
internal interface IMoveListener
{
    /// <summary>Tells the importer.</summary>
    /// <param name="held">The buffer's reservation, locked.</param>
    /// <param name="notice">What happens.</param>
    void OnMove(ReservationLock held, MoveNotice notice);
}
