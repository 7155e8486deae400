using Mm.Core.Checks;

namespace Mm.Devices.Iommufd;

/// <content>Recounting.</content>
internal sealed partial class IoPages
{
    /// <summary>Recounts the holders of every page. Takes the lock.</summary>
    /// <param name="areas">Every area of these pages, of all spaces.</param>
    public void Validate(IReadOnlyCollection<IoArea> areas)
    {
        using (Gate.Enter())
        {
            Check.That(references == areas.Count, $"io pages: {references} references, {areas.Count} areas");
            Check.That(
                areas.Sum(area => area.AccessCount) == AccessUsers,
                $"io pages: areas count {areas.Sum(area => area.AccessCount)} accesses, pages {AccessUsers}");
            ulong pinned = 0;
            for (ulong index = 0; index < Size.Value; index++)
            {
                if (chunks[index / ChunkPages] is null)
                {
                    Check.That(CountHolders(areas, index) == 0, $"io pages invariant 2: page {index} has no slot");
                    continue;
                }

                ValidatePage(SlotOf(index), CountHolders(areas, index), index);
                pinned += SlotOf(index).IsPinned ? 1UL : 0;
            }

            Check.That(pinned == pinnedCount, $"io pages invariant 3: {pinned} pages pinned, {pinnedCount} counted");
        }
    }

    private void ValidatePage(PageSlot slot, int holders, ulong index)
    {
        Check.That(slot.Holders == holders, $"io pages invariant 2: page {index} counts {slot.Holders} holders of {holders}");
        Check.That(slot.IsPinned == (holders > 0), $"io pages invariant 1: page {index} with {holders} holders");
        if (!slot.Pin.Pin.IsEmpty)
        {
            bool isPinned = context.Machine.Frames.Describe(slot.Pin.Page).MaybePinned;
            Check.That(isPinned, $"io pages invariant 1: {slot.Pin.Page} is not pinned");
        }
    }

    private int CountHolders(IEnumerable<IoArea> areas, ulong index) =>
        areas.Count(area => area.IsFilled && area.FirstIndex <= index && index <= area.LastIndex)
        + accesses.Count(access => access.First <= index && index <= access.Last);
}
