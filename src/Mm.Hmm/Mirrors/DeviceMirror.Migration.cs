using Mm.Core;
using Mm.Core.Frames;
using Mm.Core.Locking;
using Mm.Core.Pagemaps;
using Mm.Core.Spaces;
using Mm.Hmm.Copying;
using Mm.Hmm.Exclusive;
using Mm.Hmm.Migration;

namespace Mm.Hmm.Mirrors;

/// <content>Memory moves to the device, back, or is the device's alone for a while.</content>
public sealed partial class DeviceMirror
{
    /// <summary>Moves pages of system memory, and holes of anonymous memory, to the device's memory, and maps them.</summary>
    /// <param name="range">Whole pages.</param>
    /// <param name="moved">How many came to the device; those that stayed are told to <paramref name="tell"/>.</param>
    /// <param name="tell">Told of each page that stayed, and why; null for nobody.</param>
    /// <returns>Ok, however many stayed; EINVAL: a page where no area is, or one that is special or cannot be read, and what
    /// lies before it has moved; or the process has ended.</returns>
    /// <exception cref="ArgumentException">The range is not whole pages.</exception>
    /// <exception cref="ObjectDisposedException">The mirror is closed.</exception>
    /// <remarks><b>Linux:</b> dmirror_migrate_to_device.</remarks>
    public Errno TryMigrateToDevice(VirtRange range, out PageCount moved, Action<VirtAddr, StayReason>? tell = null) =>
        TryMigrate(range, MigrateSelect.System, toDevice: true, out moved, tell);

    /// <summary>Moves pages from the device's memory back to system memory.</summary>
    /// <param name="range">Whole pages.</param>
    /// <param name="moved">How many came back.</param>
    /// <param name="tell">Told of each page that stayed, and why; null for nobody.</param>
    /// <returns>As <see cref="TryMigrateToDevice"/>.</returns>
    /// <exception cref="ArgumentException">The range is not whole pages.</exception>
    /// <exception cref="ObjectDisposedException">The mirror is closed.</exception>
    /// <remarks><b>Linux:</b> dmirror_migrate_to_system.</remarks>
    public Errno TryMigrateToSystem(VirtRange range, out PageCount moved, Action<VirtAddr, StayReason>? tell = null) =>
        TryMigrate(range, Device.Select, toDevice: false, out moved, tell);

    /// <summary>Makes pages the device's alone, for atomic operations, until the CPU touches them.</summary>
    /// <param name="range">Whole pages.</param>
    /// <returns>Ok; EBUSY: a page could not be had, and those of the same batch are not mapped; EINVAL: the process has ended.</returns>
    /// <exception cref="ArgumentException">The range is not whole pages.</exception>
    /// <exception cref="ObjectDisposedException">The mirror is closed.</exception>
    /// <remarks><b>Linux:</b> dmirror_exclusive.</remarks>
    public Errno TryMakeExclusive(VirtRange range)
    {
        RequirePages(range);
        if (Space.IsEnded)
        {
            return Errno.EINVAL;
        }

        Span<ExclusivePage> pages = new ExclusivePage[(int)MirrorDevice.BatchPages.Value];
        using SpaceLock.Held held = Space.Lock.EnterRead();
        for (ulong at = range.Start.Value; at < EndOf(range);)
        {
            VirtRange batch = Batch(range, at, ulong.MaxValue);
            int wanted = (int)(batch.Length.Value >> PageSize.Small.Shift);
            _ = ExclusiveAccess.TryMakeLocked(Space, batch.Start, pages[..wanted], out int count, owner: null);
            int mapped = count == wanted ? MapExclusive(batch.Start, pages[..count]) : 0;
            foreach (ExclusivePage page in pages[..count])
            {
                page.Dispose();
            }

            if (mapped < wanted)
            {
                return Errno.EBUSY;
            }

            at = EndOf(batch);
        }

        return Errno.Ok;
    }

