using Mm.Core.Checks;
using Mm.Core.Frames;
using Mm.Core.Locking;
using Mm.Core.Pagemaps;

namespace Mm.Core.Spaces;

/// <summary>Turns addresses of one space into pages that somebody holds: by reference, or pinned.</summary>
/// <remarks>
/// Owns nothing; what it hands out is the caller's. The page of zeros is handed out, and neither held nor pinned.
/// <para><b>Linux:</b> mm/gup.c (v6.12). Deliberate differences: a pin set that is refused half-way through is undone only
/// where Linux undoes it; hugetlb, secret memory and fsdax are out of scope.</para>
/// <para><b>Invariants:</b> (1) a pinned anonymous page is exclusive, so that it stays its process's at fork; (2) a long-term
/// pin holds no page of a movable zone, of lent memory, or of coherent device memory; (3) what a pin sees is what the
/// process sees.</para>
/// <para><b>Locking:</b> takes the space's lock for reading, but for the fast path, which takes none and undoes what a fork
/// or a change of an entry overtook.</para>
/// </remarks>
internal sealed partial class UserPages(AddressSpace space)
{
    private enum Step
    {
        Done,
        Missing,
        Shared,
    }

    private FrameTable Frames => space.Parts.Frames;

    private AddressSpaces Owner => space.Owner;

    /// <summary>Pins pages.</summary>
    /// <param name="start">An address in the first page.</param>
    /// <param name="flags">What for.</param>
    /// <param name="pins">One a page; those before <paramref name="count"/> are the caller's.</param>
    /// <param name="count">How many were pinned.</param>
    /// <returns>Ok if at least one was pinned; otherwise why not: see <see cref="AddressSpace.TryPin"/>.</returns>
    internal Errno TryPin(VirtAddr start, PinFlags flags, Span<PagePin> pins, out int count)
    {
        count = 0;
        Errno errno = CheckArguments(start, flags, pins.Length);
        if (!errno.IsOk || pins.IsEmpty)
        {
            return errno;
        }

        space.HasPinned = true;
        VirtAddr first = start.AlignDown(PageSize.Small);
        if (Has(flags, PinFlags.Fast))
        {
            count = PinFast(first, flags, pins);
            if (count == pins.Length)
            {
                return Errno.Ok;
            }
        }

        using SpaceLock.Held held = space.Lock.EnterRead();
        errno = TryPinSlowly(PageAt(first, count), flags, pins[count..], out int more);
        count += more;
        return count != 0 ? Errno.Ok : errno;
    }

    /// <summary>Takes references of pages, for who holds the lock.</summary>
    /// <param name="start">The first page's address.</param>
    /// <param name="flags">What for; not for long.</param>
    /// <param name="pages">One reference a page, empty for the page of zeros; those before <paramref name="count"/> are the caller's.</param>
    /// <param name="count">How many were taken.</param>
    /// <returns>Ok if at least one was taken, or none asked for; otherwise why not.</returns>
    internal Errno TryGet(VirtAddr start, PinFlags flags, Span<PageRef> pages, out int count)
    {
        var into = new Taken(default, pages);
        Errno errno = TryTake(start, flags, into, out count);
        return count != 0 ? Errno.Ok : errno;
    }

    private static bool Has(PinFlags flags, PinFlags flag) => (flags & flag) != PinFlags.None;

    private static VirtAddr PageAt(VirtAddr start, int index) => new(start.Value + ((ulong)index << PageSize.Small.Shift));

    private static Errno CheckArguments(VirtAddr start, PinFlags flags, int count)
    {
        if (Has(flags, PinFlags.LongTerm) && Has(flags, PinFlags.PeerMemory))
        {
            return Errno.EINVAL;
        }

        VirtAddr first = start.AlignDown(PageSize.Small);
        return VirtRange.TryCreate(first, new PageCount((ulong)count).ToBytes(), out VirtRange range)
            ? AreaSet.Addresses.Contains(range) ? Errno.Ok : Errno.EFAULT
            : Errno.EOVERFLOW;
    }

