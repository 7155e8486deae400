using Mm.Core;
using Mm.Core.Checks;

namespace Mm.Devices.Iommufd;

/// <content>Recounting.</content>
public sealed partial class IoAddressSpace
{
    /// <summary>The areas; of a space at rest.</summary>
    internal IReadOnlyList<IoArea> CollectAreas()
    {
        using (areaGate.Enter())
        {
            return [.. Enumerable.Range(0, areas.Count).Select(place => areas[place])];
        }
    }

    /// <summary>Recounts what the space owns. Wants it at rest.</summary>
    internal void Validate()
    {
        using (domainGate.Enter())
        using (areaGate.Enter())
        {
            for (int i = 0; i < areas.Count; i++)
            {
                ValidateArea(areas[i], i == 0 ? null : areas[i - 1]);
            }

            bool isApart = !allowed.Exists(range => reserved.Exists(other => other.Range.Overlaps(range)));
            Check.That(isApart, "io space invariant 3: an allowed range is reserved");
            foreach (IoDomain domain in domains)
            {
                ulong expected = 0;
                for (int i = 0; i < areas.Count; i++)
                {
                    expected += areas[i].Range.Length.Value / domain.Options.PageBytes.Value;
                }

                Check.That(
                    (ulong)domain.MappedCount == expected,
                    $"io space invariant 4: {domain.MappedCount} I/O pages mapped of {expected}");
            }
        }
    }

    private void ValidateArea(IoArea area, IoArea? before)
    {
        Check.That(area.Pages is not null, $"io space at rest: {area} is half made");
        bool isFree = before is null || before.Range.Last < area.Range.First;
        bool isUsable = !reserved.Exists(other => other.Range.Overlaps(area.Range));
        Check.That(isFree && isUsable, $"io space invariant 1: {area}");
        Check.That(area.IsAligned(alignment), $"io space invariant 2: {area} is not on {alignment}");
        Check.That(area.IsFilled == domains.Count > 0, $"io space invariant 4: {area} with {domains.Count} domains");
        using (area.Pages.Gate.Enter())
        {
            foreach (IoDomain domain in domains)
            {
                ValidateTranslation(area, area.Pages, domain);
            }
        }
    }

    private static void ValidateTranslation(IoArea area, IoPages pages, IoDomain domain)
    {
        for (ulong index = area.FirstIndex; index <= area.LastIndex; index++)
        {
            ulong offset = index == area.FirstIndex ? area.PageOffset : 0;
            bool isMapped = domain.TryTranslate(area.AddressOf(index), out PhysAddr target);
            PhysAddr expected = pages.FrameOf(index).Address.AddChecked(new ByteCount(offset));
            Check.That(
                isMapped && target == expected,
                $"io space invariant 4: {area.AddressOf(index)} leads to {target}, must to {expected}");
        }
    }
}
