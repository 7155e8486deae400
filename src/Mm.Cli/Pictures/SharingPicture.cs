using Mm.Core;
using Mm.Core.PhysRanges;
using Mm.DmaBuf.Attachments;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Reservations;

namespace Mm.Cli.Pictures;

/// <summary>Draws a shared buffer: where its bytes lie, and who holds what of it.</summary>
internal sealed class SharingPicture(DmaBuffer buffer, Machine machine)
{
    /// <summary>Draws the buffer and its importers.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="attachments">The importers, in the order in which they are drawn.</param>
    public void Draw(TextWriter output, IReadOnlyList<BufferAttachment> attachments)
    {
        output.WriteLine($"  {buffer}");
        output.WriteLine($"  ├─ {buffer.HandleCount} handles, {attachments.Count} of them by attachments");
        output.WriteLine($"  ├─ bytes: {Place()}");
        for (int index = 0; index < attachments.Count; index++)
        {
            BufferAttachment each = attachments[index];
            string branch = index == attachments.Count - 1 ? "└─" : "├─";
            string maps = each.Rebuilds == 1 ? "mapped once" : $"mapped {each.Rebuilds} times";
            string told = $"told {each.Notifications}, live {each.Device.LiveMappings}";
            output.WriteLine($"  {branch} {machine.DeviceName(each.Device.Id)}: {each.Terms}; {maps}, {told}");
        }
    }

    private string Place()
    {
        using ReservationLock held = buffer.Reservation.Lock();
        if (!buffer.TryLocate(held, out PhysRangeList? list).IsOk)
        {
            return "nowhere";
        }

        return $"{list!.OwnerRuns[0].Owner.Name}, {list}";
    }
}
