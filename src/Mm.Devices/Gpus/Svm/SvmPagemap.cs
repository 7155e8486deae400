using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.Frames;
using Mm.Core.Locking;
using Mm.Core.Pagemaps;
using Mm.Core.Spaces;
using Mm.Devices.Gpus.Objects;
using Mm.Devices.Gpus.Vram;
using Mm.Hmm.Copying;
using Mm.Hmm.Migration;

namespace Mm.Devices.Gpus.Svm;

/// <summary>The pages of a GPU's memory that processes have, and their ways there and back.</summary>
/// <remarks>
/// Owns which page belongs to which <see cref="SvmMemory"/>. Every copy is the GPU's engine's.
/// <para><b>Linux:</b> struct drm_pagemap (v6.19): drm_pagemap_migrate_to_devmem, drm_pagemap_migrate_to_ram,
/// drm_pagemap_evict_to_ram. Difference: a page that could not come after all takes the others back with it.</para>
/// <para><b>Invariants:</b> (1) a range comes wholly or not at all; (2) memory goes back to the allocator once, when the last
/// page is back; (3) no CPU sees a page that was not wholly written.</para>
/// <para><b>Locking:</b> a leaf lock for the books. Migrations want no lock held.</para>
/// </remarks>
internal sealed class SvmPagemap(GpuParts parts) : IPrivatePagemapOps
{
    private const int EvictTries = 3; // Linux tries twice more
    private const ulong SentAwayNs = 1000; // what a fault costs that finds the memory in its timeslice

    private readonly MigrationPool migrations = new();
    private readonly RankedLock gate = new(LockRank.Leaf);
    private readonly Dictionary<Pfn, SvmMemory> byFrame = []; // protected by gate

    /// <summary>The page descriptors; set before anybody sees the GPU.</summary>
    internal Pagemap Map { get; set; } = null!;

    private Machine Machine => parts.Machine;

    /// <summary>Takes pages of the GPU's memory for a range.</summary>
    /// <param name="pages">How many.</param>
    /// <param name="choice">Which parts of the memory, the best first.</param>
    /// <param name="memory">The memory, held once by the caller; null when refused.</param>
    /// <returns>Ok; ENOMEM: not as many can be had, though others were asked to leave.</returns>
    internal Errno TryTake(PageCount pages, ReadOnlySpan<VramPart> choice, out SvmMemory? memory)
    {
        memory = null;
        if (Machine.Faults.ShouldFail(FaultPoint.Slab))
        {
            return Errno.ENOMEM;
        }

        var runs = new List<VramRun>();
        foreach (bool mayEvict in (ReadOnlySpan<bool>)[false, true])
        {
            foreach (VramPart part in choice)
            {
                Errno errno = mayEvict ? parts.Pool.TryTakeEvicting(pages, part, runs) : parts.Pool.TryTake(pages, part, runs);
                if (errno.IsOk)
                {
                    memory = Enter(runs, part);
                    return Errno.Ok;
                }
            }
        }

        return Errno.ENOMEM;
    }

    /// <summary>Brings a range to the GPU's memory: all of it, or nothing.</summary>
    /// <param name="space">Whose.</param>
    /// <param name="range">Which; as long as the memory.</param>
    /// <param name="memory">Where to. The caller's hold ends here, whatever comes of it.</param>
    /// <param name="timesliceNs">How long it stays whatever CPUs touch.</param>
    /// <returns>Ok; ENOENT: no area; EINVAL: the range passes its area; EBUSY: not private anonymous memory, or a page could
    /// not come; EAGAIN, EIO, ECANCELED: the engine took no job, broke one off, or was reset; ENODEV: the GPU is gone.</returns>
    internal Errno TryBring(AddressSpace space, VirtRange range, SvmMemory memory, ulong timesliceNs)
    {
        Errno errno = TryMigrate(space, range, memory, timesliceNs, out bool isWhole);
        if (errno.IsOk && !isWhole)
        {
            memory.ExpiryNs = 0;
            _ = TryEvict(memory); // what cannot go back now goes when it is touched
            errno = Errno.EBUSY;
        }

        memory.Drop();
        return errno;
    }

    /// <summary>Brings memory back to RAM, whoever maps it.</summary>
    /// <param name="memory">The memory.</param>
    /// <returns>Ok; EBUSY: a page stays: held by somebody, not copied, or no RAM for it.</returns>
    internal Errno TryEvict(SvmMemory memory) => TryEvict(memory, out _);

