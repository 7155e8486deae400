using Mm.Core;
using Mm.Core.Checks;

namespace Mm.Devices.Iommufd;

/// <content>The domains that the areas are mapped into.</content>
public sealed partial class IoAddressSpace
{
    private readonly List<IoDomain> domains = []; // changed with domainGate and areaGate held, read with either
    private bool hasLargePages = true; // likewise

    /// <summary>The domains.</summary>
    public IReadOnlyList<IoDomain> Domains
    {
        get
        {
            using (domainGate.Enter())
            {
                return [.. domains];
            }
        }
    }

    /// <summary>Whether domains may use large pages; without, every page is mapped on its own.</summary>
    public bool HasLargePages
    {
        get
        {
            using (areaGate.Enter())
            {
                return hasLargePages;
            }
        }
    }

    /// <summary>Makes a domain and maps all areas into it; their pages are pinned if nobody has them pinned yet.</summary>
    /// <param name="options">What the domain can do.</param>
    /// <param name="domain">The domain, or null when refused.</param>
    /// <returns>
    /// <see cref="Errno.EINVAL"/>: its pages are above 4 KiB.
    /// <see cref="Errno.EADDRINUSE"/>: a mapping is not on its I/O pages, or a mapping or an allowed range is outside its aperture.
    /// <see cref="Errno.EFAULT"/>: a page cannot be pinned.
    /// <see cref="Errno.ENOMEM"/>: over the account's limit, or no memory.
    /// <see cref="Errno.ENOENT"/>: the space is destroyed, or a planned failure of the domain.
    /// </returns>
    /// <remarks><b>Linux:</b> iopt_table_add_domain (v6.12), as attaching a device and IOMMU_HWPT_ALLOC call it.</remarks>
    public Errno TryAddDomain(IoDomainOptions options, out IoDomain? domain)
    {
        ArgumentNullException.ThrowIfNull(options);
        domain = null;
        if (Faults.ShouldFail(FaultPoint.Slab))
        {
            return Errno.ENOMEM;
        }

        var candidate = new IoDomain(Context.Machine, options);
        using (domainGate.Enter())
        using (areaGate.Enter())
        {
            ulong wanted = Math.Max(options.PageBytes.Value, alignment);
            Errno errno = isDestroyed ? Errno.ENOENT : CheckAlignment(wanted);
            errno = errno.IsOk ? TryReserveOutside(candidate) : errno;
            if (errno.IsOk && Faults.ShouldFail(FaultPoint.Slab))
            {
                errno = Errno.ENOMEM;
            }

            errno = errno.IsOk ? TryFillDomain(candidate) : errno;
            if (!errno.IsOk)
            {
                _ = reserved.RemoveAll(range => range.Owner == candidate);
                return errno;
            }

            alignment = wanted;
            domains.Add(candidate);
        }

        domain = candidate;
        return Errno.Ok;
    }

    /// <summary>Takes a domain away: nothing is mapped in it afterwards, and pages that nobody else needs are unpinned.</summary>
    /// <param name="domain">The domain.</param>
    /// <exception cref="ArgumentException">It is not a domain of the space.</exception>
    /// <remarks><b>Linux:</b> iopt_table_remove_domain (v6.12).</remarks>
    public void RemoveDomain(IoDomain domain)
    {
        using (domainGate.Enter())
        using (areaGate.Enter())
        {
            if (!domains.Remove(domain))
            {
                throw new ArgumentException("the domain must be one of the space", nameof(domain));
            }

            for (int i = 0; i < areas.Count; i++)
            {
                if (areas[i].Pages is { } pages)
                {
                    EmptyDomain(areas[i], pages, domain);
                }
            }

            _ = reserved.RemoveAll(range => range.Owner == domain);
            Errno errno = TryRealign();
            Check.That(errno.IsOk, $"io space: one domain fewer cannot ask for more; {errno}");
        }
    }

    /// <summary>Says whether domains may use large pages.</summary>
    /// <param name="isOn">Whether they may.</param>
    /// <returns>
    /// <see cref="Errno.EINVAL"/>: to forbid them, while a domain has something mapped.
    /// <see cref="Errno.EADDRINUSE"/>: to forbid them, while a mapping is not on whole pages of 4 KiB.
    /// </returns>
    /// <remarks><b>Linux:</b> IOMMU_OPTION_HUGE_PAGES (v6.12).</remarks>
    public Errno TrySetLargePages(bool isOn)
    {
        using (domainGate.Enter())
        using (areaGate.Enter())
        {
            if (!isOn && hasLargePages && domains.Count > 0 && areas.Count > 0)
            {
                return Errno.EINVAL;
            }

            bool before = hasLargePages;
            hasLargePages = isOn;
            Errno errno = TryRealign();
            hasLargePages = errno.IsOk ? isOn : before;
            return errno;
        }
    }

    // Both gates are held.
    private Errno TryRealign()
    {
        ulong wanted = hasLargePages ? 1 : SmallPage;
        wanted = domains.Aggregate(wanted, static (most, domain) => Math.Max(most, domain.Options.PageBytes.Value));
        wanted = accesses.Aggregate(wanted, static (most, access) => Math.Max(most, access.Alignment));
        if (wanted > alignment)
        {
            Errno errno = CheckAlignment(wanted);
            if (!errno.IsOk)
            {
                return errno;
            }
        }

        alignment = wanted;
        return Errno.Ok;
    }

