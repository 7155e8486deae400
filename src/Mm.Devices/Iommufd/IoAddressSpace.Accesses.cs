using Mm.Core;
using Mm.Core.Dma;

namespace Mm.Devices.Iommufd;

/// <content>The accesses of software.</content>
public sealed partial class IoAddressSpace
{
    private readonly List<SpaceAccess> accesses = []; // changed with domainGate and areaGate held, read with either

    /// <summary>Opens an access of software: to read and write through I/O addresses, and to pin pages if it has an owner.</summary>
    /// <param name="owner">Told when mappings go; without one nothing can be pinned, and no alignment is asked for.</param>
    /// <param name="access">The access, or null when refused.</param>
    /// <returns>
    /// <see cref="Errno.EADDRINUSE"/>: it would pin, and a mapping is not on whole pages of 4 KiB.
    /// <see cref="Errno.ENOENT"/>: the space is destroyed.
    /// <see cref="Errno.ENOMEM"/>: a failure was planned at <see cref="FaultPoint.Slab"/>.
    /// </returns>
    /// <remarks><b>Linux:</b> iommufd_access_create and iommufd_access_attach (v6.12).</remarks>
    public Errno TryOpenAccess(ISpaceAccessOwner? owner, out SpaceAccess? access)
    {
        access = null;
        if (Faults.ShouldFail(FaultPoint.Slab))
        {
            return Errno.ENOMEM;
        }

        var candidate = new SpaceAccess(this, owner);
        Errno errno = TryEnter(candidate);
        access = errno.IsOk ? candidate : null;
        return errno;
    }

    internal Errno TryEnter(SpaceAccess access)
    {
        using (domainGate.Enter())
        using (areaGate.Enter())
        {
            if (isDestroyed)
            {
                return Errno.ENOENT;
            }

            if (Faults.ShouldFail(FaultPoint.Slab))
            {
                return Errno.ENOMEM;
            }

            accesses.Add(access);
            Errno errno = TryRealign();
            if (!errno.IsOk)
            {
                _ = accesses.Remove(access);
            }

            return errno;
        }
    }

    internal void Leave(SpaceAccess access)
    {
        using (domainGate.Enter())
        using (areaGate.Enter())
        {
            _ = accesses.Remove(access);
            TryRealign().ThrowIfError();
        }
    }

    /// <summary>Pins the pages under a range for an access.</summary>
    internal Errno TryPin(IoRange range, bool isWrite, Span<Pfn> frames)
    {
        using (areaGate.Enter())
        {
            var walk = new AreaWalk(areas, range);
            Errno errno = Errno.Ok;
            while (errno.IsOk && walk.MoveNext())
            {
                errno = TryPinHere(ref walk, isWrite, ref frames);
            }

            errno = errno.IsOk && !walk.IsComplete ? Errno.ENOENT : errno;
            if (!errno.IsOk && walk.At > range.First)
            {
                UnpinLocked(new IoRange(range.First, new DmaAddr(walk.At.Value - 1)));
            }

            return errno;
        }
    }

    internal void Unpin(IoRange range)
    {
        using (areaGate.Enter())
        {
            UnpinLocked(range);
        }
    }

    internal Errno TryRead(IoRange range, Span<byte> bytes, AccessPath path)
    {
        using (areaGate.Enter())
        {
            var walk = new AreaWalk(areas, range);
            while (walk.MoveNext())
            {
                var part = (int)(walk.Last.Value - walk.At.Value + 1);
                Errno errno = CheckAccess(walk.Area, IoAccess.Read);
                errno = errno.IsOk ? walk.Area.Pages!.TryRead(walk.Area.StartByte(walk.At), bytes[..part], path) : errno;
                if (!errno.IsOk)
                {
                    return errno;
                }

                bytes = bytes[part..];
            }

            return walk.IsComplete ? Errno.Ok : Errno.ENOENT;
        }
    }

    internal Errno TryWrite(IoRange range, ReadOnlySpan<byte> bytes, AccessPath path)
    {
        using (areaGate.Enter())
        {
            var walk = new AreaWalk(areas, range);
            while (walk.MoveNext())
            {
                var part = (int)(walk.Last.Value - walk.At.Value + 1);
                Errno errno = CheckAccess(walk.Area, IoAccess.Write);
                errno = errno.IsOk ? walk.Area.Pages!.TryWrite(walk.Area.StartByte(walk.At), bytes[..part], path) : errno;
                if (!errno.IsOk)
                {
                    return errno;
                }

                bytes = bytes[part..];
            }

            return walk.IsComplete ? Errno.Ok : Errno.ENOENT;
        }
    }

    private static Errno CheckAccess(IoArea area, IoAccess wanted)
    {
        if (area.RefusesAccess)
        {
            return Errno.EINVAL;
        }

        return area.Access.HasFlag(wanted) ? Errno.Ok : Errno.EPERM;
    }

    private static Errno TryPinHere(ref AreaWalk walk, bool isWrite, ref Span<Pfn> frames)
    {
        IoArea area = walk.Area;
        if (area.RefusesAccess || !IsOnPages(ref walk))
        {
            return Errno.EINVAL;
        }

        Errno errno = CheckAccess(area, isWrite ? IoAccess.Write : IoAccess.Read);
        if (!errno.IsOk)
        {
            return errno;
        }

        ulong first = area.IndexOf(walk.At);
        ulong last = area.IndexOf(walk.Last);
        var count = (int)(last - first + 1);
        errno = area.Pages!.TryAddAccess(first, last, isWrite, frames);
        if (errno.IsOk)
        {
            area.AccessCount++;
            frames = frames[count..];
        }

        return errno;
    }

    // Frames in a row are only then pages in a row when each part begins, and all but the last end, on a page.
    private static bool IsOnPages(ref AreaWalk walk)
    {
        bool beginsOnPage = walk.Area.StartByte(walk.At).Value % SmallPage == 0;
        bool endsOnPage = walk.Area.StartByte(walk.Area.Range.Last).Value % SmallPage == SmallPage - 1;
        return beginsOnPage && (walk.IsComplete || endsOnPage);
    }

    private void UnpinLocked(IoRange range)
    {
        var walk = new AreaWalk(areas, range);
        while (walk.MoveNext())
        {
            walk.Area.Pages!.RemoveAccess(walk.Area.IndexOf(walk.At), walk.Area.IndexOf(walk.Last));
            walk.Area.AccessCount--;
        }

        Core.Checks.Check.That(walk.IsComplete, $"io space: {range} was pinned and is not mapped");
    }

    private void Tell(IoRange range)
    {
        foreach (SpaceAccess access in CopyAccesses())
        {
            access.Tell(range);
        }
    }

    private SpaceAccess[] CopyAccesses()
    {
        using (areaGate.Enter())
        {
            return [.. accesses];
        }
    }
}
