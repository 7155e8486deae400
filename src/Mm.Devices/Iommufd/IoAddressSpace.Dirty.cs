using Mm.Core;

namespace Mm.Devices.Iommufd;

/// <content>Which pages devices wrote to.</content>
public sealed partial class IoAddressSpace
{
    /// <summary>Begins or ends recording what devices behind a domain write to. Beginning starts from clean pages.</summary>
    /// <param name="domain">A domain of the space.</param>
    /// <param name="isOn">Whether to record.</param>
    /// <returns><see cref="Errno.EOPNOTSUPP"/>: the domain cannot.</returns>
    /// <exception cref="ArgumentException">It is not a domain of the space.</exception>
    /// <remarks><b>Linux:</b> IOMMU_HWPT_SET_DIRTY_TRACKING (v6.12).</remarks>
    public Errno TrySetDirtyTracking(IoDomain domain, bool isOn)
    {
        using (areaGate.Enter())
        {
            ThrowIfNotOurs(domain);
            if (!domain.Options.CanTrackDirty)
            {
                return Errno.EOPNOTSUPP;
            }

            for (int i = 0; i < areas.Count && isOn; i++)
            {
                if (areas[i].Pages is not null)
                {
                    domain.ReadDirty(areas[i].Range, isCleared: true, onDirty: null);
                }
            }

            domain.IsTrackingDirty = isOn;
        }

        return Errno.Ok;
    }

    /// <summary>Reads which pages devices behind a domain wrote to since they were last cleared.</summary>
    /// <param name="domain">A domain of the space.</param>
    /// <param name="address">The first I/O address; on a page of <paramref name="pageBytes"/>.</param>
    /// <param name="length">How many bytes; whole pages of <paramref name="pageBytes"/>.</param>
    /// <param name="pageBytes">What one bit stands for; a power of two, at least an I/O page.</param>
    /// <param name="bitmap">Where bits are set, the lowest of the first byte for the first page; bits are never cleared.</param>
    /// <param name="isCleared">Whether pages told dirty are clean from here on.</param>
    /// <returns>
    /// <see cref="Errno.EINVAL"/>: no length, or something is not on a page.
    /// <see cref="Errno.EOVERFLOW"/>: the range passes the top.
    /// <see cref="Errno.EOPNOTSUPP"/>: the domain cannot.
    /// </returns>
    /// <exception cref="ArgumentException">It is not a domain of the space, or the bitmap is too short.</exception>
    /// <remarks>
    /// <b>Linux:</b> IOMMU_HWPT_GET_DIRTY_BITMAP, cleared without IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR (v6.12). As there,
    /// what follows a hole is not told, and while nothing is recorded nothing is told; neither is refused.
    /// </remarks>
    public Errno TryReadDirty(
        IoDomain domain, DmaAddr address, ByteCount length, ByteCount pageBytes, Span<byte> bitmap, bool isCleared = true)
    {
        Errno errno = IoRange.TryCreate(address, length, out IoRange range);
        if (!errno.IsOk)
        {
            return errno;
        }

        using (areaGate.Enter())
        {
            ThrowIfNotOurs(domain);
            ulong mask = Math.Max(pageBytes.Value, alignment) - 1;
            if (!ulong.IsPow2(pageBytes.Value) || ((address.Value | length.Value) & mask) != 0)
            {
                return Errno.EINVAL;
            }

            if (length.Value / pageBytes.Value > (ulong)bitmap.Length * 8)
            {
                throw new ArgumentException($"bitmap must have a bit for each of {length.Value / pageBytes.Value} pages", nameof(bitmap));
            }

            if (!domain.Options.CanTrackDirty)
            {
                return Errno.EOPNOTSUPP;
            }

            var dirty = new List<IoRange>();
            var walk = new AreaWalk(areas, range);
            while (domain.IsTrackingDirty && walk.MoveNext())
            {
                domain.ReadDirty(new IoRange(walk.At, walk.Last), isCleared, dirty.Add);
            }

            foreach (IoRange page in dirty)
            {
                SetBits(bitmap, page, range, pageBytes.Value);
            }
        }

        return Errno.Ok;
    }

    // A large page may reach beyond what was asked for.
    private static void SetBits(Span<byte> bitmap, IoRange page, IoRange range, ulong pageBytes)
    {
        ulong last = Math.Min(page.Last.Value, range.Last.Value) - range.First.Value;
        for (ulong bit = (page.First.Value - range.First.Value) / pageBytes; bit <= last / pageBytes; bit++)
        {
            bitmap[(int)(bit / 8)] |= (byte)(1 << (int)(bit % 8));
        }
    }

    private void ThrowIfNotOurs(IoDomain domain)
    {
        if (!domains.Contains(domain))
        {
            throw new ArgumentException("the domain must be one of the space", nameof(domain));
        }
    }
}
