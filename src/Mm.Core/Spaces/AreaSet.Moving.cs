using Mm.Core.Checks;

namespace Mm.Core.Spaces;

/// <content>Moving and resizing.</content>
internal sealed partial class AreaSet
{
    // A move splits at most three areas: the old place in the middle, both ends of the new one.
    private const int MoveReserve = 3;

    /// <summary>Moves or resizes part of an area. What was at a fixed new place goes; when it shrinks, its tail goes; when
    /// it moves, the old place becomes a hole, and page-table entries of the smaller of both lengths are to be moved.</summary>
    /// <param name="move">What.</param>
    /// <param name="moved">Where it lies now.</param>
    /// <returns>Ok; EINVAL: an address that is not a page's, no new length, a fixed place without leave to move, or that
    /// overlaps or lies beyond the addresses of a process, an offset that passes its end, or no old length of what is not
    /// shared; EFAULT: nothing is mapped there, the old length reaches beyond the area, or the area is of bare frames and
    /// would change its length; ENOMEM: it cannot grow where it is and may not move, or is special and would grow where it is,
    /// there is no room, or there are too many areas.</returns>
    internal Errno TryMove(in AreaMove move, out VirtRange moved)
    {
        moved = default;
        bool isAligned = (move.At.Value & PageMask) == 0 && TryRoundUp(move.OldLength, out _);
        if ((move.To is not null && !move.MayMove) || !isAligned || !TryRoundUp(move.NewLength, out ByteCount newLength)
            || newLength.IsZero)
        {
            return Errno.EINVAL;
        }

        _ = TryRoundUp(move.OldLength, out ByteCount oldLength);
        if (Find(move.At) is not { } area)
        {
            return Errno.EFAULT;
        }

        if (move.To is { } to)
        {
            return TryMoveTo(area, move.At, oldLength, newLength, to, out moved);
        }

        if (oldLength >= newLength)
        {
            VirtAddr tail = move.At.AddChecked(newLength);
            Errno unmapped = oldLength == newLength ? Errno.Ok : TryUnmap(tail, oldLength.SubtractChecked(newLength));
            moved = unmapped.IsOk ? new VirtRange(move.At, newLength) : default;
            return unmapped;
        }

        Errno errno = CheckResize(area, move.At, oldLength, newLength);
        return errno.IsOk ? TryGrow(area, move, oldLength, newLength, out moved) : errno;
    }

    private static Errno CheckResize(Area area, VirtAddr at, ByteCount oldLength, ByteCount newLength)
    {
        if (oldLength.IsZero && !area.Traits.IsShared)
        {
            return Errno.EINVAL;
        }

        if (oldLength > area.End.OffsetFrom(at))
        {
            return Errno.EFAULT;
        }

        if (oldLength == newLength)
        {
            return Errno.Ok;
        }

        bool hasOffsets = newLength.Value >> 12 <= (1UL << 52) - area.OffsetOf(at).Value;
        return !hasOffsets ? Errno.EINVAL : area.Traits.IsBare ? Errno.EFAULT : Errno.Ok;
    }

    private Errno TryGrow(Area area, in AreaMove move, ByteCount oldLength, ByteCount newLength, out VirtRange moved)
    {
        moved = default;
        ByteCount added = newLength.SubtractChecked(oldLength);
        bool isAtEnd = area.End == move.At.AddChecked(oldLength);
        if (isAtEnd && TryRound(area.End, added, out VirtRange behind) && Overlapping(behind).IsEmpty)
        {
            // Linux: vma_merge_extend grows by merging, and a special area merges with nothing.
            Area grown = area with { Range = behind, Offset = area.OffsetOf(area.End) };
            if (area.Traits.IsSpecial || !TryReplace(behind, grown))
            {
                return Errno.ENOMEM;
            }

            moved = new VirtRange(move.At, newLength);
            return Errno.Ok;
        }

        if (!move.MayMove || areas.Count > Limit - MoveReserve || !TryFindGap(newLength, out VirtRange gap))
        {
            return Errno.ENOMEM;
        }

        Relocate(area, move.At, oldLength, gap);
        moved = gap;
        return Errno.Ok;
    }

    private Errno TryMoveTo(
        Area area, VirtAddr at, ByteCount oldLength, ByteCount newLength, VirtAddr to, out VirtRange moved)
    {
        moved = default;
        if (!TryRound(to, newLength, out VirtRange target) || !TryRound(at, oldLength, out VirtRange source)
            || source.Overlaps(target))
        {
            return Errno.EINVAL;
        }

        ByteCount kept = oldLength < newLength ? oldLength : newLength;
        Errno errno = CheckResize(area, at, kept, newLength);
        if (!errno.IsOk || areas.Count > Limit - MoveReserve)
        {
            return errno.IsOk ? Errno.ENOMEM : errno;
        }

        Relocate(area, at, oldLength, target);
        moved = target;
        return Errno.Ok;
    }

    // An old length of zero leaves the old place alone: the shared pages are then mapped twice.
    private void Relocate(Area area, VirtAddr at, ByteCount oldLength, VirtRange target)
    {
        bool hasNoPages = area is { Traits.Kind: AreaKind.AnonymousPrivate, AnonRoot: 0 }; // Linux: copy_vma, which counts them anew
        PageCount offset = hasNoPages ? new PageCount(target.Start.Value >> 12) : area.OffsetOf(at);
        Area copy = area with { Range = target, Offset = offset };
        bool done = (oldLength.IsZero || TryReplace(new VirtRange(at, oldLength), null)) && TryReplace(target, copy);
        Check.That(done, "a move keeps within its reserve");
    }
}
