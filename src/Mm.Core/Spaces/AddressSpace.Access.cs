using Mm.Core.Locking;
using Mm.Core.Native;

namespace Mm.Core.Spaces;

/// <content>What the CPU does with an address.</content>
public sealed partial class AddressSpace
{
    /// <summary>The CPU reads bytes, faulting as needed.</summary>
    /// <param name="at">Where.</param>
    /// <param name="into">Where to; on a fault that is not mended, what lies before it has been read.</param>
    /// <returns>Done, or the signal that the process would get.</returns>
    /// <exception cref="ObjectDisposedException">The space has ended.</exception>
    public FaultResult Read(VirtAddr at, Span<byte> into)
    {
        ThrowIfEnded();
        for (int done = 0; done < into.Length;)
        {
            VirtAddr next = at.AddWrapping(new ByteCount((ulong)done));
            int length = Math.Min(into.Length - done, BytesLeftInPage(next));
            FaultResult result = Touch(next, isWrite: false, into.Slice(done, length), default);
            if (result != FaultResult.Done)
            {
                return result;
            }

            done += length;
        }

        return FaultResult.Done;
    }

    /// <summary>The CPU writes bytes, faulting as needed.</summary>
    /// <param name="at">Where.</param>
    /// <param name="from">What; on a fault that is not mended, what lies before it has been written.</param>
    /// <returns>Done, or the signal that the process would get.</returns>
    /// <exception cref="ObjectDisposedException">The space has ended.</exception>
    public FaultResult Write(VirtAddr at, ReadOnlySpan<byte> from)
    {
        ThrowIfEnded();
        for (int done = 0; done < from.Length;)
        {
            VirtAddr next = at.AddWrapping(new ByteCount((ulong)done));
            int length = Math.Min(from.Length - done, BytesLeftInPage(next));
            FaultResult result = Touch(next, isWrite: true, default, from.Slice(done, length));
            if (result != FaultResult.Done)
            {
                return result;
            }

            done += length;
        }

        return FaultResult.Done;
    }

    /// <summary>Faults pages in as writes would, without writing.</summary>
    /// <param name="start">The first address.</param>
    /// <param name="length">How many bytes; rounded up to pages.</param>
    /// <returns>Ok; EINVAL: not a page's address, it wraps, or an area may not be written; ENOMEM: the range has a hole, or
    /// there is no memory; EFAULT: nothing stands behind an address. Pages before the refusal stay.</returns>
    /// <exception cref="ObjectDisposedException">The space has ended.</exception>
    /// <remarks><b>Linux:</b> madvise with MADV_POPULATE_WRITE.</remarks>
    public Errno TryPopulateWrite(VirtAddr start, ByteCount length)
    {
        ThrowIfEnded();
        if (!TryPages(start, length, out VirtRange range))
        {
            return Errno.EINVAL;
        }

        using SpaceLock.Held held = Lock.EnterRead();
        ulong end = range.Start.Value + range.Length.Value;
        for (ulong at = range.Start.Value; at < end; at += PageMask + 1)
        {
            if (FindArea(new VirtAddr(at)) is not { } area)
            {
                return Errno.ENOMEM;
            }

            if (!area.IsWritable || area.Traits.IsBare)
            {
                return Errno.EINVAL;
            }

            Errno errno = TryPopulate(area, new VirtAddr(at));
            if (!errno.IsOk)
            {
                return errno;
            }
        }

        return Errno.Ok;
    }

    /// <summary>Looks at pages without touching them.</summary>
    /// <param name="start">The first page's address.</param>
    /// <param name="into">One view a page.</param>
    /// <exception cref="ArgumentException">The pages are not all below 2^48, or <paramref name="start"/> is none's address.</exception>
    /// <exception cref="ObjectDisposedException">The space has ended.</exception>
    /// <remarks><b>Linux:</b> pagemap_read.</remarks>
    public void CollectPagemap(VirtAddr start, Span<PageView> into)
    {
        ThrowIfEnded();
        if ((start.Value & PageMask) != 0)
        {
            throw new ArgumentException($"start must be a page's address; it is {start}", nameof(start));
        }

        using SpaceLock.Held held = Lock.EnterRead();
        for (int index = 0; index < into.Length; index++)
        {
            into[index] = ViewOf(new VirtAddr(start.Value + ((ulong)index << PageSize.Small.Shift)));
        }
    }