    /// <summary>Whether the device still has no page of a range to itself.</summary>
    /// <param name="range">Whole pages.</param>
    /// <returns>Ok: none is exclusive any more; EPERM: one still is.</returns>
    /// <exception cref="ArgumentException">The range is not whole pages.</exception>
    /// <exception cref="ObjectDisposedException">The mirror is closed.</exception>
    /// <remarks><b>Linux:</b> dmirror_check_atomic.</remarks>
    public Errno CheckExclusive(VirtRange range)
    {
        RequirePages(range);
        using RankedLock.Guard _ = gate.Enter();
        foreach (PteRun run in table.Walk(range))
        {
            for (int index = 0; index < (int)run.Pages.Value && !run.IsHole; index++)
            {
                if (run[index].IsDeviceExclusive)
                {
                    return Errno.EPERM;
                }
            }
        }

        return Errno.Ok;
    }

    /// <summary>Reads what the device has mapped of a range, without faulting.</summary>
    /// <param name="range">Whole pages.</param>
    /// <param name="into">Where to; as long as the range.</param>
    /// <param name="pages">How many pages lie before the first that is not mapped.</param>
    /// <returns>Ok; ENOENT: some page has no mapping.</returns>
    /// <exception cref="ArgumentException">The range is not whole pages, or the room is too small.</exception>
    /// <exception cref="ObjectDisposedException">The mirror is closed.</exception>
    public Errno TryReadMapped(VirtRange range, Span<byte> into, out PageCount pages)
    {
        RequirePages(range);
        RequireLength(range, into.Length);
        using RankedLock.Guard _ = gate.Enter();
        pages = new PageCount(ReadMapped(range, into, pages: 0));
        return pages.ToBytes() == range.Length ? Errno.Ok : Errno.ENOENT;
    }

    /// <summary>A CPU touched a page of the device's that this mirror brought there. <b>Linux:</b> dmirror_devmem_fault.</summary>
    /// <param name="fault">The fault; perhaps another process's.</param>
    /// <returns>Ok, and the CPU looks again; EFAULT: the page could not be brought back.</returns>
    internal Errno TryServeFault(DevicePageFault fault)
    {
        var range = new VirtRange(fault.Address, PageSize.Small.Bytes);
        var request = new MigrationRequest(range, Device.Select, Device) { Fault = fault };
        if (!AreaMigration.TrySetUp(fault.Space, request, out AreaMigration? migration).IsOk)
        {
            return Errno.EFAULT;
        }

        using (migration)
        {
            CopyToSystem(migration!);
            migration!.Move();
            bool isLost = migration.Offered == PageCount.One && !migration.Sources[0].Migrates
                && migration.Reasons[0] is StayReason.NoDestination or StayReason.NotWritten;
            return isLost ? Errno.EFAULT : Errno.Ok;
        }
    }

    private Errno TryMigrate(
        VirtRange range, MigrateSelect select, bool toDevice, out PageCount moved, Action<VirtAddr, StayReason>? tell)
    {
        RequirePages(range);
        moved = PageCount.Zero;
        if (Space.IsEnded)
        {
            return Errno.EINVAL;
        }

        for (ulong at = range.Start.Value; at < EndOf(range);)
        {
            if (!TryFindReadable(new VirtAddr(at), out ulong limit))
            {
                return Errno.EINVAL;
            }

            VirtRange batch = Batch(range, at, limit);
            Errno errno = AreaMigration.TrySetUp(Space, new MigrationRequest(batch, select, Device), out AreaMigration? migration);
            if (!errno.IsOk)
            {
                return errno;
            }

            using (migration)
            {
                moved = moved.AddChecked(MoveBatch(migration!, batch, toDevice, tell));
            }

            at = EndOf(batch);
        }

        return Errno.Ok;
    }

    private bool TryFindReadable(VirtAddr at, out ulong limit)
    {
        using SpaceLock.Held held = Space.Lock.EnterRead();
        Area? area = Space.FindArea(at);
        limit = area is null ? 0 : area.End.Value;
        return area is { IsReadable: true };
    }