    /// <summary>Brings everything back to RAM that can be.</summary>
    /// <returns>Whether somebody else has pages on their way just now, so that it is worth trying again.</returns>
    internal bool EvictAll()
    {
        bool isUnderWay = false;
        foreach (SvmMemory memory in Collect())
        {
            memory.ExpiryNs = 0;
            _ = TryEvict(memory, out bool isOthers); // what stays is lost with the GPU: its CPUs get a signal
            isUnderWay |= isOthers;
        }

        return isUnderWay;
    }

    private Errno TryEvict(SvmMemory memory, out bool isOthers)
    {
        isOthers = false;
        for (int attempt = 0; attempt < EvictTries && memory.LivePages > 0; attempt++)
        {
            using FrameMigration migration = migrations.SetUp(parts.Spaces, memory.Frames);
            parts.Points?.Reach("svm-leaving");
            using CopyJob job = parts.Copier.Jobs.Rent();
            int[] places = new int[migration.Count];
            for (int index = 0; index < migration.Count; index++)
            {
                MigratePfn source = migration.Sources[index];
                if (source.Migrates && Machine.Allocator.TryAllocate(AllocationRequest.User, out PageRef target).IsOk)
                {
                    places[job.Count] = index;
                    job.Add(PageCopy.Of(source.Page, target.Page));
                    migration.SetTarget(index, target);
                }
            }

            _ = ForEachWritten(job, place => migration.SetWritten(places[place])); // what was not written stays, and is tried again
            migration.Move();
            isOthers = migration.Reasons.Contains(StayReason.Locked);
        }

        isOthers &= memory.LivePages > 0;
        return memory.LivePages == 0 ? Errno.Ok : Errno.EBUSY;
    }

    /// <summary>The memory that is out.</summary>
    /// <returns>A copy of the list.</returns>
    internal SvmMemory[] Collect()
    {
        using RankedLock.Guard held = gate.Enter();
        return [.. byFrame.Values.Distinct()];
    }

    /// <summary>The last page of some memory is back.</summary>
    internal void Free(SvmMemory memory)
    {
        using (gate.Enter())
        {
            foreach (Pfn frame in memory.Frames)
            {
                _ = byFrame.Remove(frame);
            }
        }

        parts.Pool.Forget(memory);
        parts.Pool.Return(memory.Runs);
    }

    /// <inheritdoc/>
    void IPagemapOps.OnPageFree(Pagemap map, Pfn page)
    {
        SvmMemory? memory = Find(page);
        Check.That(memory is not null, $"{page} was brought to the GPU by somebody");
        memory.DropPage();
    }

    /// <inheritdoc/>
    Errno IPrivatePagemapOps.TryMigrateToRam(Pagemap map, IDevicePageFault fault)
    {
        SvmMemory? memory = Find(fault.Page);
        if (memory is null)
        {
            return Errno.EFAULT;
        }

        // The CPU faults again until the timeslice is over: time passes by its doing so.
        if (Machine.Clock.NowNs < memory.ExpiryNs)
        {
            Machine.Clock.AdvanceNs(SentAwayNs);
            return Errno.Ok;
        }

        return TryBringBack((DevicePageFault)fault, memory);
    }

    // The whole range comes back, as far as the fault's area reaches.
    private Errno TryBringBack(DevicePageFault fault, SvmMemory memory)
    {
        ulong start = Math.Max(fault.Address.Value & ~(memory.Length.Value - 1), fault.Area.Start.Value);
        ulong end = Math.Min((fault.Address.Value & ~(memory.Length.Value - 1)) + memory.Length.Value, fault.Area.End.Value);
        var range = new VirtRange(new VirtAddr(start), new ByteCount(end - start));
        var request = new MigrationRequest(range, MigrateSelect.DevicePrivate, this) { Fault = fault };
        if (!migrations.TrySetUp(fault.Space, request, out AreaMigration? migration).IsOk)
        {
            return Errno.EFAULT;
        }

        using (migration)
        {
            parts.Points?.Reach("svm-leaving");
            using CopyJob job = parts.Copier.Jobs.Rent();
            int[] places = new int[migration!.Count];
            for (int index = 0; index < migration.Count; index++)
            {
                MigratePfn source = migration.Sources[index];
                if (source.Migrates && source.HasPage
                    && Machine.Allocator.TryAllocate(AllocationRequest.User, out PageRef target).IsOk)
                {
                    places[job.Count] = index;
                    job.Add(PageCopy.Of(source.Page, target.Page));
                    migration.SetTarget(index, target, source.IsWritable);
                }
            }

            Errno copied = ForEachWritten(job, place => migration.SetWritten(places[place]));
            migration.Move();
            int touched = (int)((fault.Address.Value - start) >> PageSize.Small.Shift);
            bool isLost = !migration.Sources[touched].Migrates
                && migration.Reasons[touched] is StayReason.NoDestination or StayReason.NotWritten;
            return isLost && copied != Errno.ECANCELED ? Errno.EFAULT : Errno.Ok; // after a reset the CPU faults again
        }
    }

