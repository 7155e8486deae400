using Mm.Core;

namespace Mm.Devices.Iommufd;

/// <summary>Goes through what is neither mapped nor reserved in a range, from the lowest address up.</summary>
/// <remarks>
/// <para><b>Linux:</b> struct interval_tree_double_span_iter (drivers/iommu/iommufd/double_span.h, v6.12), its holes.</para>
/// <para><b>Locking:</b> the caller holds rank IoSpaceAreas all the way.</para>
/// </remarks>
/// <param name="areas">The areas; null to ask for reserved ranges alone.</param>
/// <param name="reserved">The reserved ranges, in order of their first addresses.</param>
/// <param name="range">The range.</param>
internal struct IoHoles(IoAreaList? areas, List<IoReservation> reserved, IoRange range)
{
    private ulong at = range.First.Value;
    private bool isOver;

    /// <summary>The hole, as large as can be; after <see cref="MoveNext"/> said yes.</summary>
    public IoRange Current { get; private set; }

    /// <summary>Goes on to the next hole.</summary>
    /// <returns>Whether there is one.</returns>
    public bool MoveNext()
    {
        while (!isOver)
        {
            var rest = new IoRange(new DmaAddr(at), range.Last);
            IoRange? used = FindUsed(rest);
            if (used is not { } next)
            {
                isOver = true;
                Current = rest;
                return true;
            }

            ulong first = at;
            isOver = next.Last >= range.Last;
            at = isOver ? at : next.Last.Value + 1;
            if (next.First.Value > first)
            {
                Current = new IoRange(new DmaAddr(first), new DmaAddr(next.First.Value - 1));
                return true;
            }
        }

        return false;
    }

    // What is used first in the range; of two that begin before it, the one that reaches further.
    private readonly IoRange? FindUsed(IoRange rest)
    {
        IoRange? used = areas?.Find(rest)?.Range;
        foreach (IoReservation other in reserved)
        {
            if (other.Range.First > rest.Last || (used is { } known && known.First >= rest.First && other.Range.First > known.First))
            {
                break;
            }

            if (other.Range.Overlaps(rest) && (used is not { } best || IsBefore(other.Range, best, rest.First)))
            {
                used = other.Range;
            }
        }

        return used;
    }

    private static bool IsBefore(IoRange one, IoRange other, DmaAddr from)
    {
        bool isInOne = one.First <= from;
        bool isInOther = other.First <= from;
        return isInOne && isInOther ? one.Last > other.Last : one.First < other.First;
    }
}
