using Mm.Core.Frames;

namespace Mm.Core.Spaces;

/// <content>The way without the lock.</content>
internal sealed partial class UserPages
{
    // Linux: gup_fast. Stops at the first page that needs more than a look; a fork that write-protects meanwhile undoes all.
    private int PinFast(VirtAddr start, PinFlags flags, Span<PagePin> pins)
    {
        ulong sequence = space.WriteProtectSequence;
        if ((sequence & 1) != 0)
        {
            return 0;
        }

        space.Parts.Points?.Reach("fast-begun");
        int count = 0;
        while (count < pins.Length && TryPinFast(PageAt(start, count), flags, out pins[count]))
        {
            count++;
        }

        space.Parts.Points?.Reach("fast-pinned");
        if (space.WriteProtectSequence == sequence || Owner.FastPinsIgnoreFork)
        {
            return count;
        }

        foreach (ref PagePin pin in pins[..count])
        {
            pin.Dispose();
            pin = default;
        }

        return 0;
    }

    // Linux: gup_fast_pte_range: pin first, then look whether the entry still stands.
    private bool TryPinFast(VirtAddr at, PinFlags flags, out PagePin pin)
    {
        pin = default;
        Pte entry = space.Tables.Read(at);
        bool isUsable = entry.IsAccessible && !entry.IsSpecial && !entry.IsZeroPage
            && (entry.IsWritable || !Has(flags, PinFlags.Write));
        if (!isUsable || !Frames.TryPin(entry.Frame, out pin).IsOk)
        {
            return false;
        }

        bool isAllowed = space.Tables.Read(at) == entry
            && !(Has(flags, PinFlags.LongTerm) && !IsLongTermPinnable(entry.Frame))
            && (Has(flags, PinFlags.PeerMemory) || !Frames.IsDevice(entry.Frame) || Owner.IsDeviceCoherent(entry.Frame))
            && (entry.IsWritable || !MustUnshare(area: null, entry, flags, isPinning: true));
        if (!isAllowed)
        {
            pin.Dispose();
            pin = default;
        }

        return isAllowed;
    }
}
