using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.Dma;
using Mm.Core.Locking;

namespace Mm.Devices.Iommufd;

/// <summary>An I/O address space: which of a user's memory devices see at which I/O addresses.</summary>
/// <remarks>
/// Owns its areas, the domains that they are mapped into, and the accesses of software. Without a domain and an access
/// nothing is pinned: a mapping is then a promise. Not responsible for the pages, which spaces share (copying).
/// <para><b>Linux:</b> struct iommufd_ioas with struct io_pagetable (drivers/iommu/iommufd/ioas.c, io_pagetable.c, v6.12).
/// Difference: the read-write semaphores are plain locks.</para>
/// <para><b>Invariants:</b> (1) areas overlap neither one another nor a reserved range; (2) every area lies on the alignment;
/// (3) allowed and reserved ranges do not overlap; (4) every domain maps exactly the areas, each to the frames that its
/// pages have pinned.</para>
/// <para><b>Locking:</b> safe from any thread. Ranks IoSpaceDomains, then IoSpaceAreas, then IoSpacePages of one pages at a
/// time. Owners of accesses are called with none.</para>
/// </remarks>
public sealed partial class IoAddressSpace
{
    private const ulong SmallPage = 4096;
    private const int UnmapTries = 100;

    private readonly RankedLock domainGate = new(LockRank.IoSpaceDomains);
    private readonly RankedLock areaGate = new(LockRank.IoSpaceAreas);
    private readonly IoAreaList areas = new(); // protected by areaGate
    private bool isDestroyed; // protected by areaGate

    internal IoAddressSpace(IommufdContext context) => Context = context;

    /// <summary>Whose space it is.</summary>
    public IommufdContext Context { get; }

    /// <summary>How many mappings there are.</summary>
    public int AreaCount
    {
        get
        {
            using (areaGate.Enter())
            {
                return areas.Count;
            }
        }
    }

    private FaultInjector Faults => Context.Faults;

    /// <summary>Maps a user's memory where there is room.</summary>
    /// <param name="user">The user.</param>
    /// <param name="start">The user's first address.</param>
    /// <param name="length">How many bytes.</param>
    /// <param name="access">What devices may do.</param>
    /// <param name="address">The first I/O address, never 0; 0 when refused.</param>
    /// <returns>
    /// <see cref="Errno.EINVAL"/>: no access, no length, or the length or the user's address is not on the alignment.
    /// <see cref="Errno.EOVERFLOW"/>: the memory passes the top of the user's addresses.
    /// <see cref="Errno.ENOSPC"/>: no hole among the allowed ranges is large enough.
    /// <see cref="Errno.EFAULT"/>: a page cannot be pinned, and a domain wants it.
    /// <see cref="Errno.ENOMEM"/>: over the account's limit, or no memory.
    /// <see cref="Errno.ENOENT"/>: the space is destroyed, or a planned failure of a domain.
    /// </returns>
    /// <remarks><b>Linux:</b> IOMMU_IOAS_MAP (v6.12).</remarks>
    public Errno TryMap(IUserPages user, VirtAddr start, ByteCount length, IoAccess access, out DmaAddr address) =>
        TryMapUser(user, start, length, access, fixedAddress: null, out address);

    /// <summary>Maps a user's memory at an address.</summary>
    /// <param name="address">The first I/O address.</param>
    /// <param name="user">The user.</param>
    /// <param name="start">The user's first address.</param>
    /// <param name="length">How many bytes.</param>
    /// <param name="access">What devices may do.</param>
    /// <returns>
    /// <see cref="Errno.EINVAL"/>: no access, no length, something is not on the alignment, or a range there is reserved.
    /// <see cref="Errno.EOVERFLOW"/>: the memory or the I/O addresses pass the top.
    /// <see cref="Errno.EEXIST"/>: something is mapped there.
    /// <see cref="Errno.EFAULT"/>, <see cref="Errno.ENOMEM"/>, <see cref="Errno.ENOENT"/>: as of <see cref="TryMap"/>.
    /// </returns>
    /// <remarks><b>Linux:</b> IOMMU_IOAS_MAP with IOMMU_IOAS_MAP_FIXED_IOVA (v6.12).</remarks>
    public Errno TryMapAt(DmaAddr address, IUserPages user, VirtAddr start, ByteCount length, IoAccess access) =>
        TryMapUser(user, start, length, access, address, out _);

