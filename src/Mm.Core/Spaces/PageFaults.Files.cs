using Mm.Core.Frames;

namespace Mm.Core.Spaces;

/// <content>Pages of files, shown or copied.</content>
internal sealed partial class PageFaults
{
    private const ulong AroundPages = 16; // Linux: fault_around_bytes, 64 KiB

    // Linux: do_fault.
    private FaultResult BringFromFile(Area area, VirtAddr page, FaultFlags flags)
    {
        if (area.Traits.Backing is not MemoryFile file)
        {
            return FaultResult.BusError;
        }

        bool isWrite = (flags & FaultFlags.Write) != FaultFlags.None;
        if (!isWrite && MapAround(area, file, page))
        {
            return FaultResult.Done;
        }

        if (isWrite && !area.Traits.IsShared)
        {
            return CopyFromFile(area, file, page);
        }

        Errno errno = file.TryGetPage(area.OffsetOf(page), space.Placement, out PageRef held);
        if (!errno.IsOk)
        {
            return errno == Errno.ENOMEM ? FaultResult.OutOfMemory : FaultResult.BusError;
        }

        Pte entry = Pte.Present(held.Page, area.EntryProtection).MakeAccessed();
        errno = MapFilePage(page, held, isWrite ? entry.MakeDirty() : entry);
        return errno == Errno.ENOMEM ? FaultResult.OutOfMemory : EndIfTruncated(area, file, page);
    }

    // Linux: do_cow_fault.
    private FaultResult CopyFromFile(Area area, MemoryFile file, VirtAddr page)
    {
        PrepareRoot(area);
        if (!space.TryAllocateFor(area, page, AllocationRequest.User, out PageRef fresh).IsOk)
        {
            return FaultResult.OutOfMemory;
        }

        Errno errno = file.TryGetPage(area.OffsetOf(page), space.Placement, out PageRef held);
        if (!errno.IsOk)
        {
            fresh.Dispose();
            return errno == Errno.ENOMEM ? FaultResult.OutOfMemory : FaultResult.BusError;
        }

        Owner.CopyPage(held.Page, fresh.Page);
        held.Dispose();
        Step step = Install(area, page, default, fresh, OwnEntry(area, fresh.Page));
        return step == Step.OutOfMemory ? FaultResult.OutOfMemory : EndIfTruncated(area, file, page);
    }

    // Maps what the file has in memory around the address, within the area and one table; tells whether the address is
    // among it. Linux: do_fault_around and filemap_map_pages.
    private bool MapAround(Area area, MemoryFile file, VirtAddr page)
    {
        ulong index = page.Value >> 12;
        ulong first = Math.Max(index & ~(AroundPages - 1), area.Start.Value >> 12);
        ulong table = (index & ~511UL) + 512;
        ulong end = Math.Min(Math.Min(first + AroundPages, table), area.End.Value >> 12);
        bool isMapped = false;
        for (ulong at = first; at < end; at++)
        {
            var address = new VirtAddr(at << 12);
            if (!Tables.Read(address).IsNone || !file.TryFindPage(area.OffsetOf(address), out PageRef held))
            {
                continue;
            }

            Pte entry = Pte.Present(held.Page, area.EntryProtection).MakeAccessed();
            isMapped |= MapFilePage(address, held, entry).IsOk && at == index;
            _ = EndIfTruncated(area, file, address);
        }

        return isMapped;
    }

    private Errno MapFilePage(VirtAddr page, PageRef held, Pte entry)
    {
        Frames.AddMapping(held.Page);
        space.CountRss(RssKind.Shared, 1);
        Errno errno = Tables.TryExchange(page, default, entry, out _);
        if (!errno.IsOk)
        {
            space.CountRss(RssKind.Shared, -1);
            Frames.RemoveMapping(held.Page);
            held.Dispose();
        }

        return errno;
    }

    // The file may have been cut after the page was taken and before the entry stood: then nobody else removes it.
    private FaultResult EndIfTruncated(Area area, MemoryFile file, VirtAddr page)
    {
        if (area.OffsetOf(page) < file.Size.ToPagesRoundUp())
        {
            return FaultResult.Done;
        }

        space.ZapWithNotice(new VirtRange(page, PageSize.Small.Bytes), Notifiers.NotifierEvent.Clear);
        return FaultResult.BusError;
    }
}
