using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.Dma;
using Mm.Core.Locking;
using Mm.Core.Native;

namespace Mm.Devices.Iommufd;

/// <summary>An I/O page table that devices are behind: where each I/O page leads, and whether a device wrote to it.</summary>
/// <remarks>
/// Owns its entries, not the pages they lead to: those are pinned by the spaces that map them here. Strict as the
/// kernel's mock domain is: what is unmapped must begin and end where something that was mapped began and ended.
/// <para><b>Linux:</b> struct iommu_domain with the operations of struct mock_iommu_domain
/// (drivers/iommu/iommufd/selftest.c, v6.12).</para>
/// <para><b>Invariants:</b> (1) an entry lies in the aperture; (2) mapping finds nothing, unmapping finds everything;
/// (3) where there are no large pages, an unmap begins at a first and ends at a last entry of mappings.</para>
/// <para><b>Locking:</b> one lock, rank IommuPageTable, also while a device's access moves bytes: after an unmap no access
/// to what was there is on its way.</para>
/// </remarks>
public sealed class IoDomain
{
    private readonly RankedLock gate = new(LockRank.IommuPageTable);
    private readonly Machine machine;
    private readonly Dictionary<ulong, IoEntry> entries = []; // by I/O page; protected by gate
    private readonly ulong pageBytes;
    private readonly ulong largeBytes;
    private bool isTracking; // protected by gate

    internal IoDomain(Machine machine, IoDomainOptions options)
    {
        this.machine = machine;
        Options = options;
        pageBytes = options.PageBytes.Value;
        largeBytes = options.LargePageBytes.Value;
    }

    /// <summary>What it can do.</summary>
    public IoDomainOptions Options { get; }

    /// <summary>How many I/O pages lead somewhere.</summary>
    public int MappedCount
    {
        get
        {
            using (gate.Enter())
            {
                return entries.Count;
            }
        }
    }

    /// <summary>Whether it records what devices write to.</summary>
    public bool IsTrackingDirty
    {
        get
        {
            using (gate.Enter())
            {
                return isTracking;
            }
        }

        internal set
        {
            using (gate.Enter())
            {
                isTracking = value;
            }
        }
    }

    /// <summary>Where an I/O address leads.</summary>
    /// <param name="address">The I/O address.</param>
    /// <param name="target">The physical address, or 0 when nothing is mapped there.</param>
    /// <returns>Whether something is mapped there.</returns>
    /// <remarks><b>Linux:</b> iommu_iova_to_phys (v6.12).</remarks>
    public bool TryTranslate(DmaAddr address, out PhysAddr target)
    {
        using (gate.Enter())
        {
            bool isMapped = entries.TryGetValue(address.Value / pageBytes, out IoEntry entry);
            target = isMapped ? entry.Target.AddChecked(new ByteCount(address.Value % pageBytes)) : default;
            return isMapped;
        }
    }

    /// <summary>Reads as a device behind it does. What lies before a fault is read.</summary>
    /// <param name="address">The first I/O address.</param>
    /// <param name="bytes">Where to put the bytes.</param>
    /// <returns><see cref="Errno.EFAULT"/>: nothing is mapped at one of the addresses, or not to be read.</returns>
    public Errno TryRead(DmaAddr address, Span<byte> bytes)
    {
        using (gate.Enter())
        {
            while (!bytes.IsEmpty)
            {
                if (!TryLease(address, bytes.Length, IoAccess.Read, out SpanLease lease))
                {
                    return Errno.EFAULT;
                }

                int moved = lease.Bytes.Length;
                lease.Bytes.CopyTo(bytes);
                lease.Dispose();
                bytes = bytes[moved..];
                address = address.AddWrapping(new ByteCount((ulong)moved));
            }
        }

        return Errno.Ok;
    }

    /// <summary>Writes as a device behind it does; pages written to become dirty. What lies before a fault is written.</summary>
    /// <param name="address">The first I/O address.</param>
    /// <param name="bytes">The bytes.</param>
    /// <returns><see cref="Errno.EFAULT"/>: nothing is mapped at one of the addresses, or not to be written.</returns>
    public Errno TryWrite(DmaAddr address, ReadOnlySpan<byte> bytes)
    {
        using (gate.Enter())
        {
            while (!bytes.IsEmpty)
            {
                if (!TryLease(address, bytes.Length, IoAccess.Write, out SpanLease lease))
                {
                    return Errno.EFAULT;
                }

                int moved = lease.Bytes.Length;
                bytes[..moved].CopyTo(lease.Bytes);
                lease.Dispose();
                MarkDirty(address.Value / pageBytes);
                bytes = bytes[moved..];
                address = address.AddWrapping(new ByteCount((ulong)moved));
            }
        }

        return Errno.Ok;
    }

