using Mm.Core.Frames;
using Mm.Core.Notifiers;
using Mm.Core.Pagemaps;

namespace Mm.Core.Spaces;

/// <summary>Makes addresses of one space usable: brings pages, copies them, or fetches them back from a device.</summary>
/// <remarks>
/// Owns nothing but the steps. Who asks has looked up the area and checked what it allows. Entries change by
/// compare-and-swap: who loses to another thread says done, and the access is tried again.
/// <para><b>Linux:</b> handle_mm_fault and below (mm/memory.c, v6.12). Deliberate differences: a fault on a page that a
/// device holds locks the page first, as later kernels do, so that faulting threads do not hold one another up (museum 8, 9);
/// an area's owner always inserts the entry by itself.</para>
/// <para><b>Invariants:</b> (1) a page is counted before its entry is seen; (2) a fault that fails leaves no page behind.</para>
/// <para><b>Locking:</b> the space's lock, for reading; takes page locks.</para>
/// </remarks>
internal sealed partial class PageFaults(AddressSpace space)
{
    private DevicePageFault? spareFault; // atomic

    private enum Step
    {
        // Look again: it is done, or another thread was faster.
        Done,

        // A leaf of 2 MiB is not to be had here; go on with small pages.
        Fallback,

        OutOfMemory,
    }

    private FrameTable Frames => space.Parts.Frames;

    private PageTables Tables => space.Tables;

    private AddressSpaces Owner => space.Owner;

    /// <summary>Makes an address usable. <b>Linux:</b> __handle_mm_fault.</summary>
    /// <param name="area">Its area.</param>
    /// <param name="at">The address.</param>
    /// <param name="flags">What for.</param>
    /// <returns>How it ended; done may mean: look again.</returns>
    internal FaultResult Handle(Area area, VirtAddr at, FaultFlags flags)
    {
        VirtAddr page = at.AlignDown(PageSize.Small);
        Step step = TryLarge(area, page, flags);
        if (step != Step.Fallback)
        {
            return ResultOf(step);
        }

        Pte entry = Tables.ReadLeaf(page, out PageSize size);
        space.Parts.Points?.Reach("fault-read");
        if (size == PageSize.Large)
        {
            // Another thread put a leaf there, or its pages are elsewhere: as it was seen, so that who changed it since is noticed.
            int part = (int)(page.OffsetIn(PageSize.Large).Value >> PageSize.Small.Shift);
            return entry.IsPresent ? FaultResult.Done : FromNonPresent(area, page, entry.SplitPart(part));
        }

        if (entry.IsNone)
        {
            return area.Traits.Kind == AreaKind.AnonymousPrivate ? ResultOf(BringAnonymous(area, page, flags))
                : area.Traits.Backing is AreaBacking backing ? AskOwner(area, backing, page, flags)
                : BringFromFile(area, page, flags);
        }

        if (!entry.IsPresent)
        {
            return FromNonPresent(area, page, entry);
        }

        bool needsOwn = (flags & (FaultFlags.Write | FaultFlags.Unshare)) != FaultFlags.None && !entry.IsWritable;
        return needsOwn ? ResultOf(MakeOwn(area, page, entry, flags)) : NoteUse(page, entry, flags);
    }

    private static FaultResult ResultOf(Step step) =>
        step == Step.OutOfMemory ? FaultResult.OutOfMemory : FaultResult.Done;

    private static Step StepOf(Errno errno) => errno == Errno.ENOMEM ? Step.OutOfMemory : Step.Done;

    private FaultResult NoteUse(VirtAddr page, Pte entry, FaultFlags flags)
    {
        Pte next = (flags & FaultFlags.Write) != FaultFlags.None ? entry.MakeDirty().MakeAccessed() : entry.MakeAccessed();
        if (next != entry)
        {
            _ = Tables.TryExchange(page, entry, next, out _); // who was faster has noted it too, or changed the entry
        }

        return FaultResult.Done;
    }

    // Linux: the part of do_swap_page that is about no swap.
    private FaultResult FromNonPresent(Area area, VirtAddr page, Pte entry)
    {
        switch (entry.Kind)
        {
            case PteKind.Migration:
                space.WaitForEntry(page, entry);
                return FaultResult.Done;
            case PteKind.DeviceExclusive:
                TakeBackFromDevice(area, page, entry);
                return FaultResult.Done;
            case PteKind.DevicePrivate:
                return BringFromDevice(area, page, entry);
            case PteKind.HwPoison:
            case PteKind.Marker when (entry.Markers & PteMarkers.Poisoned) != PteMarkers.None:
                return FaultResult.HwPoison;
            default:
                return FaultResult.BusError;
        }
    }

