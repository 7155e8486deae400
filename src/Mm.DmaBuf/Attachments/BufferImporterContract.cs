using Mm.Core.Checks;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Reservations;

namespace Mm.DmaBuf.Attachments;

/// <summary>What every <see cref="IBufferImporter"/> promises, as code: for the tests of whoever writes one, and for Mm's own calls.</summary>
/// <remarks>
/// The calls check the importer where <see cref="Check.Enabled"/>. A broken promise is a mistake of the importer's author,
/// hence an <see cref="ArgumentException"/>. That it does not map while it is told of a move, the buffer itself sees to.
/// <para><b>Locking:</b> stateless.</para>
/// </remarks>
public static class BufferImporterContract
{
    /// <summary>Tells an importer of a move, and checks that it comes back with the reservation locked as it was.</summary>
    /// <param name="importer">The importer.</param>
    /// <param name="attachment">Of which attachment.</param>
    /// <param name="held">The buffer's reservation, locked.</param>
    /// <param name="notice">What happens.</param>
    /// <exception cref="ArgumentException">It left the lock, waited, or changed what it allows.</exception>
    public static void OnMove(IBufferImporter importer, BufferAttachment attachment, ReservationLock held, MoveNotice notice)
    {
        ArgumentNullException.ThrowIfNull(importer);
        ArgumentNullException.ThrowIfNull(attachment);
        if (!Check.Enabled)
        {
            importer.OnMove(attachment, held, notice);
            return;
        }

        ulong beforeNs = attachment.Buffer.Reservation.Contexts.Clock.NowNs;
        importer.OnMove(attachment, held, notice);
        Reservation reservation = attachment.Buffer.Reservation;
        Require(reservation.Holder == Thread.CurrentThread.ManagedThreadId, "OnMove must not leave the reservation's lock");
        Require(reservation.Contexts.Clock.NowNs == beforeNs, "OnMove must not wait");
        Require(importer.AllowsPeerToPeer == attachment.AllowsPeerToPeer, "AllowsPeerToPeer must never change");
    }

    private static void Require(bool holds, string promise)
    {
        if (!holds)
        {
            throw new ArgumentException($"an importer breaks its contract: {promise}");
        }
    }
}