    private PageView ViewOf(VirtAddr page)
    {
        Pte leaf = Tables.ReadLeaf(page, out PageSize size);
        if (!leaf.HasFrame || leaf.IsZeroPage || leaf.IsSpecial)
        {
            return new PageView(leaf.IsPresent, IsElsewhere: leaf.IsNonPresent, IsExclusive: false, IsOfFile: false);
        }

        Pfn frame = Tables.Read(page).Frame;
        bool isOfFile = !Owner.IsAnonymous(frame);
        ulong mapped = Parts.Frames.MapCountOfPage(frame);
        return new PageView(leaf.IsPresent, leaf.IsNonPresent, leaf.IsPresent && mapped == 1, isOfFile);
    }

    private static int BytesLeftInPage(VirtAddr at) => (int)(PageMask + 1 - (at.Value & PageMask));

    private Errno TryPopulate(Area area, VirtAddr page)
    {
        while (!Tables.Read(page).IsWritable)
        {
            FaultResult result = HandleFault(area, page, FaultFlags.Write);
            if (result != FaultResult.Done)
            {
                return result switch
                {
                    FaultResult.OutOfMemory => Errno.ENOMEM,
                    FaultResult.HwPoison => Errno.EHWPOISON,
                    _ => Errno.EFAULT,
                };
            }
        }

        return Errno.Ok;
    }

    // Bytes within one page.
    private FaultResult Touch(VirtAddr at, bool isWrite, Span<byte> into, ReadOnlySpan<byte> from)
    {
        if (!AreaSet.Addresses.Contains(at))
        {
            return FaultResult.SegmentationFault;
        }

        while (!TryAccess(at, isWrite, into, from))
        {
            using SpaceLock.Held held = Lock.EnterRead();
            if (FindArea(at) is not { } area || !(isWrite ? area.IsWritable : area.IsReadable))
            {
                return FaultResult.SegmentationFault;
            }

            FaultResult result = HandleFault(area, at, isWrite ? FaultFlags.Write : FaultFlags.None);
            if (result != FaultResult.Done)
            {
                return result;
            }
        }

        return FaultResult.Done;
    }

    // The access itself: while the gate is held, whoever took the translation away waits in FlushTlb.
    private bool TryAccess(VirtAddr at, bool isWrite, Span<byte> into, ReadOnlySpan<byte> from)
    {
        VirtAddr page = at.AlignDown(PageSize.Small);
        using RankedLock.Guard _ = tlbGate.Enter();
        Pte entry = Tables.Read(page);
        if (!entry.IsAccessible || (isWrite && !entry.IsWritable))
        {
            return false;
        }

        if (isWrite && !entry.IsDirty)
        {
            return TryNoteDirty(page) && WriteBytes(entry, at, from);
        }

        if (isWrite)
        {
            return WriteBytes(entry, at, from);
        }

        if (!Owner.TryLeaseFrame(entry, out SpanLease lease))
        {
            into.Fill(byte.MaxValue);
            return true;
        }

        using (lease)
        {
            lease.Bytes.Slice((int)(at.Value & PageMask), into.Length).CopyTo(into);
            return true;
        }
    }

    private bool WriteBytes(Pte entry, VirtAddr at, ReadOnlySpan<byte> from)
    {
        if (!Owner.TryLeaseFrame(entry, out SpanLease lease))
        {
            return true;
        }

        using (lease)
        {
            from.CopyTo(lease.Bytes[(int)(at.Value & PageMask)..]);
            return true;
        }
    }

    // What the processor does by itself: the dirty bit, in the entry or in the leaf.
    private bool TryNoteDirty(VirtAddr page)
    {
        Pte entry = Tables.ReadLeaf(page, out PageSize size);
        if (!entry.IsWritable)
        {
            return false;
        }

        Errno errno = size == PageSize.Large
            ? Tables.TryExchangeLarge(page.AlignDown(PageSize.Large), entry, entry.MakeDirty(), out _)
            : Tables.TryExchange(page, entry, entry.MakeDirty(), out _);
        return errno.IsOk;
    }
}
