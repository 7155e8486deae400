using Mm.DmaBuf.Attachments;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Reservations;

namespace Mm.DmaBuf.Tests.Attachments;

/// <summary>An importer that follows moves, remembers what it was told, and does what a test says then.</summary>
internal sealed class FakeImporter(bool allowsPeerToPeer = true) : IBufferImporter
{
    public bool AllowsPeerToPeer { get; set; } = allowsPeerToPeer;

    internal List<MoveNotice> Notices { get; } = [];

    internal Action<BufferAttachment>? Then { get; set; }

    public void OnMove(BufferAttachment attachment, ReservationLock held, MoveNotice notice)
    {
        Notices.Add(notice);
        Then?.Invoke(attachment);
    }
}
