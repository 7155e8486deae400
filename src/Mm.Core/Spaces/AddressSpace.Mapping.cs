using Mm.Core.Locking;
using Mm.Core.Notifiers;

namespace Mm.Core.Spaces;

/// <content>Map, unmap, protect, move, advise.</content>
public sealed partial class AddressSpace
{
    private const ulong PageMask = 4095;

    /// <summary>Maps. What lies at a fixed place goes.</summary>
    /// <param name="request">What; shared anonymous memory needs no backing, a file of its own is made.</param>
    /// <param name="placed">Where it came to lie.</param>
    /// <returns>Ok; EINVAL: no length, or a fixed address that is not a page's; ENOMEM: no room, a fixed place beyond the
    /// addresses of a process, or too many areas; EOVERFLOW: the offset passes 2^52 pages; EEXIST: something lies at a
    /// place that is not to be replaced; EACCES: access that the traits forbid; EPERM: shared and writable, and the file is
    /// sealed against writing; and what the owner of a backing refuses with: then what lay at a fixed place is gone.</returns>
    /// <exception cref="ArgumentException">The kind is not that of the backing.</exception>
    /// <exception cref="ObjectDisposedException">The space has ended.</exception>
    /// <remarks><b>Linux:</b> mmap.</remarks>
    public Errno TryMap(in AreaRequest request, out VirtRange placed)
    {
        placed = default;
        ThrowIfEnded();
        ThrowUnlessOfKind(request.Traits);
        AreaRequest wanted = request;
        using MemoryFile? own = request.Traits is { Kind: AreaKind.AnonymousShared, Backing: null } ? MakeSharedFile(request) : null;
        if (own is not null)
        {
            wanted = wanted with { Traits = wanted.Traits with { Backing = own }, Offset = PageCount.Zero };
        }

        using SpaceLock.Held held = Lock.EnterWrite();
        Errno errno = files.TryHold(wanted.Traits, out AreaTraits given);
        if (!errno.IsOk)
        {
            return errno;
        }

        VirtRange place = default;
        wanted = wanted with { Traits = given };
        VirtRange replaced = default;
        _ = wanted.Placement == AreaPlacement.Fixed && TryPages(wanted.At, wanted.Length, out replaced);
        bool replaces = HasAreas(replaced);
        errno = ChangeAreas(replaced, () => AreaSet.TryMap(wanted, out place));
        if (errno.IsOk && replaces)
        {
            Drop(place);
            EndLingering();
        }

        errno = errno.IsOk ? TryFill(given, place) : errno;
        Reconcile();
        placed = errno.IsOk ? place : default;
        return errno;
    }

    /// <summary>Unmaps; holes are no harm.</summary>
    /// <param name="start">The first address.</param>
    /// <param name="length">How many bytes; rounded up to pages.</param>
    /// <returns>Ok; EINVAL: not a page's address, no length, or beyond the addresses of a process; ENOMEM: it would split
    /// an area, and there are too many.</returns>
    /// <exception cref="ObjectDisposedException">The space has ended.</exception>
    /// <remarks><b>Linux:</b> munmap.</remarks>
    public Errno TryUnmap(VirtAddr start, ByteCount length)
    {
        ThrowIfEnded();
        using SpaceLock.Held held = Lock.EnterWrite();
        if (!TryPages(start, length, out VirtRange range) || range.IsEmpty)
        {
            return Errno.EINVAL;
        }

        if (!HasAreas(range))
        {
            return Errno.Ok; // and nobody is told
        }

        SplitAtBoundaries(range);
        Errno errno = ChangeAreas(range, () => AreaSet.TryUnmap(start, length));
        if (errno.IsOk)
        {
            Parts.Points?.Reach("areas-gone");
            ZapWithNotice(range, NotifierEvent.Unmap);
            EndLingering();
            Tables.CollectEmpty(range);
            Reconcile();
        }

        return errno;
    }

    /// <summary>Changes what the process may do in a range. Stops at the first hole; what lies before it stays changed.</summary>
    /// <param name="start">The first address.</param>
    /// <param name="length">How many bytes; rounded up to pages.</param>
    /// <param name="access">What it may do from now on.</param>
    /// <returns>Ok; EINVAL: not a page's address; ENOMEM: the range wraps, has a hole, or splits one area too many;
    /// EACCES: an area forbids it.</returns>
    /// <exception cref="ObjectDisposedException">The space has ended.</exception>
    /// <remarks><b>Linux:</b> mprotect.</remarks>
    public Errno TryProtect(VirtAddr start, ByteCount length, AreaAccess access)
    {
        ThrowIfEnded();
        using SpaceLock.Held held = Lock.EnterWrite();
        List<VirtRange> changing = CollectUnlike(start, length, access);
        foreach (VirtRange part in changing)
        {
            SplitAtBoundaries(part);
        }

        VirtRange done = default;
        Errno errno = ChangeAreas(() => AreaSet.TryProtect(start, length, access, out done));
        foreach (VirtRange part in changing)
        {
            if (done.Contains(part))
            {
                ProtectEntries(FindArea(part.Start)!, part);
            }
        }

        return errno;
    }