    /// <summary>Maps what another space, or this one, has mapped; the pages are shared, and pinned once.</summary>
    /// <param name="source">The other space, of the same context.</param>
    /// <param name="from">The first I/O address there.</param>
    /// <param name="length">How many bytes.</param>
    /// <param name="access">What devices may do.</param>
    /// <param name="address">The first I/O address here; 0 when refused.</param>
    /// <returns>
    /// <see cref="Errno.ENOENT"/>: something there is not mapped, or this space is destroyed.
    /// <see cref="Errno.EPERM"/>: writing is asked for, and the pages were mapped without.
    /// The others as of <see cref="TryMap"/>.
    /// </returns>
    /// <remarks><b>Linux:</b> IOMMU_IOAS_COPY (v6.12).</remarks>
    public Errno TryCopy(IoAddressSpace source, DmaAddr from, ByteCount length, IoAccess access, out DmaAddr address) =>
        TryCopyFrom(source, from, length, access, fixedAddress: null, out address);

    /// <summary>Maps what another space, or this one, has mapped, at an address.</summary>
    /// <param name="address">The first I/O address here.</param>
    /// <param name="source">The other space, of the same context.</param>
    /// <param name="from">The first I/O address there.</param>
    /// <param name="length">How many bytes.</param>
    /// <param name="access">What devices may do.</param>
    /// <returns>
    /// <see cref="Errno.ENOENT"/>, <see cref="Errno.EPERM"/>: as of <see cref="TryCopy"/>. The others as of
    /// <see cref="TryMapAt"/>.
    /// </returns>
    /// <remarks><b>Linux:</b> IOMMU_IOAS_COPY with IOMMU_IOAS_MAP_FIXED_IOVA (v6.12).</remarks>
    public Errno TryCopyAt(DmaAddr address, IoAddressSpace source, DmaAddr from, ByteCount length, IoAccess access) =>
        TryCopyFrom(source, from, length, access, address, out _);

    /// <summary>Unmaps whole mappings in a range. Owners of accesses to them are told first.</summary>
    /// <param name="address">The first I/O address.</param>
    /// <param name="length">How many bytes; from 0, 2^64-1 means everything, and that nothing is mapped is then fine.</param>
    /// <param name="unmapped">How many bytes of mappings are gone, also when refused half-way.</param>
    /// <returns>
    /// <see cref="Errno.EINVAL"/>: no length.
    /// <see cref="Errno.EOVERFLOW"/>: the range passes the top.
    /// <see cref="Errno.ENOENT"/>: nothing is mapped there, or a mapping lies there in part: it stays, those before it are gone.
    /// <see cref="Errno.EBUSY"/>: a mapping there is being made or taken away by somebody else.
    /// <see cref="Errno.EDEADLK"/>: an access does not let go, after 100 times of telling.
    /// </returns>
    /// <remarks><b>Linux:</b> IOMMU_IOAS_UNMAP (v6.12).</remarks>
    public Errno TryUnmap(DmaAddr address, ByteCount length, out ByteCount unmapped)
    {
        unmapped = default;
        if (address == DmaAddr.Zero && length == ByteCount.MaxValue)
        {
            return TryUnmapRange(IoRange.All, out unmapped);
        }

        if (address == DmaAddr.MaxValue || length == ByteCount.MaxValue)
        {
            return Errno.EOVERFLOW;
        }

        Errno errno = IoRange.TryCreate(address, length, out IoRange range);
        errno = errno.IsOk ? TryUnmapRange(range, out unmapped) : errno;
        return errno.IsOk && unmapped.IsZero ? Errno.ENOENT : errno;
    }

    /// <summary>Ends the space and its mappings.</summary>
    /// <returns><see cref="Errno.EBUSY"/>: it has a domain or an access.</returns>
    /// <remarks><b>Linux:</b> IOMMU_DESTROY (v6.12).</remarks>
    public Errno TryDestroy()
    {
        using (domainGate.Enter())
        using (areaGate.Enter())
        {
            if (domains.Count > 0 || accesses.Count > 0)
            {
                return Errno.EBUSY;
            }

            isDestroyed = true;
        }

        Errno errno = TryUnmapRange(IoRange.All, out _);
        Check.That(errno.IsOk, $"io space: without accesses unmapping all cannot be refused; {errno}");
        Context.Forget(this);
        return Errno.Ok;
    }