    // Linux: __gup_longterm_locked. Unpinnable pages are let go with all others, moved, and all is pinned again.
    private Errno TryPinSlowly(VirtAddr start, PinFlags flags, Span<PagePin> pins, out int count)
    {
        while (true)
        {
            Errno errno = TryTake(start, flags, new Taken(pins, default), out count);
            if (count == 0 || !Has(flags, PinFlags.LongTerm))
            {
                return errno;
            }

            errno = MoveUnpinnable(pins[..count]);
            if (errno.IsOk)
            {
                return Errno.Ok;
            }

            count = 0;
            if (errno != Errno.EAGAIN && !Owner.LongTermPinsSpin)
            {
                return errno;
            }

            space.Parts.Points?.Reach("pin-again");
        }
    }

    // Ok: all may stay pinned. EAGAIN: some were moved, and none is pinned any more. Anything else: none is pinned.
    private Errno MoveUnpinnable(Span<PagePin> pins)
    {
        bool isFine = true;
        foreach (PagePin pin in pins)
        {
            isFine &= pin.IsEmpty || IsLongTermPinnable(pin.Page);
        }

        if (isFine)
        {
            return Errno.Ok;
        }

        Errno errno = Errno.EAGAIN;
        foreach (ref PagePin pin in pins)
        {
            bool moves = !pin.IsEmpty && errno == Errno.EAGAIN && !IsLongTermPinnable(pin.Page);
            errno = moves ? Move(pin) : errno;
            if (!moves)
            {
                pin.Dispose();
            }

            pin = default;
        }

        return errno;
    }

    // The pin becomes a reference, and the page moves if that is the only one.
    private Errno Move(PagePin pin)
    {
        bool isCoherent = Owner.IsDeviceCoherent(pin.Page);
        Check.That(Frames.TryGet(pin.Page, out PageRef held).IsOk, "a pinned page is in use");
        Pfn page = pin.Page;
        pin.Dispose();
        AllocationRequest request = isCoherent ? AllocationRequest.User : AllocationRequest.User.ForPinScope();
        Errno errno = Owner.Migration.TryMoveToRam(page, request);
        held.Dispose();
        return errno.IsOk ? Errno.EAGAIN : isCoherent ? Errno.EBUSY : Errno.ENOMEM;
    }

    private bool IsLongTermPinnable(Pfn page) =>
        page == Owner.ZeroPage || (Frames.IsLongTermPinnable(page) && !Owner.IsDeviceCoherent(page))
        || (Owner.LongTermPinsTrustUnlisted && !Owner.Migration.IsListed(page));

    // Linux: __get_user_pages.
    private Errno TryTake(VirtAddr start, PinFlags flags, Taken into, out int count)
    {
        Area? area = null;
        for (count = 0; count < into.Length; count++)
        {
            VirtAddr at = PageAt(start, count);
            if (area is null || !area.Range.Contains(at))
            {
                area = space.FindArea(at);
                Errno refused = area is null ? Errno.EFAULT : CheckArea(area, flags);
                if (!refused.IsOk)
                {
                    return refused;
                }
            }

            Errno errno = TryTakeOne(area!, at, flags, into, count);
            if (!errno.IsOk)
            {
                return errno;
            }
        }

        return Errno.Ok;
    }

    // Linux: check_vma_flags.
    private static Errno CheckArea(Area area, PinFlags flags)
    {
        if (area.Traits.IsBare)
        {
            return Errno.EFAULT;
        }

        bool isForced = Has(flags, PinFlags.Force);
        if (Has(flags, PinFlags.Write))
        {
            return area.IsWritable || (isForced && area.Traits.IsCow) ? Errno.Ok : Errno.EFAULT;
        }

        bool mayRead = (area.Traits.Forbidden & AreaAccess.Read) == AreaAccess.None;
        return area.IsReadable || (isForced && mayRead) ? Errno.Ok : Errno.EFAULT;
    }

    private Errno TryTakeOne(Area area, VirtAddr at, PinFlags flags, Taken into, int index)
    {
        while (true)
        {
            Errno errno = Follow(area, at, flags, into, index, out Step step);
            if (!errno.IsOk || step == Step.Done)
            {
                return errno;
            }

            errno = FaultIn(area, at, flags, step);
            if (!errno.IsOk)
            {
                return errno;
            }
        }
    }

    // Linux: faultin_page.
    private Errno FaultIn(Area area, VirtAddr at, PinFlags flags, Step step)
    {
        if (Has(flags, PinFlags.NoFault))
        {
            return Errno.EFAULT;
        }

        FaultFlags fault = Has(flags, PinFlags.Write) ? FaultFlags.Write : FaultFlags.None;
        fault |= step == Step.Shared && area.Traits.IsCow ? FaultFlags.Unshare : FaultFlags.None;
        return space.HandleFault(area, at, fault) switch
        {
            FaultResult.Done => Errno.Ok,
            FaultResult.OutOfMemory => Errno.ENOMEM,
            FaultResult.HwPoison => Errno.EHWPOISON,
            _ => Errno.EFAULT,
        };
    }