    private Errno CheckAlignment(ulong wanted)
    {
        if (wanted > SmallPage)
        {
            return Errno.EINVAL;
        }

        for (int i = 0; i < areas.Count && wanted != alignment; i++)
        {
            if (!areas[i].IsAligned(wanted))
            {
                return Errno.EADDRINUSE;
            }
        }

        return Errno.Ok;
    }

    private Errno TryReserveOutside(IoDomain domain)
    {
        IoRange aperture = domain.Options.Aperture;
        Errno errno = aperture.First == DmaAddr.Zero
            ? Errno.Ok
            : TryReserve(new IoRange(DmaAddr.Zero, new DmaAddr(aperture.First.Value - 1)), domain);
        return errno.IsOk && aperture.Last != DmaAddr.MaxValue
            ? TryReserve(new IoRange(new DmaAddr(aperture.Last.Value + 1), DmaAddr.MaxValue), domain)
            : errno;
    }

    // Both gates are held. All areas, or none.
    private Errno TryFillDomain(IoDomain domain)
    {
        for (int i = 0; i < areas.Count; i++)
        {
            Errno errno = areas[i].Pages is { } pages ? TryFillDomain(areas[i], pages, domain) : Errno.Ok;
            if (!errno.IsOk)
            {
                for (int undo = 0; undo < i; undo++)
                {
                    if (areas[undo].Pages is { } filled)
                    {
                        EmptyDomain(areas[undo], filled, domain);
                    }
                }

                return errno;
            }
        }

        return Errno.Ok;
    }

    private Errno TryFillDomain(IoArea area, IoPages pages, IoDomain domain)
    {
        using (pages.Gate.Enter())
        {
            Errno errno = area.IsFilled ? Errno.Ok : pages.TryHold(area.FirstIndex, area.LastIndex);
            if (!errno.IsOk)
            {
                return errno;
            }

            errno = TryMapInto(area, pages, domain);
            if (!errno.IsOk && !area.IsFilled)
            {
                pages.Unhold(area.FirstIndex, area.LastIndex);
            }

            area.IsFilled |= errno.IsOk;
            return errno;
        }
    }

    // The last domain to go takes the area's hold along; what is unmapped is unmapped before it is unpinned.
    private void EmptyDomain(IoArea area, IoPages pages, IoDomain domain)
    {
        using (pages.Gate.Enter())
        {
            domain.Unmap(area.Range);
            if (domains.Count == 0)
            {
                area.IsFilled = false;
                pages.Unhold(area.FirstIndex, area.LastIndex);
            }
        }
    }

    // domainGate is held; the area is nobody else's.
    private Errno TryFill(IoArea area, IoPages pages)
    {
        if (domains.Count == 0)
        {
            return Errno.Ok;
        }

        using (pages.Gate.Enter())
        {
            Errno errno = pages.TryHold(area.FirstIndex, area.LastIndex);
            if (!errno.IsOk)
            {
                return errno;
            }

            for (int i = 0; i < domains.Count; i++)
            {
                errno = TryMapInto(area, pages, domains[i]);
                if (!errno.IsOk)
                {
                    for (int undo = 0; undo < i; undo++)
                    {
                        domains[undo].Unmap(area.Range);
                    }

                    pages.Unhold(area.FirstIndex, area.LastIndex);
                    return errno;
                }
            }

            area.IsFilled = true;
        }

        return Errno.Ok;
    }

    // domainGate is held; the area is nobody else's.
    private void Unfill(IoArea area, IoPages pages)
    {
        using (pages.Gate.Enter())
        {
            if (!area.IsFilled)
            {
                return;
            }

            foreach (IoDomain domain in domains)
            {
                domain.Unmap(area.Range);
            }

            area.IsFilled = false;
            pages.Unhold(area.FirstIndex, area.LastIndex);
        }
    }

    // Maps frames in a row as one run, so that a domain can use large pages; all of the area, or nothing.
    private Errno TryMapInto(IoArea area, IoPages pages, IoDomain domain)
    {
        for (ulong index = area.FirstIndex; index <= area.LastIndex;)
        {
            ulong next = index + 1;
            while (hasLargePages && next <= area.LastIndex && pages.FrameOf(next).Value == pages.FrameOf(index).Value + (next - index))
            {
                next++;
            }

            DmaAddr address = area.AddressOf(index);
            ulong offset = index == area.FirstIndex ? area.PageOffset : 0;
            var length = new ByteCount(area.LastAddressOf(next - 1).Value - address.Value + 1);
            Errno errno = domain.TryMap(
                address, pages.FrameOf(index).Address.AddChecked(new ByteCount(offset)), length, area.Access);
            if (!errno.IsOk)
            {
                if (index > area.FirstIndex)
                {
                    domain.Unmap(new IoRange(area.Range.First, new DmaAddr(address.Value - 1)));
                }

                return errno;
            }

            index = next;
        }

        return Errno.Ok;
    }
}