    private PageCount MoveBatch(AreaMigration migration, VirtRange batch, bool toDevice, Action<VirtAddr, StayReason>? tell)
    {
        if (toDevice)
        {
            CopyToDevice(migration);
        }
        else
        {
            CopyToSystem(migration);
        }

        migration.Move();
        if (toDevice)
        {
            MapMoved(migration, batch.Start);
        }

        ulong moved = 0;
        for (int index = 0; index < migration.Count; index++)
        {
            MigratePfn source = migration.Sources[index];
            moved += source.Migrates && migration.Targets[index].HasPage ? 1UL : 0;
            if (!source.Migrates)
            {
                tell?.Invoke(PageAt(batch.Start, index), migration.Reasons[index]);
            }
        }

        return new PageCount(moved);
    }

    // Linux: dmirror_migrate_alloc_and_copy.
    private void CopyToDevice(AreaMigration migration)
    {
        using CopyJob job = Device.Jobs.Rent();
        Span<int> places = stackalloc int[migration.Count];
        for (int index = 0; index < migration.Count; index++)
        {
            MigratePfn source = migration.Sources[index];
            if (!source.Migrates || !Device.TryTakePage(this, out PageRef page, out PageLock pageLock))
            {
                continue;
            }

            places[job.Count] = index;
            job.Add(source.HasPage ? PageCopy.Of(source.Page, page.Page) : PageCopy.Clear(page.Page));
            migration.SetTarget(index, page, source.IsWritable || (!source.HasPage && migration.IsAreaWritable), pageLock);
        }

        NoteWritten(migration, job, places);
    }

    // Linux: dmirror_devmem_fault_alloc_and_copy. The device's own mapping goes before the bytes are read.
    private void CopyToSystem(AreaMigration migration)
    {
        using CopyJob job = Device.Jobs.Rent();
        Span<int> places = stackalloc int[migration.Count];
        for (int index = 0; index < migration.Count; index++)
        {
            MigratePfn source = migration.Sources[index];
            if (!source.Migrates || !source.HasPage
                || !migration.TryAllocateRam(index, out PageRef page).IsOk)
            {
                continue;
            }

            places[job.Count] = index;
            job.Add(PageCopy.Of(source.Page, page.Page));
            migration.SetTarget(index, page, source.IsWritable);
        }

        DropMappings(migration, places[..job.Count]);
        NoteWritten(migration, job, places);
    }

    private void DropMappings(AreaMigration migration, ReadOnlySpan<int> places)
    {
        using RankedLock.Guard guard = gate.Enter();
        foreach (int place in places)
        {
            if (hasTable)
            {
                table.Unmap(new VirtRange(migration.AddressOf(place), PageSize.Small.Bytes));
            }
        }
    }

    private void NoteWritten(AreaMigration migration, CopyJob job, ReadOnlySpan<int> places)
    {
        bool isDone = Device.TryRunJob(job);
        for (int place = 0; place < job.Count && isDone; place++)
        {
            if (job.IsWritten(place))
            {
                migration.SetWritten(places[place]);
            }
        }
    }

    // Linux: dmirror_migrate_finalize_and_map.
    private void MapMoved(AreaMigration migration, VirtAddr start)
    {
        using RankedLock.Guard guard = gate.Enter();
        for (int index = 0; index < migration.Count; index++)
        {
            MigratePfn target = migration.Targets[index];
            if (migration.Sources[index].Migrates && target.HasPage)
            {
                // A device without memory for its table finds the page again by a fault.
                _ = Store(PageAt(start, index), Pte.Present(target.Page, target.IsWritable ? PteProtection.ReadWrite : PteProtection.Read));
            }
        }
    }

    private int MapExclusive(VirtAddr start, ReadOnlySpan<ExclusivePage> pages)
    {
        int mapped = 0;
        using RankedLock.Guard guard = gate.Enter();
        for (int index = 0; index < pages.Length; index++)
        {
            if (!pages[index].IsEmpty && Store(PageAt(start, index), Pte.DeviceExclusive(pages[index].Page, isWritable: true)).IsOk)
            {
                mapped++;
            }
        }

        return mapped;
    }

    private static VirtAddr PageAt(VirtAddr start, int index) => new(start.Value + ((ulong)index << PageSize.Small.Shift));
}
