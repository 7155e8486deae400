using System.Diagnostics.CodeAnalysis;
using Mm.Core;
using Mm.Core.Frames;
using Mm.Core.Locking;
using Mm.Core.Notifiers;
using Mm.Core.Pagemaps;
using Mm.Core.Spaces;

namespace Mm.Hmm.Migration;

/// <summary>Pages of one area on their way: set up, given destinations, copied by the caller, moved, finished.</summary>
/// <remarks>
/// Owns the space's lock, for reading, from its set-up to its end, and what <see cref="Count"/> pages need. The caller
/// chooses each destination and copies, by CPU or by an engine of its own, between <see cref="TrySetUp"/> and <see cref="Move"/>.
/// <para><b>Linux:</b> migrate_vma_setup, migrate_vma_pages, migrate_vma_finalize (mm/migrate_device.c, v6.12).</para>
/// <para><b>States:</b> set up → moved → finished by <see cref="Dispose"/>, which also undoes what was not moved; from a
/// <see cref="MigrationPool"/>, it is another's then.</para>
/// <para><b>Locking:</b> one caller at a time; no lock that an invalidation takes may be held at set-up.</para>
/// </remarks>
public sealed class AreaMigration : IDisposable
{
    private readonly MigrationPool? pool;
    private readonly MigrationSteps steps;
    private readonly Func<int, PageRef, bool> fillHole; // made once
    private AddressSpace space = null!; // set by TryBegin, as the rest is, before anybody else sees the migration
    private Area area = null!;
    private MigrationRequest request;
    private SpaceLock.Held held;
    private bool isMoved;
    private bool isFinished;

    internal AreaMigration(MigrationPool? pool)
    {
        this.pool = pool;
        steps = new MigrationSteps();
        fillHole = FillHole;
    }

    /// <summary>How many pages the request has.</summary>
    public int Count => steps.Count;

    /// <summary>How many are to migrate, holes included; what is offered in one piece counts once. <b>Linux:</b> cpages.</summary>
    public PageCount Offered { get; private set; }

    /// <summary>A word for each page: offered, a hole that is offered, or none. <b>Linux:</b> src.</summary>
    public ReadOnlySpan<MigratePfn> Sources => steps.Sources;

    /// <summary>The destination of each page, or none. <b>Linux:</b> dst.</summary>
    public ReadOnlySpan<MigratePfn> Targets => steps.Targets;

    /// <summary>Why each page stays that does.</summary>
    public ReadOnlySpan<StayReason> Reasons => steps.Reasons;

    /// <summary>Whether the process may write to the area: what a hole's destination may become.</summary>
    public bool IsAreaWritable => area.IsWritable;

    /// <summary>Collects and unmaps the pages: from here on CPUs that touch them wait.</summary>
    /// <param name="space">The space.</param>
    /// <param name="request">Which pages.</param>
    /// <param name="migration">The migration, which the caller disposes; null when refused. Nothing to migrate is no refusal.</param>
    /// <returns>Ok; EINVAL: no area, one that is special, a range that is empty, not whole pages or beyond the area, or a
    /// fault's page that is not device-private.</returns>
    /// <remarks><b>Linux:</b> migrate_vma_setup.</remarks>
    public static Errno TrySetUp(AddressSpace space, MigrationRequest request, out AreaMigration? migration)
    {
        ArgumentNullException.ThrowIfNull(space);
        var fresh = new AreaMigration(pool: null);
        Errno errno = fresh.TryBegin(space, request);
        migration = errno.IsOk ? fresh : null;
        return errno;
    }

    /// <summary>Gives a page its destination.</summary>
    /// <param name="index">Which page; it is offered.</param>
    /// <param name="target">A reference of a page that nobody else knows; the migration's from now on.</param>
    /// <param name="isWritable">Whether the device maps it to be written. <b>Linux:</b> MIGRATE_PFN_WRITE in dst.</param>
    /// <param name="heldLock">The lock that a device page comes with; empty for RAM, which is locked here.</param>
    /// <exception cref="ArgumentException">The destination is not as large as the page.</exception>
    /// <exception cref="InvalidOperationException">The page is not offered, has a destination, or all has moved.</exception>
    public void SetTarget(int index, PageRef target, bool isWritable, PageLock heldLock = default)
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

