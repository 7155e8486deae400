using Mm.Core;
using Mm.Core.Frames;
using Mm.Hmm.Copying;
using Mm.Hmm.Migration;

namespace Mm.Hmm.Mirrors;

/// <content>Memory goes back to the system, whoever maps it.</content>
public sealed partial class MirrorDevice
{
    private const int EvictBatch = 1024; // 4 MiB: at least one page of 2 MiB in one piece, wherever it begins

    /// <summary>Brings every page back to system memory, whoever maps it. Pages that somebody holds, or for which there is no
    /// memory, stay. What is one piece of 2 MiB comes whole (v6.19), or page by page where RAM has no such piece.</summary>
    /// <returns>How many pages came back; of what comes whole, those too that nobody maps any more.</returns>
    /// <remarks><b>Linux:</b> dmirror_device_evict_chunk.</remarks>
    public PageCount Evict()
    {
        Span<Pfn> batch = stackalloc Pfn[EvictBatch];
        ulong evicted = 0;
        int next = 0;
        int count;
        while ((count = pages.CollectUsed(ref next, batch)) != 0)
        {
            evicted += EvictSome(batch[..count]);
        }

        return new PageCount(evicted);
    }

    private ulong EvictSome(ReadOnlySpan<Pfn> some)
    {
        using FrameMigration migration = Migrations.SetUp(Machine.Spaces, some);
        CopyHome(migration);
        migration.Move();
        ulong moved = 0;
        foreach (MigratePfn source in migration.Sources)
        {
            moved += source is { Migrates: true, HasPage: true } ? SizeOf(source).Pages.Value : 0;
        }

        return moved;
    }

    private void CopyHome(FrameMigration migration)
    {
        using CopyJob job = jobs.Rent();
        Span<int> places = stackalloc int[migration.Count];
        for (int index = 0; index < migration.Count; index++)
        {
            if (migration.Sources[index].Migrates && TryFindRam(migration, index, out PageRef target))
            {
                MigratePfn source = migration.Sources[index]; // it may have been broken up
                places[job.Count] = index;
                job.Add(PageCopy.Of(source.Page, target.Page, SizeOf(source)));
                migration.SetTarget(index, target);
            }
        }

        bool isDone = TryRunJob(job);
        for (int place = 0; place < job.Count && isDone; place++)
        {
            if (job.IsWritten(place))
            {
                migration.SetWritten(places[place]);
            }
        }
    }

    private bool TryFindRam(FrameMigration migration, int index, out PageRef target)
    {
        PageSize size = SizeOf(migration.Sources[index]);
        AllocationRequest wanted = AllocationRequest.User;
        bool isFound = Machine.Allocator.TryAllocate(wanted with { Order = size.Order }, out target).IsOk;
        bool isBrokenUp = !isFound && size == PageSize.Large && migration.TryBreakUp(index).IsOk;
        return isFound || (isBrokenUp && Machine.Allocator.TryAllocate(wanted, out target).IsOk);
    }

    private static PageSize SizeOf(MigratePfn source) => source.IsCompound ? PageSize.Large : PageSize.Small;
}