    internal void Close()
    {
        foreach (SpaceAccess access in CopyAccesses())
        {
            access.Dispose();
        }

        foreach (IoDomain domain in Domains)
        {
            RemoveDomain(domain);
        }

        TryDestroy().ThrowIfError();
    }

    private static void ReleaseAll(IEnumerable<IoSlice> slices)
    {
        foreach (IoSlice slice in slices)
        {
            slice.Pages.Release();
        }
    }

    private Errno TryMapUser(
        IUserPages user, VirtAddr start, ByteCount length, IoAccess access, DmaAddr? fixedAddress, out DmaAddr address)
    {
        ArgumentNullException.ThrowIfNull(user);
        address = default;
        if (fixedAddress == DmaAddr.MaxValue || length == ByteCount.MaxValue)
        {
            return Errno.EOVERFLOW;
        }

        if (!IsLegal(access))
        {
            return Errno.EINVAL;
        }

        Errno errno = IoPages.TryCreate(Context, user, start, length, access.HasFlag(IoAccess.Write), out IoPages? pages);
        if (!errno.IsOk)
        {
            return errno;
        }

        IoSlice[] slices = [new IoSlice(pages!, start.OffsetIn(PageSize.Small), length)];
        return TryMapSlices(slices, length, access, fixedAddress, out address);
    }

    private Errno TryCopyFrom(
        IoAddressSpace source, DmaAddr from, ByteCount length, IoAccess access, DmaAddr? fixedAddress, out DmaAddr address)
    {
        ArgumentNullException.ThrowIfNull(source);
        if (source.Context != Context)
        {
            throw new ArgumentException("the other space must be of the same context", nameof(source));
        }

        address = default;
        if (length == ByteCount.MaxValue || from == DmaAddr.MaxValue || fixedAddress == DmaAddr.MaxValue)
        {
            return Errno.EOVERFLOW;
        }

        if (!IsLegal(access))
        {
            return Errno.EINVAL;
        }

        Errno errno = source.TryShare(from, length, out List<IoSlice> slices);
        return errno.IsOk ? TryMapSlices(slices, length, access, fixedAddress, out address) : errno;
    }

    private static bool IsLegal(IoAccess access) => access is IoAccess.Read or IoAccess.Write or IoAccess.ReadWrite;

    // The pages behind a range, a reference each.
    private Errno TryShare(DmaAddr from, ByteCount length, out List<IoSlice> slices)
    {
        slices = [];
        Errno errno = IoRange.TryCreate(from, length, out IoRange range);
        if (!errno.IsOk)
        {
            return errno;
        }

        using (areaGate.Enter())
        {
            var walk = new AreaWalk(areas, range);
            while (errno.IsOk && walk.MoveNext())
            {
                errno = Faults.ShouldFail(FaultPoint.Slab) ? Errno.ENOMEM : Errno.Ok;
                if (errno.IsOk)
                {
                    walk.Area.Pages!.AddReference();
                    var part = new ByteCount(walk.Last.Value - walk.At.Value + 1);
                    slices.Add(new IoSlice(walk.Area.Pages, walk.Area.StartByte(walk.At), part));
                }
            }

            errno = errno.IsOk && !walk.IsComplete ? Errno.ENOENT : errno;
        }

        if (!errno.IsOk)
        {
            ReleaseAll(slices);
        }

        return errno;
    }

    // Takes the addresses first, so that pages are pinned without the areas' lock; then fills; then shows the areas.
    private Errno TryMapSlices(
        IReadOnlyList<IoSlice> slices, ByteCount length, IoAccess access, DmaAddr? fixedAddress, out DmaAddr address)
    {
        address = fixedAddress ?? default;
        Errno errno = Errno.Ok;
        for (int i = 0; i < slices.Count && errno.IsOk; i++)
        {
            errno = Faults.ShouldFail(FaultPoint.Slab) ? Errno.ENOMEM : Errno.Ok;
        }

        if (errno.IsOk)
        {
            using (areaGate.Enter())
            {
                errno = TryPlace(slices, length, access, fixedAddress is null, ref address);
            }
        }

        Context.Points?.Reach("map-placed");
        if (errno.IsOk)
        {
            errno = TryFillAndShow(slices);
        }

        if (!errno.IsOk)
        {
            using (areaGate.Enter())
            {
                foreach (IoSlice slice in slices.Where(slice => slice.Area is not null))
                {
                    areas.Remove(slice.Area!);
                }
            }

            ReleaseAll(slices);
            address = default;
        }

        return errno;
    }