    // Linux: remove_device_exclusive_entry. Everybody is told, without an owner: the device loses it.
    private void TakeBackFromDevice(Area area, VirtAddr page, Pte entry)
    {
        if (!Frames.TryGet(entry.Frame, out PageRef held).IsOk)
        {
            return; // free: the entry is gone already
        }

        using (held)
        {
            space.PageLocks.Lock(entry.Frame);
            var notice = new NotifierRange(new VirtRange(page, PageSize.Small.Bytes), NotifierEvent.Exclusive) { CanBlock = true };
            space.Notifiers.TryInvalidate(notice, out NotifierInvalidation invalidation).ThrowIfError();
            using (invalidation)
            {
                _ = space.RestoreExclusive(area, page, entry);
                space.PageLocks.Unlock(entry.Frame);
            }
        }
    }

    // The page is locked before it is held, and who finds it locked waits without holding it: threads that fault together
    // do not make it look used by one another, whoever of them stops where.
    private FaultResult BringFromDevice(Area area, VirtAddr page, Pte entry)
    {
        if (Owner.FaultsShareReferences)
        {
            return BringFromDeviceUnlocked(area, page, entry);
        }

        space.Parts.Points?.Reach("device-fault");
        if (!space.TryLockEntry(page, entry, out PageRef held, out bool isGone))
        {
            if (!isGone && !Owner.FaultsSpinOnLocks)
            {
                space.WaitForEntry(page, entry);
            }

            return FaultResult.Done;
        }

        space.Parts.Points?.Reach("device-page-locked");
        if (Frames.IsLarge(entry.Frame))
        {
            return BringFolioFromDevice(area, page, entry.Frame, held);
        }

        FaultResult result = AskDriver(area, page, entry.Frame, PageSize.Small);
        space.PageLocks.Unlock(entry.Frame);
        held.Dispose();
        return result;
    }

    private FaultResult BringFromDeviceUnlocked(Area area, VirtAddr page, Pte entry)
    {
        if (!Frames.TryGet(entry.Frame, out PageRef held).IsOk)
        {
            return FaultResult.Done;
        }

        using (held)
        {
            space.Parts.Points?.Reach("device-fault");
            return Tables.Read(page) == entry ? AskDriver(area, page, entry.Frame, PageSize.Small) : FaultResult.Done;
        }
    }

    private FaultResult AskOwner(Area area, AreaBacking backing, VirtAddr page, FaultFlags flags)
    {
        bool isWrite = (flags & FaultFlags.Write) != FaultFlags.None;
        return backing.Operations.Fault(new AreaFilling(space, area), new AreaFault(page, area.OffsetOf(page), isWrite));
    }

    // One of 2 MiB: as a leaf, its driver gets it whole; mapped page by page, it is broken up, and the fault looks again. The
    // reference is made the first page's, which keeps it whatever becomes of the folio. Linux: do_huge_pmd_device_private (v6.19).
    private FaultResult BringFolioFromDevice(Area area, VirtAddr page, Pfn part, PageRef held)
    {
        Pfn head = Frames.HeadOf(part, out _);
        Frames.GetFrame(head);
        held.Dispose();
        _ = Tables.ReadLeaf(page, out PageSize size);
        FaultResult result = FaultResult.Done;
        if (size == PageSize.Large)
        {
            result = AskDriver(area, page, head, size);
        }
        else
        {
            _ = Owner.Migration.TrySplit(head); // if somebody holds it, the next look tries again
        }

        space.PageLocks.Unlock(head);
        Frames.PutFrame(head);
        return result;
    }

    private FaultResult AskDriver(Area area, VirtAddr page, Pfn frame, PageSize size)
    {
        if (!space.Parts.Pagemaps.TryFindHeld(frame, out Pagemap? map))
        {
            return FaultResult.BusError;
        }

        var ops = (IPrivatePagemapOps)map.Ops!;
        DevicePageFault fault = TakeFault(area, page, frame, size);
        Errno errno = ops.TryMigrateToRam(map, fault);
        Volatile.Write(ref spareFault, fault);
        return errno.IsOk ? FaultResult.Done : FaultResult.BusError;
    }

    // The one that the fault before left, so that a fault allocates nothing; threads that fault together make their own.
    private DevicePageFault TakeFault(Area area, VirtAddr page, Pfn frame, PageSize size)
    {
        if (Interlocked.Exchange(ref spareFault, null) is not { } fault)
        {
            return new DevicePageFault(space, area, page, frame, size);
        }

        fault.Reset(area, page, frame, size);
        return fault;
    }
}