    // Linux: follow_page_mask.
    private Errno Follow(Area area, VirtAddr at, PinFlags flags, Taken into, int index, out Step step)
    {
        step = Step.Missing;
        Pte leaf = space.Tables.ReadLeaf(at, out PageSize size);
        if (size == PageSize.Large && leaf.IsPresent && Has(flags, PinFlags.SplitLarge))
        {
            space.SplitLeaf(at);
        }

        Pte entry = size == PageSize.Large ? space.Tables.Read(at) : leaf;
        if (!entry.IsPresent || (entry.IsProtNone && area.Traits.Access != AreaAccess.None)
            || (Has(flags, PinFlags.Write) && !MayFollowWrite(area, entry, flags)))
        {
            return Errno.Ok;
        }

        if (entry.IsSpecial)
        {
            return Errno.EEXIST; // of a mixed area: an entry, and no page behind it. Linux: follow_pfn_pte
        }

        if (!entry.IsWritable && MustUnshare(area, entry, flags, into.IsPinning))
        {
            step = Step.Shared;
            return Errno.Ok;
        }

        Errno errno = entry.IsZeroPage ? into.PutZero(index, Owner.ZeroPage) : TryGrab(entry.Frame, flags, into, index);
        Pte now = space.Tables.Read(at);
        bool isSame = now.IsPresent && now.Frame == entry.Frame;
        if (errno.IsOk && !isSame)
        {
            into.Drop(index);
            return Errno.Ok; // the entry changed meanwhile: look again
        }

        step = errno == Errno.ENOENT || errno == Errno.EAGAIN ? Step.Missing : Step.Done;
        return step == Step.Missing ? Errno.Ok : errno;
    }

    // Linux: can_follow_write_pte.
    private bool MayFollowWrite(Area area, Pte entry, PinFlags flags) => entry.IsWritable
        || (Has(flags, PinFlags.Force) && !area.Traits.IsShared && !area.IsWritable
            && (area.Traits.Forbidden & AreaAccess.Write) == AreaAccess.None && entry.IsAnonExclusive);

    // Linux: gup_must_unshare.
    private bool MustUnshare(Area? area, Pte entry, PinFlags flags, bool isPinning)
    {
        if (Has(flags, PinFlags.Write) || !isPinning)
        {
            return false;
        }

        if (entry.IsZeroPage || !Owner.IsAnonymous(entry.Frame))
        {
            return Has(flags, PinFlags.LongTerm) && (area is null || area.Traits.IsCow);
        }

        return !entry.IsAnonExclusive;
    }

    // Linux: try_grab_folio.
    private Errno TryGrab(Pfn page, PinFlags flags, Taken into, int index)
    {
        if (!Has(flags, PinFlags.PeerMemory) && Frames.IsDevice(page)
            && space.Parts.Pagemaps.TryFindHeld(page, out Pagemap? map) && map.Kind == PagemapKind.PciP2pDma)
        {
            return Errno.EREMOTEIO;
        }

        return into.Take(Frames, index, page);
    }

    /// <summary>Where what is taken goes: pins or references.</summary>
    private readonly ref struct Taken(Span<PagePin> pins, Span<PageRef> pages)
    {
        private readonly Span<PagePin> pins = pins;
        private readonly Span<PageRef> pages = pages;

        internal bool IsPinning => pages.IsEmpty;

        internal int Length => pins.Length + pages.Length;

        internal Errno Take(FrameTable frames, int index, Pfn page) =>
            IsPinning ? frames.TryPin(page, out pins[index]) : frames.TryGet(page, out pages[index]);

        internal Errno PutZero(int index, Pfn zero)
        {
            if (IsPinning)
            {
                pins[index] = PagePin.OfZeroPage(zero);
            }
            else
            {
                pages[index] = default;
            }

            return Errno.Ok;
        }

        internal void Drop(int index)
        {
            if (IsPinning)
            {
                pins[index].Dispose();
                pins[index] = default;
            }
            else
            {
                pages[index].Dispose();
                pages[index] = default;
            }
        }
    }
}
