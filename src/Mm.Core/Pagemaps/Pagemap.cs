using Mm.Core.Checks;
using Mm.Core.Frames;
using Mm.Core.Locking;

namespace Mm.Core.Pagemaps;

/// <summary>Device memory that has page descriptors: which frames, whose, of which kind, and how long yet.</summary>
/// <remarks>
/// Owns its frames' descriptors from <see cref="PagemapRegistry.TryAdd"/> to its death. Does not allocate: which page is
/// free is the driver's to know, and it hands pages out one by one.
/// <para><b>Linux:</b> struct dev_pagemap, memremap_pages, memunmap_pages, zone_device_page_init and free_zone_device_folio
/// (mm/memremap.c, v6.12). Differences on purpose: the map dies only when every page is idle, where v6.12 does not wait
/// for stray references to GENERIC and FS_DAX pages; nobody sleeps for that, the death is told; handing out after
/// <see cref="Unmap"/> is refused, where Linux warns and goes on; a page is idle before its driver hears of it.</para>
/// <para><b>States:</b> live → dying → dead, see <see cref="PagemapState"/>; all in one <see cref="PagemapLife"/>.</para>
/// <para><b>Invariants:</b> (1) a page that is handed out holds the map; (2) what is dying hands nothing out and is found
/// by nobody; (3) dead maps have no descriptors, and die once; (4) each page's idle reference has one holder, see
/// <see cref="PageMarks"/>.</para>
/// <para><b>Locking:</b> safe from any thread; takes <see cref="LockRank.Pagemaps"/> when it dies, and calls the driver
/// with no lock held.</para>
/// </remarks>
public abstract partial class Pagemap : IDevicePageOwner
{
    private readonly PfnRange[] ranges; // gone over for each page: a list's enumerator would be an object
    private readonly PagemapParts parts;
    private readonly HandOutRule rule;
    private readonly PageMarks? marks; // for rules whose idle pages have a reference
    private readonly FrameSpan[] spans;
    private readonly ValiditySource validity = new();
    private readonly TaskCompletionSource death = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Action? whenDead; // written while the owner still holds the map, read after the last hold is gone
    private Action<Pagemap>? unregister; // set once by the registry, before anybody sees the map
    private ulong life = PagemapLife.Born.Bits; // a PagemapLife, changed by the loops below alone

    private protected Pagemap(PagemapRequest request, ushort index, PagemapParts parts)
    {
        this.parts = parts;
        Index = index;
        Kind = request.Kind;
        Owner = request.Owner;
        Ops = request.Ops;
        Node = request.Node.IsKnown ? request.Node : new NodeId(0);
        ranges = [.. request.Ranges.Select(range => new PfnRange(range.Start.Pfn, range.Length.ToPagesRoundDown()))];
        rule = PagemapRules.HandOut(Kind, parts.Profile);
        uint idle = rule == HandOutRule.FromZero ? 0u : 1u;
        spans = [.. ranges.Select(range => new FrameSpan(range, Node, ZoneKind.Device, index, this, idle))];
        marks = idle == 0 ? null : new PageMarks(parts.Memory, Pages);
    }

    /// <summary>The kind of memory.</summary>
    public PagemapKind Kind { get; }

    /// <summary>Whose memory it is; compared by reference, null when nobody said.</summary>
    public object? Owner { get; }

    /// <summary>What the driver does with pages that come back.</summary>
    public IPagemapOps? Ops { get; }

    /// <summary>The node it is near to.</summary>
    public NodeId Node { get; }

    /// <summary>Its frames.</summary>
    public IReadOnlyList<PfnRange> Ranges => ranges;

    /// <summary>How far its life has gone.</summary>
    public PagemapState State => Life.State;

    /// <summary>How many pages hold the map: those handed out, and the idle ones of kinds whose idle pages have a reference.</summary>
    public PageCount HeldPages => new(Life.Pages);

    /// <summary>Dies when the map is unmapped.</summary>
    public ValidityToken Validity => validity.Token;

    /// <summary>Completes when the map is dead.</summary>
    public Task WhenDead => death.Task;

    /// <summary>How many pages it has.</summary>
    public PageCount Pages => new(Ranges.Aggregate(0UL, (sum, range) => sum + range.Count.Value));

    /// <summary>Which of the machine's page maps: what a page's flags say.</summary>
    internal ushort Index { get; }

    /// <summary>The word of its life.</summary>
    internal PagemapLife Life => new(Volatile.Read(ref life));

    /// <summary>Whether a frame is one of this map's.</summary>
    /// <param name="page">The frame.</param>
    /// <returns>Whether it is.</returns>
    public bool Contains(Pfn page) => TryIndexOf(page, out _);

