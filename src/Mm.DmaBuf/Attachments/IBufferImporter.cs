using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Reservations;

namespace Mm.DmaBuf.Attachments;

/// <summary>Who uses a shared buffer and follows its moves: maps again after one, instead of keeping it pinned.</summary>
/// <remarks>
/// Owns what it does with the addresses: it waits for the reservation's fences itself, adds one for its own work, and uses
/// no mapping that is not valid any more. Users write importers; <see cref="BufferImporterContract"/> holds them to this page.
/// <para><b>Linux:</b> struct dma_buf_attach_ops (v6.12): move_notify, which is mandatory, and allow_peer2peer.</para>
/// <para><b>Locking:</b> <see cref="OnMove"/> is called with the buffer's reservation locked, on the exporter's thread. It may
/// add fences, unmap and unpin; it must not map, pin, detach or wait: that throws.</para>
/// </remarks>
public interface IBufferImporter
{
    /// <summary>Whether it takes memory of a peer; does not change.</summary>
    bool AllowsPeerToPeer { get; }

    /// <summary>The memory moves, or is taken away: what is mapped must not be used once this device's fences have signaled.</summary>
    /// <param name="attachment">Of which attachment.</param>
    /// <param name="held">The buffer's reservation, locked.</param>
    /// <param name="notice">What happens.</param>
    void OnMove(BufferAttachment attachment, ReservationLock held, MoveNotice notice);
}
