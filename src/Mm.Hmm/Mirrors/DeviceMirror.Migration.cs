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
            MakeExclusive(batch.Start, pages[..wanted], out int count);
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
        var range = new VirtRange(fault.Address.AlignDown(fault.Size), fault.Size.Bytes);
        MigrateSelect select = Device.Select | (fault.Size == PageSize.Large ? MigrateSelect.Compound : MigrateSelect.None);
        var request = new MigrationRequest(range, select, Device) { Fault = fault };
        if (!Device.Migrations.TrySetUp(fault.Space, request, out AreaMigration? migration).IsOk)
        {
            return Errno.EFAULT;
        }

        using (migration)
        {
            CopyToSystem(migration!);
            migration!.Move();
            // What became of the page that was touched, whatever became of the others of a folio that was broken up.
            int touched = migration.Sources[0].IsCompound ? 0 : (int)(fault.Address.OffsetIn(fault.Size).Value >> PageSize.Small.Shift);
            bool isLost = migration.Offered == PageCount.One && !migration.Sources[touched].Migrates
                && migration.Reasons[touched] is StayReason.NoDestination or StayReason.NotWritten;
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

            VirtRange batch = MigrationBatch(range, at, limit, out MigrateSelect size);
            var request = new MigrationRequest(batch, select | size, Device);
            Errno errno = Device.Migrations.TrySetUp(Space, request, out AreaMigration? migration);
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
            int pages = source.IsCompound ? (int)PageSize.Large.Pages.Value : 1;
            moved += source.Migrates && migration.Targets[index].HasPage ? (ulong)pages : 0;
            for (int part = 0; part < pages && !source.Migrates; part++)
            {
                tell?.Invoke(PageAt(batch.Start, index + part), migration.Reasons[index]);
            }

            index += pages - 1;
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
            PageRef page = default;
            PageLock pageLock = default;
            if (source is { Migrates: true, IsCompound: true } && !Device.TryTakeFolio(this, out page, out pageLock)
                && migration.TryBreakUp(index).IsOk)
            {
                source = migration.Sources[index]; // the device has no 2 MiB in one piece: page by page
            }

            bool isTaken = source.IsCompound ? pageLock.IsHeld : source.Migrates && Device.TryTakePage(this, out page, out pageLock);
            if (!isTaken)
            {
                continue;
            }

            PageSize size = source.IsCompound ? PageSize.Large : PageSize.Small;
            places[job.Count] = index;
            job.Add(source.HasPage ? PageCopy.Of(source.Page, page.Page, size) : PageCopy.Clear(page.Page, size));
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
            if (!source.Migrates || !source.HasPage)
            {
                continue;
            }

            Errno errno = migration.TryAllocateRam(index, out PageRef page);
            if (!errno.IsOk && source.IsCompound && migration.TryBreakUp(index).IsOk)
            {
                source = migration.Sources[index]; // no 2 MiB of RAM in one piece: page by page
                errno = migration.TryAllocateRam(index, out page);
            }

            if (!errno.IsOk)
            {
                continue;
            }

            PageSize size = source.IsCompound ? PageSize.Large : PageSize.Small;
            places[job.Count] = index;
            job.Add(PageCopy.Of(source.Page, page.Page, size));
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
                PageSize size = migration.Sources[place].IsCompound ? PageSize.Large : PageSize.Small;
                table.Unmap(new VirtRange(migration.AddressOf(place), size.Bytes));
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
            int pages = !migration.Sources[index].Migrates || !target.HasPage ? 0 : target.IsCompound ? (int)PageSize.Large.Pages.Value : 1;
            PteProtection protection = target.IsWritable ? PteProtection.ReadWrite : PteProtection.Read;
            for (int part = 0; part < pages; part++)
            {
                // A device without memory for its table finds the page again by a fault.
                _ = Store(PageAt(start, index + part), Pte.Present(new Pfn(target.Page.Value + (ulong)part), protection));
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

    // Linux: dmirror_exclusive of either kernel.
    private void MakeExclusive(VirtAddr start, Span<ExclusivePage> pages, out int count)
    {
        if (!Device.Machine.Profile.MakesPagesExclusiveSingly)
        {
            _ = ExclusiveAccess.TryMakeLocked(Space, start, pages, out count, owner: null);
            return;
        }

        count = 0;
        while (count < pages.Length && ExclusiveAccess.TryMakeOneLocked(Space, PageAt(start, count), out pages[count], owner: null).IsOk)
        {
            count++;
        }
    }

    // 2 MiB where the machine moves them in one piece and the range covers them, else what the test device asks for at once.
    private VirtRange MigrationBatch(VirtRange range, ulong at, ulong limit, out MigrateSelect size)
    {
        ulong end = Math.Min(EndOf(range), limit);
        bool isWhole = Device.Kind == MirrorMemoryKind.Private && Device.Machine.Profile.MigratesLargePages
            && at % PageSize.Large.Bytes.Value == 0 && end - at >= PageSize.Large.Bytes.Value;
        size = isWhole ? MigrateSelect.Compound : MigrateSelect.None;
        return isWhole ? new VirtRange(new VirtAddr(at), PageSize.Large.Bytes) : Batch(range, at, limit);
    }

    private static VirtAddr PageAt(VirtAddr start, int index) => new(start.Value + ((ulong)index << PageSize.Small.Shift));
}