    /// <summary>Hands an idle page out, with one reference for the taker.</summary>
    /// <param name="page">A page of this map that the driver knows to be free.</param>
    /// <param name="reference">The reference, or an empty one when refused; the caller disposes it.</param>
    /// <param name="pageLock">
    /// The page's lock, which the caller disposes once the page is set up. Pages whose idle reference is passed on, or
    /// added to, are not locked: then it holds nothing.
    /// </param>
    /// <returns>
    /// <see cref="Errno.ENODEV"/>: the map is unmapped.
    /// <see cref="Errno.EBUSY"/>: the page is handed out already.
    /// <see cref="Errno.ENOMEM"/>: the page's references would pass their bound.
    /// </returns>
    /// <exception cref="ArgumentOutOfRangeException">The page is not in the map.</exception>
    public Errno TryHandOut(Pfn page, out PageRef reference, out PageLock pageLock)
    {
        ThrowUnlessMine(page);
        reference = default;
        pageLock = default;
        return rule switch
        {
            HandOutRule.FromZero => TryHandOutFromZero(page, out reference, out pageLock),
            _ => TryHandOutFromOne(page, out reference),
        };
    }

    /// <summary>Ends the map for its owner. It dies when the last use and the last page are back, now or later.</summary>
    /// <param name="onDead">What to do then, on the thread that drops the last hold, with no lock held; must not throw.</param>
    /// <exception cref="InvalidOperationException">The map was unmapped before.</exception>
    /// <remarks><b>Linux:</b> memunmap_pages (v6.12), which sleeps until then; here <paramref name="onDead"/> or
    /// <see cref="WhenDead"/> tells.</remarks>
    public void Unmap(Action? onDead = null)
    {
        ulong before;
        PagemapLife after;
        do
        {
            before = Volatile.Read(ref life);
            if (!new PagemapLife(before).TryKill(out after))
            {
                throw new InvalidOperationException($"a page map is unmapped once; this one is {new PagemapLife(before)}");
            }
        }
        while (Interlocked.CompareExchange(ref life, after.Bits, before) != before);

        whenDead = onDead;
        validity.Invalidate();
        parts.Points?.Reach("killed");
        RetireIdlePages();
        parts.Points?.Reach("retired");
        Unuse(); // the owner's own
    }

    void IDevicePageOwner.OnLastReference(Pfn page)
    {
        _ = parts.Frames.HeadOf(page, out int order);
        parts.Frames.ReturnDevicePage(page);
        parts.Points?.Reach("page-idle");
        if (marks is null)
        {
            for (ulong part = 0; part < 1UL << order; part++)
            {
                CallPageFree(new Pfn(page.Value + part));
            }

            Unhold(1UL << order);
            return;
        }

        ReturnToOne(page);
    }

    /// <summary>Takes the map for a lookup.</summary>
    /// <returns>Whether it is live.</returns>
    internal bool TryUse()
    {
        ulong before;
        PagemapLife after;
        do
        {
            before = Volatile.Read(ref life);
            if (!new PagemapLife(before).TryUse(out after))
            {
                return false;
            }
        }
        while (Interlocked.CompareExchange(ref life, after.Bits, before) != before);

        return true;
    }

    /// <summary>Ends a use.</summary>
    /// <exception cref="ObjectDisposedException">There is none.</exception>
    internal void Unuse()
    {
        ulong before;
        PagemapLife after;
        do
        {
            before = Volatile.Read(ref life);
            ObjectDisposedException.ThrowIf(!new PagemapLife(before).TryUnuse(out after), typeof(PagemapRef));
        }
        while (Interlocked.CompareExchange(ref life, after.Bits, before) != before);

        DieIfDead(after);
    }

    /// <summary>Gives the frames their descriptors, and takes the holds of idle pages that have a reference.</summary>
    /// <param name="onDead">How to take the map out of the registry.</param>
    /// <returns><see cref="Errno.EEXIST"/>: a frame has a descriptor already; nothing has changed.</returns>
    internal Errno TryDescribe(Action<Pagemap> onDead)
    {
        unregister = onDead;
        for (int i = 0; i < spans.Length; i++)
        {
            if (!parts.Frames.TryAddDevicePages(spans[i]).IsOk)
            {
                Undescribe(i);
                return Errno.EEXIST;
            }
        }

        if (marks is not null)
        {
            Check.That(TryHold(Pages.Value), $"invariant 1: all of {Pages} hold a fresh map; {Life}");
        }

        return Errno.Ok;
    }

    /// <summary>Gives the memory of the marks back, when the machine ends before the map.</summary>
    internal void ReleaseMarks() => marks?.Dispose();

    private protected void ThrowUnlessMine(Pfn page)
    {
        if (!Contains(page))
        {
            throw new ArgumentOutOfRangeException(
                nameof(page), page, $"page must be in {string.Join(", ", Ranges)}; it is {page}");
        }
    }
}
