using Mm.DmaBuf.Attachments;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Reservations;

namespace Mm.Devices.Tests.Gpus;

/// <summary>An importer that follows moves and remembers what it was told.</summary>
internal sealed class TellingImporter(bool allowsPeerToPeer = true) : IBufferImporter
{
    public bool AllowsPeerToPeer { get; } = allowsPeerToPeer;

    internal List<MoveNotice> Notices { get; } = [];

    public void OnMove(BufferAttachment attachment, ReservationLock held, MoveNotice notice) => Notices.Add(notice);
}
