using Mm.Core.Frames;

namespace Mm.Core.Spaces;

/// <summary>The entries of one area, as its owner fills them while it is asked to.</summary>
/// <remarks>
/// Lives as long as the call of <see cref="IAreaOperations"/> that it came with. What it inserts counts a page
/// (<see cref="TryInsertPage"/>) or counts nothing: then the owner takes the entries away before the memory goes.
/// <para><b>Linux:</b> vm_insert_page, vmf_insert_pfn, vmf_insert_mixed, remap_pfn_range (mm/memory.c, v6.12). Differences: a
/// private mapping of remapped frames keeps its offset; the protection is the area's; no cache modes.</para>
/// <para><b>Locking:</b> the caller's: the space's lock.</para>
/// <para><c>default</c> is of no area, and every member throws.</para>
/// </remarks>
public readonly ref struct AreaFilling
{
    private readonly AddressSpace space;

    internal AreaFilling(AddressSpace space, Area area)
    {
        this.space = space;
        Area = area;
    }

    /// <summary>Whose memory.</summary>
    public AddressSpace Space => space;

    /// <summary>The area: where, which pages of the backing, and what the process may do.</summary>
    public Area Area { get; }

    private PageTables Tables => space.Tables;

    private FrameTable Frames => space.Parts.Frames;

    /// <summary>Maps a page that the owner holds; the entry takes a reference of its own.</summary>
    /// <param name="at">The page's address.</param>
    /// <param name="page">The page.</param>
    /// <returns>Ok; EFAULT: the address is not in the area; EINVAL: the frame has no metadata, nobody holds the page, it is a
    /// process's own, or it is the page of zeros where that could be written; EBUSY: an entry stands there; ENOMEM: no memory
    /// for a table, or the page has too many references.</returns>
    /// <exception cref="InvalidOperationException">The area maps bare frames.</exception>
    /// <remarks><b>Linux:</b> vm_insert_page.</remarks>
    public Errno TryInsertPage(VirtAddr at, Pfn page)
    {
        Require(Area.Traits.Kind is AreaKind.Mixed or AreaKind.PeerMemory, "an area of bare frames counts no page");
        if (!Area.Range.Contains(at))
        {
            return Errno.EFAULT;
        }

        if (page == space.Owner.ZeroPage)
        {
            return MayShowZeros ? TryPut(at, ZeroEntry()) : Errno.EINVAL;
        }

        Errno errno = Frames.TryGet(page, out PageRef held);
        if (!errno.IsOk || space.Owner.IsAnonymous(page) || space.Owner.IsDevicePrivate(page))
        {
            held.Dispose();
            return errno == Errno.ENOMEM ? errno : Errno.EINVAL;
        }

        return TryPutPage(at, held);
    }

    /// <summary>Maps a frame that nobody counts.</summary>
    /// <param name="at">The page's address.</param>
    /// <param name="frame">The frame; in a mixed area, one without metadata.</param>
    /// <returns>Done, also where an entry stands; bus error: the address is not in the area; out of memory.</returns>
    /// <exception cref="InvalidOperationException">The area counts its pages, is a private one, or is mixed and the frame has
    /// metadata.</exception>
    /// <remarks><b>Linux:</b> vmf_insert_pfn.</remarks>
    public FaultResult InsertFrame(VirtAddr at, Pfn frame)
    {
        Require(Area.Traits.Kind != AreaKind.PeerMemory, "peer memory is mapped page by page");
        Require(IsMixed || !Area.Traits.IsCow, "a private mapping of frames is filled when it is made");
        Require(!IsMixed || !Frames.HasMetadata(frame), "a mixed area counts pages that can be counted");
        return Put(at, frame);
    }

    /// <summary>Maps a frame of a mixed area, whether it has metadata or not; nobody counts it.</summary>
    /// <param name="at">The page's address.</param>
    /// <param name="frame">The frame.</param>
    /// <returns>Done, also where an entry stands; bus error: the address is not in the area, or the page of zeros could be
    /// written; out of memory.</returns>
    /// <exception cref="InvalidOperationException">The area is not mixed.</exception>
    /// <remarks><b>Linux:</b> vmf_insert_mixed, on x86, where entries can say that they are special.</remarks>
    public FaultResult InsertMixed(VirtAddr at, Pfn frame)
    {
        Require(IsMixed, "only a mixed area shows both");
        if (frame != space.Owner.ZeroPage)
        {
            return Put(at, frame);
        }

        return MayShowZeros && Area.Range.Contains(at) ? ResultOf(TryPut(at, ZeroEntry())) : FaultResult.BusError;
    }

    /// <summary>Maps a run of frames at once, when the area is made; nobody counts them.</summary>
    /// <param name="at">The first page's address.</param>
    /// <param name="frames">The frames.</param>
    /// <returns>Ok; EINVAL: a private mapping that may become writable, and not all of it; ENOMEM: no memory for a table: then
    /// none is mapped.</returns>
    /// <exception cref="InvalidOperationException">The area counts its pages, the run leaves it, or an entry stands there.</exception>
    /// <remarks><b>Linux:</b> remap_pfn_range.</remarks>
    public Errno TryRemap(VirtAddr at, PfnRange frames)
    {
        Require(Area.Traits.Kind is AreaKind.PfnMapped or AreaKind.DeviceMemory, "an area that counts pages maps no bare frames");
        var range = new VirtRange(at, frames.Count.ToBytes());
        Require(Area.Range.Contains(range) && at.IsAligned(PageSize.Small), $"{range} must be pages of {Area.Range}");
        if (Area.Traits.IsCow && range != Area.Range)
        {
            return Errno.EINVAL;
        }

        for (ulong done = 0; done < frames.Count.Value; done++)
        {
            VirtAddr next = at.AddChecked(new PageCount(done).ToBytes());
            Errno errno = TryPut(next, Special(new Pfn(frames.Start.Value + done)));
            if (errno == Errno.ENOMEM)
            {
                space.ZapWithNotice(range, Notifiers.NotifierEvent.Clear);
                return errno;
            }

            Require(errno.IsOk, $"an entry stands at {next}");
        }

        return Errno.Ok;
    }

    private bool IsMixed => Area.Traits.Kind == AreaKind.Mixed;

    // Linux: vm_mixed_zeropage_allowed.
    private bool MayShowZeros => Area.Traits.IsCow || (Area.Traits.Forbidden & AreaAccess.Write) != AreaAccess.None;

    private static FaultResult ResultOf(Errno errno) => errno == Errno.ENOMEM ? FaultResult.OutOfMemory : FaultResult.Done;

    private static void Require(bool isTrue, string rule)
    {
        if (!isTrue)
        {
            throw new InvalidOperationException(rule);
        }
    }

    private Pte ZeroEntry()
    {
        Pte zero = Pte.ZeroPage(space.Owner.ZeroPage);
        return Area.EntryProtection == PteProtection.None ? zero.Modify(PteProtection.None) : zero;
    }

    private Pte Special(Pfn frame)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(frame.Value, Pte.FrameNumberMask, nameof(frame));
        return Pte.Present(frame, Area.EntryProtection).MakeSpecial();
    }

    private FaultResult Put(VirtAddr at, Pfn frame) =>
        Area.Range.Contains(at) ? ResultOf(TryPut(at, Special(frame))) : FaultResult.BusError;

    private Errno TryPutPage(VirtAddr at, PageRef held)
    {
        Pfn page = held.Page;
        RssKind kind = space.Owner.KindOf(page);
        Frames.AddMapping(page);
        space.CountRss(kind, 1);
        Errno errno = TryPut(at, Pte.Present(page, Area.EntryProtection));
        if (!errno.IsOk)
        {
            space.CountRss(kind, -1);
            Frames.RemoveMapping(page);
            held.Dispose();
        }

        return errno; // done, the reference is the entry's
    }

    // EBUSY: an entry stands there.
    private Errno TryPut(VirtAddr at, Pte entry)
    {
        VirtAddr page = at.AlignDown(PageSize.Small);
        if (space.Parts.Faults.ShouldFail(AreaBacking.InsertFault))
        {
            return Errno.ENOMEM;
        }

        space.Parts.Points?.Reach("insert-special");
        Errno errno = Tables.TryExchange(page, default, entry, out _);
        return errno == Errno.EAGAIN ? Errno.EBUSY : errno;
    }
}