    private Errno TryPlace(
        IReadOnlyList<IoSlice> slices, ByteCount length, IoAccess access, bool isChosen, ref DmaAddr address)
    {
        if (isDestroyed)
        {
            return Errno.ENOENT;
        }

        if (length.IsZero || (length.Value & (alignment - 1)) != 0)
        {
            return Errno.EINVAL;
        }

        Errno errno = isChosen
            ? TryChoose(slices[0].Pages.Start.AddWrapping(slices[0].StartByte), length, out address)
            : CheckFree(address, length);
        ulong at = address.Value;
        for (int i = 0; i < slices.Count && errno.IsOk; i++)
        {
            errno = TryAddArea(slices[i], new DmaAddr(at), access);
            at = unchecked(at + slices[i].Length.Value); // the last slice may end at the top
        }

        return errno;
    }

    private Errno TryAddArea(IoSlice slice, DmaAddr at, IoAccess access)
    {
        if (access.HasFlag(IoAccess.Write) && !slice.Pages.IsWritable)
        {
            return Errno.EPERM;
        }

        if ((slice.StartByte.Value & (SmallPage - 1) & (alignment - 1)) != 0)
        {
            return Errno.EINVAL;
        }

        var range = new IoRange(at, new DmaAddr(at.Value + (slice.Length.Value - 1)));
        slice.Area = new IoArea(range, slice.StartByte, access);
        areas.Add(slice.Area);
        return Errno.Ok;
    }

    private Errno TryFillAndShow(IReadOnlyList<IoSlice> slices)
    {
        using (domainGate.Enter())
        {
            for (int i = 0; i < slices.Count; i++)
            {
                Errno errno = TryFill(slices[i].Area!, slices[i].Pages);
                if (!errno.IsOk)
                {
                    for (int undo = 0; undo < i; undo++)
                    {
                        Unfill(slices[undo].Area!, slices[undo].Pages);
                    }

                    return errno;
                }
            }

            using (areaGate.Enter())
            {
                foreach (IoSlice slice in slices)
                {
                    slice.Area!.Pages = slice.Pages;
                }
            }
        }

        return Errno.Ok;
    }

    private Errno TryUnmapRange(IoRange range, out ByteCount unmapped)
    {
        ulong done = 0;
        DmaAddr start = range.First;
        int tries = 0;
        Errno errno;
        UnmapStep step;
        do
        {
            errno = TryUnmapNext(range, ref start, ref tries, ref done, out step, out IoRange told);
            Context.Points?.Reach("unmap-step");
            if (step == UnmapStep.Tell)
            {
                Tell(told);
                errno = ++tries > UnmapTries ? Errno.EDEADLK : Errno.Ok;
            }
        }
        while (errno.IsOk && step != UnmapStep.End);
        unmapped = new ByteCount(done);
        return errno;
    }

    // Unmaps the first area from start on; or says that its accesses must be told first.
    private Errno TryUnmapNext(
        IoRange range, ref DmaAddr start, ref int tries, ref ulong done, out UnmapStep step, out IoRange told)
    {
        step = UnmapStep.End;
        told = default;
        using (domainGate.Enter())
        {
            IoArea? area;
            IoPages pages;
            using (areaGate.Enter())
            {
                area = areas.Find(new IoRange(start, range.Last));
                if (area is null)
                {
                    return Errno.Ok;
                }

                if (area.Pages is null)
                {
                    return Errno.EBUSY;
                }

                if (area.Range.First < start || area.Range.Last > range.Last)
                {
                    return Errno.ENOENT;
                }

                tries = area.Range.First == start ? tries : 0;
                if (area.AccessCount > 0)
                {
                    start = area.Range.First;
                    area.RefusesAccess = true;
                    (step, told) = (UnmapStep.Tell, area.Range);
                    return Errno.Ok;
                }

                pages = area.Pages;
                area.Pages = null;
            }

            Unfill(area, pages);
            using (areaGate.Enter())
            {
                areas.Remove(area);
            }

            pages.Release();
            done += area.Range.Last.Value - area.Range.First.Value + 1;
            if (area.Range.Last < range.Last)
            {
                step = UnmapStep.Next;
                start = new DmaAddr(area.Range.Last.Value + 1);
            }

            return Errno.Ok;
        }
    }

    private enum UnmapStep
    {
        End,
        Next,
        Tell,
    }
}
