using Mm.Core;
using Mm.Core.Frames;
using Mm.Core.Spaces;

namespace Mm.Hmm.Migration;

/// <summary>Pages of a device on their way out of it, whoever maps them: what a driver does before its memory goes.</summary>
/// <remarks>
/// Owns a lock and a reference of each page. Set up, given destinations, copied by the caller, moved, finished, as an
/// <see cref="AreaMigration"/> is, without an area.
/// <para><b>Linux:</b> migrate_device_range, migrate_device_pfns, migrate_device_pages, migrate_device_finalize (v6.12; whole
/// folios of v6.19). Deliberate difference: a folio may be broken up for want of a destination, where Linux leaves it.</para>
/// <para><b>States:</b> set up → moved → finished by <see cref="Dispose"/>; from a <see cref="MigrationPool"/>, it is
/// another's then.</para>
/// <para><b>Locking:</b> one caller at a time; no lock that an invalidation takes may be held at set-up.</para>
/// </remarks>
public sealed class FrameMigration : IDisposable
{
    private readonly MigrationPool? pool;
    private readonly MigrationSteps steps = new();
    private bool isMoved;
    private bool isFinished;

    internal FrameMigration(MigrationPool? pool) => this.pool = pool;

    /// <summary>How many pages.</summary>
    public int Count => steps.Count;

    /// <summary>A word for each page: offered, or none. The first word of what is offered in one piece stands for all.</summary>
    public ReadOnlySpan<MigratePfn> Sources => steps.Sources;

    /// <summary>The destination of each page, or none.</summary>
    public ReadOnlySpan<MigratePfn> Targets => steps.Targets;

    /// <summary>Why each page stays that does.</summary>
    public ReadOnlySpan<StayReason> Reasons => steps.Reasons;

    /// <summary>Collects and unmaps pages of a device. Those that nobody holds, or whose lock is taken, are passed over.</summary>
    /// <param name="spaces">The machine's spaces.</param>
    /// <param name="pages">The device's frames. A folio of 2 MiB, all of whose frames stand here in a row, is offered in one piece
    /// by kernels that move it so (<see cref="LinuxProfile.MigratesLargePages"/>); any other is broken up.</param>
    /// <returns>The migration, which the caller disposes.</returns>
    public static FrameMigration SetUp(AddressSpaces spaces, ReadOnlySpan<Pfn> pages)
    {
        ArgumentNullException.ThrowIfNull(spaces);
        var migration = new FrameMigration(pool: null);
        migration.Begin(spaces, pages);
        return migration;
    }

    /// <summary>Gives a page its destination.</summary>
    /// <param name="index">Which page; it is offered.</param>
    /// <param name="target">A reference of a page of RAM, as large, that nobody else knows; the migration's from now on.</param>
    /// <exception cref="ArgumentException">The destination is not as large as the page.</exception>
    /// <exception cref="InvalidOperationException">The page is not offered, has a destination, or all has moved.</exception>
    public void SetTarget(int index, PageRef target)
    {
        PageSize size = Sources[index].IsCompound ? PageSize.Large : PageSize.Small;
        if (target.Frames.Count != size.Pages)
        {
            throw new ArgumentException($"target must be as large as the page, {size}; it is {target.Frames.Count}", nameof(target));
        }

        if (isMoved || !Sources[index].Migrates || Targets[index].HasPage)
        {
            throw new InvalidOperationException(
                $"page {index} must be offered and have no destination: {Sources[index]}, {Targets[index]}");
        }

        steps.SetTarget(index, target, isLocked: false, Sources[index].IsWritable);
    }

    /// <summary>Breaks up what is offered in one piece: each page is offered for itself then.</summary>
    /// <param name="index">The first page, whose word is compound.</param>
    /// <returns>Ok; EAGAIN: somebody else holds it, and it is offered as before.</returns>
    /// <exception cref="InvalidOperationException">It is not offered in one piece, has a destination, or all has moved.</exception>
    /// <remarks><b>Linux:</b> none; a folio without a destination as large stays (v6.19). A device whose memory goes cannot wait.</remarks>
    public Errno TryBreakUp(int index)
    {
        if (isMoved || !Sources[index].Migrates || !Sources[index].IsCompound || Targets[index].HasPage)
        {
            throw new InvalidOperationException(
                $"page {index} must be offered in one piece and have no destination: {Sources[index]}, {Targets[index]}");
        }

        return steps.TryBreakUp(index);
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
        pool?.Return(this);
    }

    /// <summary>Sets the migration up.</summary>
    /// <param name="spaces">The machine's spaces.</param>
    /// <param name="pages">The device's frames.</param>
    internal void Begin(AddressSpaces spaces, ReadOnlySpan<Pfn> pages)
    {
        (isMoved, isFinished) = (false, false);
        steps.Open(spaces, faultPage: null, pages.Length);
        while (steps.Count < pages.Length)
        {
            ReadOnlySpan<Pfn> rest = pages[steps.Count..];
            if (!TryCollectWhole(spaces, rest))
            {
                Collect(spaces, rest[0]);
            }
        }

        _ = steps.Unmap();
    }

    // Linux: migrate_device_range (v6.19).
    private bool TryCollectWhole(AddressSpaces spaces, ReadOnlySpan<Pfn> rest)
    {
        FrameTable frames = spaces.Parts.Frames;
        if (!spaces.Parts.Profile.MigratesLargePages || !BeginsWithFolio(frames, rest) || !frames.TryGet(rest[0], out PageRef held).IsOk)
        {
            return false;
        }

        Pfn head = rest[0];
        if (!spaces.PageLocks.TryLock(head))
        {
            held.Dispose();
            steps.AddLarge(default, StayReason.Locked);
            return true;
        }

        if (!BeginsWithFolio(frames, rest))
        {
            spaces.PageLocks.Unlock(head); // it was broken up before it was locked
            held.Dispose();
            return false;
        }

        steps.AddLarge(MigratePfn.Offer(head, isWritable: false).MadeCompound());
        return true;
    }

    private static bool BeginsWithFolio(FrameTable frames, ReadOnlySpan<Pfn> pages)
    {
        int count = (int)PageSize.Large.Pages.Value;
        bool isHead = pages.Length >= count && frames.HeadOf(pages[0], out int order) == pages[0] && order == PageSize.Large.Order;
        for (int part = 1; isHead && part < count; part++)
        {
            isHead = pages[part].Value == pages[0].Value + (ulong)part;
        }

        return isHead;
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

    // Where it cannot go whole: the kernel moves none so, or not all of it is to go.
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
