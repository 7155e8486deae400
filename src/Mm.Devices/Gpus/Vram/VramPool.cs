using Mm.Core;
using Mm.Core.Locking;

namespace Mm.Devices.Gpus.Vram;

/// <summary>The one allocator of a GPU's memory: buffers, pages of processes and all else come from here.</summary>
/// <remarks>
/// Owns which pages are taken, and the order in which tenants were used last. Short of pages, it asks the one that was used
/// longest ago to leave. Not responsible for the bytes.
/// <para><b>Linux:</b> a TTM resource manager over drm_buddy, with ttm_lru_bulk_move and ttm_bo_evict_first (v6.12).</para>
/// <para><b>Invariants:</b> (1) a page is taken by one tenant at most; (2) the pages of both parts are all pages.</para>
/// <para><b>Locking:</b> a leaf lock; tenants are asked with none held.</para>
/// </remarks>
public sealed class VramPool
{
    private readonly RankedLock gate = new(LockRank.Leaf);
    private readonly VramPages visible; // protected by gate
    private readonly VramPages hidden; // protected by gate
    private readonly LinkedList<IVramTenant> tenants = []; // used longest ago first; protected by gate
    private readonly FaultInjector faults;
    private long evictions; // atomic

    /// <summary>All pages free.</summary>
    /// <param name="faults">What is to fail: <see cref="FaultPoint.DevicePage"/>.</param>
    /// <param name="visiblePages">How many pages CPUs and peers reach.</param>
    /// <param name="pages">How many pages there are.</param>
    internal VramPool(FaultInjector faults, PageCount visiblePages, PageCount pages)
    {
        this.faults = faults;
        VisiblePages = visiblePages;
        Pages = pages;
        visible = new VramPages(PageCount.Zero, visiblePages);
        hidden = new VramPages(visiblePages, pages.SubtractChecked(visiblePages));
    }

    /// <summary>How many pages there are.</summary>
    public PageCount Pages { get; }

    /// <summary>How many of them CPUs and peers reach: the first ones.</summary>
    public PageCount VisiblePages { get; }

    /// <summary>How many pages are taken.</summary>
    public PageCount UsedPages => Pages.SubtractChecked(CountFree(VramPart.Visible)).SubtractChecked(CountFree(VramPart.Hidden));

    /// <summary>How often a tenant left because another one wanted its pages.</summary>
    public long Evictions => Volatile.Read(ref evictions);

    /// <summary>How many tenants there are.</summary>
    internal int TenantCount
    {
        get
        {
            using RankedLock.Guard held = gate.Enter();
            return tenants.Count;
        }
    }

    /// <summary>How many pages of a part are free.</summary>
    /// <param name="part">The part.</param>
    /// <returns>The count.</returns>
    public PageCount CountFree(VramPart part)
    {
        using RankedLock.Guard held = gate.Enter();
        return PartOf(part).Free;
    }

    /// <summary>In which part a page lies.</summary>
    /// <param name="page">How many pages lie before it.</param>
    /// <returns>The part.</returns>
    public VramPart PartAt(PageCount page) => page < VisiblePages ? VramPart.Visible : VramPart.Hidden;

    /// <summary>Takes pages of a part that are free now.</summary>
    /// <param name="pages">How many; not zero.</param>
    /// <param name="part">The part.</param>
    /// <param name="runs">Where to add them.</param>
    /// <returns>Ok; ENOMEM: not as many are free, or a failure was planned.</returns>
    internal Errno TryTake(PageCount pages, VramPart part, List<VramRun> runs)
    {
        if (faults.ShouldFail(FaultPoint.DevicePage))
        {
            return Errno.ENOMEM;
        }

        using RankedLock.Guard held = gate.Enter();
        return PartOf(part).TryTake(pages, runs) ? Errno.Ok : Errno.ENOMEM;
    }

    /// <summary>Takes pages of a part, asking tenants to leave until there are enough. Wants no lock held.</summary>
    /// <param name="pages">How many; not zero.</param>
    /// <param name="part">The part.</param>
    /// <param name="runs">Where to add them.</param>
    /// <returns>Ok; ENOMEM: not as many can be had.</returns>
    internal Errno TryTakeEvicting(PageCount pages, VramPart part, List<VramRun> runs)
    {
        Errno errno = TryTake(pages, part, runs);
        if (errno.IsOk || pages > PagesOf(part))
        {
            return errno;
        }

        foreach (IVramTenant tenant in Collect())
        {
            if (tenant.TryEvict(part))
            {
                Interlocked.Increment(ref evictions);
                errno = TryTake(pages, part, runs);
                if (errno.IsOk)
                {
                    return errno;
                }
            }
        }

        return errno;
    }

    /// <summary>Takes pages back.</summary>
    /// <param name="runs">The pages.</param>
    internal void Return(IReadOnlyList<VramRun> runs)
    {
        using RankedLock.Guard held = gate.Enter();
        foreach (VramRun run in runs)
        {
            PartOf(PartAt(run.First)).Return(run);
        }
    }

    /// <summary>A tenant has come, or another part of the memory is its: it is the last one to be asked to leave.</summary>
    /// <param name="tenant">The tenant.</param>
    internal void Add(IVramTenant tenant)
    {
        using RankedLock.Guard held = gate.Enter();
        _ = tenants.Remove(tenant);
        tenants.AddLast(tenant);
    }

    /// <summary>A tenant was used just now: it is the last one to be asked to leave. One that has gone stays gone.</summary>
    /// <param name="tenant">The tenant.</param>
    internal void Touch(IVramTenant tenant)
    {
        using RankedLock.Guard held = gate.Enter();
        if (tenants.Remove(tenant))
        {
            tenants.AddLast(tenant);
        }
    }

    /// <summary>A tenant has gone; one that never was does no harm.</summary>
    /// <param name="tenant">The tenant.</param>
    internal void Forget(IVramTenant tenant)
    {
        using RankedLock.Guard held = gate.Enter();
        _ = tenants.Remove(tenant);
    }

    /// <summary>Counts the pages anew.</summary>
    /// <exception cref="Mm.Core.Checks.MmBugException">A count is wrong.</exception>
    internal void Validate()
    {
        using RankedLock.Guard held = gate.Enter();
        visible.Validate();
        hidden.Validate();
    }

    private PageCount PagesOf(VramPart part) =>
        part == VramPart.Visible ? VisiblePages : Pages.SubtractChecked(VisiblePages);

    private VramPages PartOf(VramPart part) => part == VramPart.Visible ? visible : hidden;

    private IVramTenant[] Collect()
    {
        using RankedLock.Guard held = gate.Enter();
        return [.. tenants];
    }
}
