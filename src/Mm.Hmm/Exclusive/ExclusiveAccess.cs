using Mm.Core;
using Mm.Core.Frames;
using Mm.Core.Spaces;

namespace Mm.Hmm.Exclusive;

/// <summary>Gives pages of system memory to a device alone, for atomic operations: the CPU's next touch takes them back.</summary>
/// <remarks>
/// Owns nothing: pages come back locked and held, exclusive until the caller lets go of both.
/// <para><b>Linux:</b> make_device_exclusive_range (mm/rmap.c, v6.12); make_device_exclusive, a page at a time (v6.15), where the
/// machine's profile says so.</para>
/// <para><b>Locking:</b> takes the space's lock for reading; the lock that an invalidation takes may not be held.</para>
/// </remarks>
public static class ExclusiveAccess
{
    /// <summary>Makes pages exclusive, faulting them in to be written first.</summary>
    /// <param name="space">The space.</param>
    /// <param name="start">The first page's address.</param>
    /// <param name="pages">One lease a page, empty where it could not be had: its lock is taken, it is part of a larger page
    /// or of a file, or it is not mapped here any more. Those before <paramref name="count"/> are the caller's to dispose.</param>
    /// <param name="count">How many pages were looked up.</param>
    /// <param name="owner">Who asks: mirrors that know it ignore the notice; null for everybody.</param>
    /// <returns>Ok if a page was looked up; otherwise as <see cref="AddressSpace.TryPin"/> says.</returns>
    public static Errno TryMake(AddressSpace space, VirtAddr start, Span<ExclusivePage> pages, out int count, object? owner = null)
    {
        ArgumentNullException.ThrowIfNull(space);
        using Core.Locking.SpaceLock.Held held = space.Lock.EnterRead();
        return TryMakeLocked(space, start, pages, out count, owner);
    }

    /// <summary>The same for who holds the lock.</summary>
    /// <param name="space">The space.</param>
    /// <param name="start">The first page's address.</param>
    /// <param name="pages">One lease a page.</param>
    /// <param name="count">How many pages were looked up.</param>
    /// <param name="owner">Who asks.</param>
    /// <returns>As above.</returns>
    internal static Errno TryMakeLocked(AddressSpace space, VirtAddr start, Span<ExclusivePage> pages, out int count, object? owner)
    {
        PageRef[] found = System.Buffers.ArrayPool<PageRef>.Shared.Rent(pages.Length);
        Errno errno = space.TryGetPages(start, PinFlags.Write | PinFlags.SplitLarge, found.AsSpan(0, pages.Length), out count);
        for (int index = 0; index < count; index++)
        {
            var at = new VirtAddr(start.Value + ((ulong)index << PageSize.Small.Shift));
            pages[index] = MakeOne(space, at, found[index], owner);
        }

        System.Buffers.ArrayPool<PageRef>.Shared.Return(found, clearArray: true);
        return errno;
    }

    /// <summary>Makes one page exclusive, as later kernels do: its lock is waited for, its entry alone is taken, and it may be
    /// part of a larger page.</summary>
    /// <param name="space">The space.</param>
    /// <param name="at">The page's address.</param>
    /// <param name="page">The lease; empty when refused. The caller's to dispose.</param>
    /// <param name="owner">Who asks: mirrors that know it ignore the notice; null for everybody.</param>
    /// <returns>Ok; EOPNOTSUPP: a file's page; otherwise as <see cref="AddressSpace.TryPin"/> says.</returns>
    /// <remarks><b>Linux:</b> make_device_exclusive (mm/rmap.c, v6.15).</remarks>
    public static Errno TryMakeOne(AddressSpace space, VirtAddr at, out ExclusivePage page, object? owner = null)
    {
        ArgumentNullException.ThrowIfNull(space);
        using Core.Locking.SpaceLock.Held held = space.Lock.EnterRead();
        return TryMakeOneLocked(space, at.AlignDown(PageSize.Small), out page, owner);
    }

    /// <summary>The same for who holds the lock.</summary>
    /// <param name="space">The space.</param>
    /// <param name="at">The page's address.</param>
    /// <param name="page">The lease.</param>
    /// <param name="owner">Who asks.</param>
    /// <returns>As above.</returns>
    internal static Errno TryMakeOneLocked(AddressSpace space, VirtAddr at, out ExclusivePage page, object? owner)
    {
        page = default;
        var found = new PageRef[1];
        while (true)
        {
            Errno errno = space.TryGetPages(at, PinFlags.Write | PinFlags.SplitLarge, found, out _);
            if (!errno.IsOk)
            {
                return errno;
            }

            PageRef one = found[0];
            if (one.IsEmpty || !space.Owner.IsAnonymous(one.Page))
            {
                one.Dispose();
                return Errno.EOPNOTSUPP;
            }

            space.PageLocks.Lock(one.Page);
            if (space.Owner.ReverseMap.TryMakeExclusiveHere(one.Page, space, at, owner))
            {
                page = new ExclusivePage(space, one);
                return Errno.Ok;
            }

            space.PageLocks.Unlock(one.Page);
            one.Dispose(); // the entry changed before the lock was had: look again
        }
    }

    private static ExclusivePage MakeOne(AddressSpace space, VirtAddr at, PageRef page, object? owner)
    {
        bool isMade = false;
        if (!page.IsEmpty && !page.Info.IsTail && space.PageLocks.TryLock(page.Page))
        {
            isMade = space.Owner.ReverseMap.TryMakeExclusive(page.Page, space, at, owner);
            if (!isMade)
            {
                space.PageLocks.Unlock(page.Page);
            }
        }

        if (isMade)
        {
            return new ExclusivePage(space, page);
        }

        page.Dispose();
        return default;
    }
}