    /// <summary>Maps a run; nothing may be mapped there yet.</summary>
    /// <param name="address">The first I/O address.</param>
    /// <param name="target">The first physical address.</param>
    /// <param name="length">How many bytes.</param>
    /// <param name="access">What a device may do.</param>
    /// <returns>
    /// <see cref="Errno.EINVAL"/>: an address or the length is no multiple of an I/O page.
    /// <see cref="Errno.ENOENT"/>: a failure was planned at <see cref="IommufdContext.Fault"/>.
    /// </returns>
    internal Errno TryMap(DmaAddr address, PhysAddr target, ByteCount length, IoAccess access)
    {
        if (((address.Value | target.Value | length.Value) & (pageBytes - 1)) != 0)
        {
            return Errno.EINVAL;
        }

        if (machine.Faults.ShouldFail(IommufdContext.Fault))
        {
            return Errno.ENOENT;
        }

        Check.That(Options.Aperture.Contains(Run(address, length)), $"io domain invariant 1: {address} and {length}");
        using (gate.Enter())
        {
            for (ulong done = 0; done < length.Value; done += pageBytes)
            {
                bool isLarge = IsLarge(address.Value, target.Value, length.Value, done);
                var entry = new IoEntry(
                    target.AddChecked(new ByteCount(done)), access, done == 0, done + pageBytes == length.Value, isLarge);
                bool isNew = entries.TryAdd((address.Value + done) / pageBytes, entry);
                Check.That(isNew, $"io domain invariant 2: 0x{address.Value + done:x} is mapped already");
            }
        }

        return Errno.Ok;
    }

    /// <summary>Unmaps a run that is mapped whole.</summary>
    /// <param name="range">The run.</param>
    internal void Unmap(IoRange range)
    {
        using (gate.Enter())
        {
            ulong first = range.First.Value / pageBytes;
            ulong last = range.Last.Value / pageBytes;
            for (ulong page = first; page <= last; page++)
            {
                bool was = entries.Remove(page, out IoEntry entry);
                Check.That(was, $"io domain invariant 2: 0x{page * pageBytes:x} is not mapped");
                bool isCut = largeBytes == 0 && ((page == first && !entry.IsFirst) || (page == last && !entry.IsLast));
                Check.That(!isCut, $"io domain invariant 3: unmapping {range} cuts a mapping at 0x{page * pageBytes:x}");
            }
        }
    }

    /// <summary>Takes in which pages of a range devices wrote to.</summary>
    /// <param name="range">The range.</param>
    /// <param name="isCleared">Whether they are clean from here on.</param>
    /// <param name="onDirty">Told each dirty page, a large one whole.</param>
    internal void ReadDirty(IoRange range, bool isCleared, Action<IoRange>? onDirty)
    {
        using (gate.Enter())
        {
            for (ulong at = range.First.Value; at <= range.Last.Value;)
            {
                bool isMapped = entries.TryGetValue(at / pageBytes, out IoEntry entry);
                ulong step = isMapped && entry.IsLarge ? largeBytes : pageBytes;
                if (isMapped && TestDirty(at & ~(step - 1), step, isCleared))
                {
                    onDirty?.Invoke(new IoRange(new DmaAddr(at), new DmaAddr(at + (step - 1))));
                }

                if (step > ulong.MaxValue - at)
                {
                    break;
                }

                at += step;
            }
        }
    }

    private static IoRange Run(DmaAddr first, ByteCount length) =>
        new(first, new DmaAddr(first.Value + (length.Value - 1)));

    // As the core of Linux chooses: a large page where both addresses and what is left allow it.
    private bool IsLarge(ulong address, ulong target, ulong length, ulong done)
    {
        if (largeBytes == 0 || ((address ^ target) & (largeBytes - 1)) != 0)
        {
            return false;
        }

        ulong head = (address + done) & ~(largeBytes - 1);
        return head >= address && head - address <= length && largeBytes <= length - (head - address);
    }

    private bool TestDirty(ulong head, ulong size, bool isCleared)
    {
        bool isDirty = false;
        for (ulong page = head / pageBytes; page < (head + size) / pageBytes; page++)
        {
            if (entries.TryGetValue(page, out IoEntry entry) && entry.IsDirty)
            {
                isDirty = true;
                entries[page] = isCleared ? entry with { IsDirty = false } : entry;
            }
        }

        return isDirty;
    }

    private void MarkDirty(ulong page)
    {
        if (isTracking)
        {
            entries[page] = entries[page] with { IsDirty = true };
        }
    }

    private bool TryLease(DmaAddr address, int most, IoAccess access, out SpanLease lease)
    {
        lease = default;
        if (!entries.TryGetValue(address.Value / pageBytes, out IoEntry entry) || !entry.Access.HasFlag(access))
        {
            return false;
        }

        ulong offset = address.Value % pageBytes;
        var length = new ByteCount(Math.Min(pageBytes - offset, (ulong)most));
        lease = machine.Lease(new PhysRange(entry.Target.AddChecked(new ByteCount(offset)), length));
        return true;
    }

    // One I/O page: where it leads, and where the mapping that made it began and ended.
    private readonly record struct IoEntry(
        PhysAddr Target, IoAccess Access, bool IsFirst, bool IsLast, bool IsLarge)
    {
        public bool IsDirty { get; init; }
    }
}