    private Errno TryMigrate(AddressSpace space, VirtRange range, SvmMemory memory, ulong timesliceNs, out bool isWhole)
    {
        isWhole = false;
        Area? area = space.Areas.FirstOrDefault(area => area.Range.Contains(range.Start));
        if (area is null || !area.Range.Contains(range))
        {
            return area is null ? Errno.ENOENT : Errno.EINVAL;
        }

        if (area.Traits.Kind != AreaKind.AnonymousPrivate)
        {
            return Errno.EBUSY;
        }

        Errno errno = migrations.TrySetUp(
            space, new MigrationRequest(range, MigrateSelect.System, this), out AreaMigration? migration);
        if (!errno.IsOk)
        {
            return errno;
        }

        using (migration)
        {
            parts.Points?.Reach("svm-offered");
            errno = migration!.Offered.Value == (ulong)migration.Count ? TryCopy(migration, memory) : Errno.EBUSY;
            if (errno.IsOk)
            {
                memory.ExpiryNs = Machine.Clock.NowNs + timesliceNs; // CPUs may fault as soon as the entries stand
                parts.Points?.Reach("svm-copied");
                migration.Move();
                isWhole = HasAllMoved(migration);
            }

            return errno;
        }
    }

    private Errno TryCopy(AreaMigration migration, SvmMemory memory)
    {
        using CopyJob job = parts.Copier.Jobs.Rent();
        for (int index = 0; index < migration.Count; index++)
        {
            memory.AddPage();
            Errno errno = Map.TryHandOut(memory.Frames[index], out PageRef page, out PageLock pageLock);
            if (!errno.IsOk)
            {
                memory.DropPage();
                return errno;
            }

            MigratePfn source = migration.Sources[index];
            job.Add(source.HasPage ? PageCopy.Of(source.Page, page.Page) : PageCopy.Clear(page.Page));
            migration.SetTarget(index, page, source.IsWritable, pageLock);
        }

        Errno copied = parts.Copier.TryRun(job);
        for (int index = 0; index < migration.Count && copied.IsOk; index++)
        {
            migration.SetWritten(index);
        }

        return copied;
    }

    private static bool HasAllMoved(AreaMigration migration)
    {
        bool hasAll = true;
        foreach (MigratePfn source in migration.Sources)
        {
            hasAll &= source.Migrates;
        }

        return hasAll;
    }

    // Runs the job, and notes each page that it wrote; each says so itself, whatever became of the others.
    private Errno ForEachWritten(CopyJob job, Action<int> note)
    {
        Errno errno = parts.Copier.TryRun(job);
        for (int place = 0; place < job.Count && job.State != CopyJobState.Filling; place++)
        {
            if (job.IsWritten(place))
            {
                note(place);
            }
        }

        return errno;
    }

    private SvmMemory Enter(List<VramRun> runs, VramPart part)
    {
        Pfn[] frames = [.. runs.SelectMany(FramesOf)];
        var memory = new SvmMemory(this, runs, part, frames);
        using (gate.Enter())
        {
            foreach (Pfn frame in frames)
            {
                byFrame.Add(frame, memory);
            }
        }

        parts.Pool.Add(memory);
        return memory;
    }

    private IEnumerable<Pfn> FramesOf(VramRun run)
    {
        for (ulong index = 0; index < run.Count.Value; index++)
        {
            yield return parts.Bytes.FrameAt(run.First.AddChecked(new PageCount(index)));
        }
    }

    private SvmMemory? Find(Pfn page)
    {
        using RankedLock.Guard held = gate.Enter();
        return byFrame.GetValueOrDefault(page);
    }
}