        steps.SetTarget(index, target, heldLock.IsHeld, isWritable);
    }

    /// <summary>Breaks up what is offered in one piece, since its destinations are single pages: each is offered for itself then.</summary>
    /// <param name="index">The first page, whose word is compound.</param>
    /// <returns>Ok; EAGAIN: somebody else holds it, and it is offered as before.</returns>
    /// <exception cref="InvalidOperationException">It is not offered in one piece, has a destination, or all has moved.</exception>
    /// <remarks><b>Linux:</b> migrate_vma_pages (v6.19) does so when it finds such destinations; here the caller says it.</remarks>
    public Errno TryBreakUp(int index)
    {
        if (isMoved || !Sources[index].Migrates || !Sources[index].IsCompound || Targets[index].HasPage)
        {
            throw new InvalidOperationException(
                $"page {index} must be offered in one piece and have no destination: {Sources[index]}, {Targets[index]}");
        }

        return steps.TryBreakUp(index);
    }

    /// <summary>Takes a page of RAM for a destination, on the node that the policies of the process and the area say.</summary>
    /// <param name="index">Which page.</param>
    /// <param name="page">The one reference to it, as large as what is offered; empty when refused. The caller's until it is a destination.</param>
    /// <returns>Ok; ENOMEM: there is none where the policy allows.</returns>
    /// <remarks><b>Linux:</b> vma_alloc_folio, as drivers call it on the way back.</remarks>
    public Errno TryAllocateRam(int index, out PageRef page)
    {
        AllocationRequest wanted = AllocationRequest.User with { Order = Sources[index].IsCompound ? PageSize.Large.Order : 0 };
        return space.TryAllocateFor(area, AddressOf(index), wanted, out page);
    }

    /// <summary>Says that a destination is wholly written: without it, the page stays.</summary>
    /// <param name="index">Which page; it has a destination.</param>
    /// <exception cref="InvalidOperationException">It has no destination.</exception>
    public void SetWritten(int index)
    {
        if (!Targets[index].HasPage)
        {
            throw new InvalidOperationException($"page {index} must have a destination");
        }

        steps.SetWritten(index);
    }

    /// <summary>Makes the destinations what the pages were. What cannot, stays, with a reason.</summary>
    /// <exception cref="InvalidOperationException">It was done before.</exception>
    /// <remarks><b>Linux:</b> migrate_vma_pages.</remarks>
    public void Move()
    {
        if (isMoved || isFinished)
        {
            throw new InvalidOperationException("pages move once");
        }

        isMoved = true;
        NotifierInvalidation invalidation = default;
        int firstHole = FirstHole();
        if (firstHole >= 0)
        {
            VirtAddr first = AddressOf(firstHole);
            var rest = new VirtRange(first, new ByteCount(request.Range.Start.Value + request.Range.Length.Value - first.Value));
            Invalidate(rest, out invalidation);
        }

        using (invalidation)
        {
            steps.Move(fillHole);
        }
    }

    /// <summary>Puts entries back and lets go of every page; CPUs that waited go on. Twice does nothing.</summary>
    /// <remarks><b>Linux:</b> migrate_vma_finalize.</remarks>
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
        held.Dispose();
        pool?.Return(this);
    }

    /// <summary>Sets the migration up.</summary>
    /// <param name="space">The space.</param>
    /// <param name="request">Which pages.</param>
    /// <returns>As <see cref="TrySetUp"/>.</returns>
    internal Errno TryBegin(AddressSpace space, MigrationRequest request)
    {
        SpaceLock.Held lease = request.Fault is null ? space.Lock.EnterRead() : default;
        if (!TryFindArea(space, request, out Area? found))
        {
            lease.Dispose();
            return Errno.EINVAL;
        }

        (this.space, this.request, area, held, isMoved, isFinished) = (space, request, found, lease, false, false);
        SetUp();
        return Errno.Ok;
    }

    private static bool TryFindArea(AddressSpace space, MigrationRequest request, [NotNullWhen(true)] out Area? area)
    {
        VirtRange range = request.Range;
        bool isWhole = ((range.Start.Value | range.Length.Value) & (PageSize.Small.Bytes.Value - 1)) == 0 && !range.IsEmpty;
        area = isWhole ? space.FindArea(range.Start) : null;
        return area is { Traits.IsSpecial: false } && area.Range.Contains(range)
            && (request.Fault is not { } fault || space.Owner.IsDevicePrivate(fault.Page));
    }

    private void SetUp()
    {
        steps.Open(space.Owner, request.Fault?.Page, checked((int)(request.Range.Length.Value >> PageSize.Small.Shift)));
        Invalidate(request.Range, out NotifierInvalidation invalidation);
        using (invalidation)
        {
            new AreaCollector(space, area, request, steps).Collect();
        }

        Offered = new PageCount((ulong)steps.Unmap());
    }

    private void Invalidate(VirtRange range, out NotifierInvalidation invalidation)
    {
        var notice = new NotifierRange(range, NotifierEvent.Migrate) { CanBlock = true, Owner = request.Owner };
        space.Notifiers.TryInvalidate(notice, out invalidation).ThrowIfError();
    }

    /// <summary>The address of a page.</summary>
    /// <param name="index">Which page.</param>
    /// <returns>The address.</returns>
    public VirtAddr AddressOf(int index) => new(request.Range.Start.Value + ((ulong)index << PageSize.Small.Shift));

    private int FirstHole()
    {
        for (int index = 0; index < Count; index++)
        {
            if (Sources[index].IsHole)
            {
                return index;
            }
        }

        return -1;
    }

    // A destination that nothing was migrated to: the device's own page for memory that was never touched.
    // Linux: migrate_vma_insert_page.
    private bool FillHole(int index, PageRef target)
    {
        if (area.Traits.Kind != AreaKind.AnonymousPrivate)
        {
            return false;
        }

        VirtAddr at = AddressOf(index);
        space.PrepareRoot(area);
        if (Sources[index].IsCompound)
        {
            return FillLargeHole(at, target);
        }

        Pte before = space.Tables.ReadLeaf(at, out PageSize size);
        if (size == PageSize.Large && before.IsZeroPage)
        {
            space.SplitLeaf(at); // offered in one piece, and filled page by page
            before = space.Tables.ReadLeaf(at, out size);
        }

        if (size == PageSize.Large || !(before.IsNone || before.IsZeroPage))
        {
            return false;
        }

        Pte entry = space.Owner.IsDevicePrivate(target.Page)
            ? Pte.DevicePrivate(target.Page, area.IsWritable).MakeAnonExclusive()
            : OwnEntry(target.Page);
        space.AddNewAnonymous(area, at, target.Page, pages: 1);
        space.Parts.Frames.GetFrame(target.Page);
        space.Parts.Points?.Reach("fill-hole");
        if (space.Tables.TryExchange(at, before, entry, out _).IsOk)
        {
            space.FlushTlb();
            return true;
        }

        space.RemoveAnonymous(target.Page, pages: 1);
        space.Parts.Frames.SetBelongsTo(target.Page, mapping: 0, index: 0);
        space.Parts.Frames.PutFrame(target.Page);
        return false;
    }

    // Linux: migrate_vma_insert_huge_pmd_page (v6.19).
    private bool FillLargeHole(VirtAddr at, PageRef target)
    {
        Pte before = space.Tables.ReadLeaf(at, out PageSize size);
        if (!before.IsNone && !(size == PageSize.Large && before.IsZeroPage))
        {
            return false;
        }

        Pte entry = space.Owner.IsDevicePrivate(target.Page)
            ? Pte.DevicePrivate(target.Page, area.IsWritable).MakeAnonExclusive()
            : OwnEntry(target.Page);
        int pages = (int)PageSize.Large.Pages.Value;
        space.AddNewAnonymous(area, at, target.Page, pages);
        space.Parts.Frames.GetFrame(target.Page);
        space.Parts.Points?.Reach("fill-hole");
        if (space.Tables.TryExchangeLarge(at, before, entry.MakeLarge(), out _).IsOk)
        {
            space.FlushTlb();
            return true;
        }

        space.RemoveAnonymous(target.Page, pages);
        space.Parts.Frames.SetBelongsTo(target.Page, mapping: 0, index: 0);
        space.Parts.Frames.PutFrame(target.Page);
        return false;
    }

    private Pte OwnEntry(Pfn page)
    {
        Pte entry = Pte.Present(page, area.EntryProtection).MakeAnonExclusive();
        return area.IsWritable ? entry.MakeDirty().MakeWritable() : entry;
    }
}