    /// <summary>Moves or resizes part of an area.</summary>
    /// <param name="move">What.</param>
    /// <param name="moved">Where it lies now.</param>
    /// <returns>Ok; EINVAL: an address that is not a page's, no new length, a fixed place without leave to move, or that
    /// overlaps or lies beyond the addresses of a process, an offset that passes its end, or no old length of what is not
    /// shared; EFAULT: nothing is mapped there, the old length reaches beyond the area, or the area is of bare frames and
    /// would change its length; ENOMEM: it cannot grow where it is and may not move, or is special and would grow where it is, there is no room, too many areas, or no memory for tables.</returns>
    /// <exception cref="ObjectDisposedException">The space has ended.</exception>
    /// <remarks><b>Linux:</b> mremap.</remarks>
    public Errno TryMove(in AreaMove move, out VirtRange moved)
    {
        ThrowIfEnded();
        AreaMove wanted = move;
        using SpaceLock.Held held = Lock.EnterWrite();
        if (TryPages(move.At, move.OldLength, out VirtRange old))
        {
            SplitAtBoundaries(old);
        }

        VirtRange replaced = default;
        _ = move.To is { } to && TryPages(to, move.NewLength, out replaced);
        bool replaces = HasAreas(replaced);
        VirtRange target = default;
        Errno errno = ChangeAreas(old, replaced, () => AreaSet.TryMove(wanted, out target));
        if (errno.IsOk)
        {
            Parts.Points?.Reach("areas-moved");
            errno = FollowMove(wanted, target, replaces);
            EndLingering();
            Reconcile();
        }

        moved = errno.IsOk ? target : default;
        return errno;
    }

    /// <summary>Drops the pages of a range; private memory reads as zeros or as its file afterwards.</summary>
    /// <param name="start">The first address.</param>
    /// <param name="length">How many bytes; rounded up to pages.</param>
    /// <returns>Ok; EINVAL: not a page's address, it wraps, or an area is special; ENOMEM: the range has a hole, and what
    /// is mapped was dropped.</returns>
    /// <exception cref="ObjectDisposedException">The space has ended.</exception>
    /// <remarks><b>Linux:</b> madvise with MADV_DONTNEED.</remarks>
    public Errno TryDropPages(VirtAddr start, ByteCount length)
    {
        ThrowIfEnded();
        if (!TryPages(start, length, out VirtRange range))
        {
            return Errno.EINVAL;
        }

        using SpaceLock.Held held = Lock.EnterRead();
        Errno errno = Errno.Ok;
        bool isWhole = ForEachPart(range, (area, part) =>
        {
            if (area.Traits.IsBare)
            {
                errno = Errno.EINVAL;
                return;
            }

            ZapWithNotice(part, NotifierEvent.Clear);
        });
        return !errno.IsOk ? errno : isWhole ? Errno.Ok : Errno.ENOMEM;
    }

    /// <summary>Asks for pages of 2 MiB in a range, or takes the wish back.</summary>
    /// <param name="start">The first address.</param>
    /// <param name="length">How many bytes; rounded up to pages.</param>
    /// <param name="wanted">Whether they are wanted.</param>
    /// <returns>Ok; EINVAL: not a page's address, or it wraps; ENOMEM: the range has a hole, or there are too many areas.</returns>
    /// <exception cref="ObjectDisposedException">The space has ended.</exception>
    /// <remarks><b>Linux:</b> madvise with MADV_HUGEPAGE, MADV_NOHUGEPAGE.</remarks>
    public Errno TryWantHugePages(VirtAddr start, ByteCount length, bool wanted)
    {
        ThrowIfEnded();
        if (!TryPages(start, length, out VirtRange range))
        {
            return Errno.EINVAL;
        }

        using SpaceLock.Held held = Lock.EnterWrite();
        SplitAtBoundaries(range);
        return ChangeAreas(() => AreaSet.TryMark(range, traits => traits with { WantsHugePages = wanted }));
    }

