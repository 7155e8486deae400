using Mm.Core;
using Mm.Core.Frames;
using Mm.Core.Spaces;

namespace Mm.Hmm.Migration;

/// <summary>Pages of a device on their way out of it, whoever maps them: what a driver does before its memory goes.</summary>
/// <remarks>
/// Owns a lock and a reference of each page. Set up, given destinations, copied by the caller, moved, finished, as an
/// <see cref="AreaMigration"/> is, without an area.
/// <para><b>Linux:</b> migrate_device_range, migrate_device_pfns, migrate_device_pages, migrate_device_finalize (v6.12).
/// Deliberate difference: a page of 2 MiB (v6.19) is broken up, never taken whole.</para>
/// <para><b>Locking:</b> one caller at a time; no lock that an invalidation takes may be held at set-up.</para>
/// </remarks>
public sealed class FrameMigration : IDisposable
{
    private readonly MigrationSteps steps = new();
    private bool isMoved;
    private bool isFinished;

    private FrameMigration()
    {
    }

    /// <summary>How many pages.</summary>
    public int Count => steps.Count;

    /// <summary>A word for each page: offered, or none.</summary>
    public ReadOnlySpan<MigratePfn> Sources => steps.Sources;

    /// <summary>The destination of each page, or none.</summary>
    public ReadOnlySpan<MigratePfn> Targets => steps.Targets;

    /// <summary>Why each page stays that does.</summary>
    public ReadOnlySpan<StayReason> Reasons => steps.Reasons;

    /// <summary>Collects and unmaps pages of a device. Those that nobody holds, or whose lock is taken, are passed over.</summary>
    /// <param name="spaces">The machine's spaces.</param>
    /// <param name="pages">The device's frames.</param>
    /// <returns>The migration, which the caller disposes.</returns>
    public static FrameMigration SetUp(AddressSpaces spaces, ReadOnlySpan<Pfn> pages)
    {
        ArgumentNullException.ThrowIfNull(spaces);
        var migration = new FrameMigration();
        migration.steps.Open(spaces, faultPage: null, pages.Length);
        foreach (Pfn page in pages)
        {
            migration.Collect(spaces, page);
        }

        _ = migration.steps.Unmap();
        return migration;
    }

    /// <summary>Gives a page its destination.</summary>
    /// <param name="index">Which page; it is offered.</param>
    /// <param name="target">A reference of a page of RAM that nobody else knows; the migration's from now on.</param>
    /// <exception cref="InvalidOperationException">The page is not offered, has a destination, or all has moved.</exception>
    public void SetTarget(int index, PageRef target)
    {
        if (isMoved || !Sources[index].Migrates || Targets[index].HasPage)
        {
            throw new InvalidOperationException(
                $"page {index} must be offered and have no destination: {Sources[index]}, {Targets[index]}");
        }

        steps.SetTarget(index, target, isLocked: false, Sources[index].IsWritable);
    }

    /// <summary>Says that a destination is wholly written: without it, the page stays.</summary>
    /// <param name="index">Which page.</param>
    public void SetWritten(int index) => steps.SetWritten(index);

    /// <summary>Makes the destinations what the pages were.</summary>
    /// <exception cref="InvalidOperationException">It was done before.</exception>
    public void Move()
    {
        if (isMoved || isFinished)
        {
            throw new InvalidOperationException("pages move once");
        }

        isMoved = true;
        steps.Move(fillHole: null);
    }

    /// <summary>Puts entries back and lets go of every page. Twice does nothing.</summary>
    public void Dispose()
    {
        if (isFinished)
        {
            return;
        }

        isFinished = true;
        if (!isMoved)
        {
            steps.Abandon();
        }

        steps.Finish();
        steps.Close();
    }

    private void Collect(AddressSpaces spaces, Pfn page)
    {
        if (spaces.Parts.Frames.IsLarge(page) && !TryBreakUp(spaces, page))
        {
            steps.Add(default, StayReason.PartOfLarge);
            return;
        }

        if (!spaces.Parts.Frames.TryGet(page, out PageRef held).IsOk)
        {
            steps.Add(default, StayReason.Elsewhere);
            return;
        }

        if (!spaces.PageLocks.TryLock(page))
        {
            held.Dispose();
            steps.Add(default, StayReason.Locked);
            return;
        }

        steps.Add(MigratePfn.Offer(page, isWritable: false));
    }

    // Out of a device pages go one by one: its memory goes whatever room RAM has.
    private static bool TryBreakUp(AddressSpaces spaces, Pfn page)
    {
        Pfn head = spaces.Parts.Frames.HeadOf(page, out _);
        if (!spaces.Parts.Frames.TryGet(head, out PageRef held).IsOk)
        {
            return true; // it went meanwhile
        }

        bool isSplit = false;
        if (spaces.PageLocks.TryLock(head))
        {
            isSplit = !spaces.Parts.Frames.IsLarge(head) || spaces.Migration.TrySplit(head).IsOk;
            spaces.PageLocks.Unlock(head);
        }

        held.Dispose();
        return isSplit;
    }
}