    /// <summary>Goes over the parts of a range that lie in areas.</summary>
    /// <param name="range">The range.</param>
    /// <param name="visit">Called with each area and the part of the range in it, lowest first.</param>
    /// <returns>Whether the areas cover all of the range.</returns>
    internal bool ForEachPart(VirtRange range, Action<Area, VirtRange> visit)
    {
        ulong next = range.Start.Value;
        bool isWhole = true;
        foreach (Area area in AreaSet.Overlapping(range))
        {
            ulong start = Math.Max(area.Start.Value, range.Start.Value);
            ulong end = Math.Min(area.End.Value, range.Start.Value + range.Length.Value);
            isWhole &= start == next;
            visit(area, new VirtRange(new VirtAddr(start), new ByteCount(end - start)));
            next = end;
        }

        return isWhole && next == range.Start.Value + range.Length.Value;
    }

    private static ByteCount RoundUp(ByteCount length) => new((length.Value + PageMask) & ~PageMask);

    private static bool TryPages(VirtAddr start, ByteCount length, out VirtRange range)
    {
        range = default;
        return (start.Value & PageMask) == 0 && length.Value <= ulong.MaxValue - PageMask
            && VirtRange.TryCreate(start, RoundUp(length), out range) && AreaSet.Addresses.Contains(range);
    }

    private MemoryFile MakeSharedFile(in AreaRequest request)
    {
        MemoryFile file = Owner.CreateFile();
        ulong bytes = Math.Min(request.Length.Value, AreaSet.Addresses.Length.Value);
        file.TryResize(RoundUp(new ByteCount(bytes))).ThrowIfError();
        return file;
    }

    // What is as it is to be is left alone, and nobody is told: mirrors keep what they have.
    private List<VirtRange> CollectUnlike(VirtAddr start, ByteCount length, AreaAccess access)
    {
        var parts = new List<VirtRange>();
        if (TryPages(start, length, out VirtRange range))
        {
            ForEachPart(range, (area, part) =>
            {
                if (area.Traits.Access != access)
                {
                    parts.Add(part);
                }
            });
        }

        return parts;
    }

    private void ProtectEntries(Area area, VirtRange part)
    {
        var notice = new NotifierRange(part, NotifierEvent.ProtectionArea) { CanBlock = true };
        Notifiers.TryInvalidate(notice, out NotifierInvalidation invalidation).ThrowIfError();
        using (invalidation)
        {
            SplitEnds(part);
            var rule = new ProtectRule(this, area);
            Tables.Rewrite(part, ref rule);
            FlushTlb();
        }
    }

    // The areas have moved; entries follow. Whatever stood at the new place goes first, a tail that is cut off too.
    private Errno FollowMove(in AreaMove move, VirtRange target, bool replaces)
    {
        ByteCount oldLength = RoundUp(move.OldLength);
        ByteCount kept = oldLength < target.Length ? oldLength : target.Length;
        VirtAddr tail = move.At.AddChecked(kept);
        if (kept < oldLength)
        {
            Drop(new VirtRange(tail, oldLength.SubtractChecked(kept)));
        }

        if (target.Start == move.At || kept.IsZero)
        {
            return Errno.Ok;
        }

        if (replaces)
        {
            Drop(target);
        }

        Errno errno = MoveEntries(new VirtRange(move.At, kept), target.Start);
        if (!errno.IsOk)
        {
            // No memory for a table, and no entry has moved: the area goes back to its entries, and what it grew by goes.
            var back = new AreaMove(target.Start, kept, kept) { MayMove = true, To = move.At };
            ChangeAreas(() => AreaSet.TryMove(back, out _)).ThrowIfError();
            if (kept < target.Length)
            {
                VirtAddr grown = target.Start.AddChecked(kept);
                ChangeAreas(() => AreaSet.TryUnmap(grown, target.Length.SubtractChecked(kept))).ThrowIfError();
            }
        }

        return errno;
    }

    private bool HasAreas(VirtRange range) => !AreaSet.Overlapping(range).IsEmpty;

    private void Drop(VirtRange range)
    {
        ZapWithNotice(range, NotifierEvent.Unmap);
        Tables.CollectEmpty(range);
    }

    private Errno MoveEntries(VirtRange from, VirtAddr to)
    {
        var notice = new NotifierRange(from, NotifierEvent.Unmap) { CanBlock = true };
        Notifiers.TryInvalidate(notice, out NotifierInvalidation invalidation).ThrowIfError();
        using (invalidation)
        {
            // A leaf moves whole where both addresses are as far into 2 MiB; elsewhere it is broken up first.
            SplitEnds(from, all: from.Start.OffsetIn(PageSize.Large) != to.OffsetIn(PageSize.Large));
            Errno errno;
            using (Family.Gate.Enter())
            {
                errno = Tables.TryMove(from, to);
            }

            FlushTlb();
            return errno;
        }
    }
}
