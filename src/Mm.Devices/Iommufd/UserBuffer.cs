using Mm.Core;
using Mm.Core.Frames;
using Mm.Core.Native;

namespace Mm.Devices.Iommufd;

/// <summary>A plain buffer of pages that stands for a user's memory: filled on first write, the zero page where only read.</summary>
/// <remarks>
/// Owns one reference of each of its pages until it is disposed; pages that are still pinned then live on as pinned pages
/// do. Not responsible for who pins.
/// <para><b>Linux:</b> one anonymous private mapping (v6.12). Simplified: it is never forked, moved or unmapped in part.</para>
/// <para><b>Invariants:</b> (1) a page that was pinned to be written, or written, never changes its frame; (2) pins of the
/// zero page are not counted.</para>
/// <para><b>Locking:</b> safe from any thread: a lock of its own, taken as the last of the rooms' locks.</para>
/// </remarks>
public sealed partial class UserBuffer : IUserPages, IDisposable
{
    private const ulong PageBytes = 4096;

    private readonly Lock gate = new();
    private readonly Machine machine;
    private readonly PageRef[] folios; // protected by gate; empty where nothing was written yet
    private readonly int order;
    private PageRef zeroPage; // protected by gate; empty until somebody reads where nothing was written
    private bool isDisposed; // protected by gate

    /// <summary>Makes a buffer without pages.</summary>
    /// <param name="machine">Whose RAM it is in.</param>
    /// <param name="start">Its first address; on a page.</param>
    /// <param name="size">How many pages; at most 2^20.</param>
    /// <param name="order">The order of its folios, at most 9; 9 is a huge page.</param>
    /// <exception cref="ArgumentOutOfRangeException">The start is not on a page, the size is zero or above 2^20 or is not whole
    /// folios, or the order is not in [0, 9].</exception>
    public UserBuffer(Machine machine, VirtAddr start, PageCount size, int order = 0)
    {
        ArgumentNullException.ThrowIfNull(machine);
        bool isLegal = start.IsAligned(PageSize.Small) && size.Value is > 0 and <= 1 << 20
            && order is >= 0 and <= 9 && (size.Value & (PageCount.OfOrder(order).Value - 1)) == 0;
        if (!isLegal || !VirtRange.TryCreate(start, size.ToBytes(), out VirtRange range))
        {
            throw new ArgumentOutOfRangeException(
                nameof(size), size, $"a buffer is 1 to 2^20 pages in whole folios of order 0 to 9; {size} of order {order} is not");
        }

        this.machine = machine;
        Range = range;
        this.order = order;
        folios = new PageRef[size.Value >> order];
    }

    /// <summary>Its addresses.</summary>
    public VirtRange Range { get; }

    /// <summary>Where a page of it lies.</summary>
    /// <param name="page">The page, from 0.</param>
    /// <param name="frame">Its frame; none while nothing was written to it.</param>
    /// <returns>Whether it has one.</returns>
    public bool TryFindFrame(int page, out Pfn frame)
    {
        lock (gate)
        {
            bool isThere = !folios[page >> order].IsEmpty;
            frame = isThere ? FrameOf(page) : default;
            return isThere;
        }
    }

    /// <summary>How often a page of it is pinned; all pages of a folio of order 1 or more, summed.</summary>
    /// <param name="page">The page, from 0.</param>
    /// <returns>The pins; 0 for one that nothing was written to.</returns>
    /// <remarks><b>Linux:</b> page_ref_count / GUP_PIN_COUNTING_BIAS, as the kernel's tests count (v6.12).</remarks>
    public int CountPins(int page)
    {
        if (!TryFindFrame(page, out Pfn frame))
        {
            return 0;
        }

        PageInfo info = machine.Frames.Describe(frame);
        return (int)(info.IsCompound ? info.Pins : info.References / 1024);
    }

    /// <inheritdoc/>
    public Errno TryPin(VirtAddr start, bool isWritable, Span<UserPin> pins, out int pinned)
    {
        pinned = 0;
        lock (gate)
        {
            for (; pinned < pins.Length; pinned++)
            {
                Errno errno = TryPinOne(start, pinned, isWritable, out pins[pinned]);
                if (!errno.IsOk)
                {
                    return pinned > 0 ? Errno.Ok : errno;
                }
            }
        }

        return Errno.Ok;
    }

    /// <inheritdoc/>
    public Errno TryRead(VirtAddr start, Span<byte> bytes)
    {
        lock (gate)
        {
            while (!bytes.IsEmpty)
            {
                if (!TryFindPage(start, 0, out int page))
                {
                    return Errno.EFAULT;
                }

                Span<byte> part = bytes[..InPage(start, bytes.Length)];
                if (folios[page >> order].IsEmpty)
                {
                    part.Clear();
                }
                else
                {
                    using SpanLease lease = Lease(page, start, part.Length);
                    lease.Bytes.CopyTo(part);
                }

                bytes = bytes[part.Length..];
                start = start.AddWrapping(new ByteCount((ulong)part.Length));
            }
        }

        return Errno.Ok;
    }

    /// <inheritdoc/>
    public Errno TryWrite(VirtAddr start, ReadOnlySpan<byte> bytes)
    {
        lock (gate)
        {
            while (!bytes.IsEmpty)
            {
                if (!TryFindPage(start, 0, out int page))
                {
                    return Errno.EFAULT;
                }

                Errno errno = TryPopulate(page);
                if (!errno.IsOk)
                {
                    return errno;
                }

                ReadOnlySpan<byte> part = bytes[..InPage(start, bytes.Length)];
                using SpanLease lease = Lease(page, start, part.Length);
                part.CopyTo(lease.Bytes);
                bytes = bytes[part.Length..];
                start = start.AddWrapping(new ByteCount((ulong)part.Length));
            }
        }

        return Errno.Ok;
    }

    /// <summary>Lets its pages go, as a process that ends: what is pinned stays until it is unpinned. Twice does nothing.</summary>
    public void Dispose()
    {
        lock (gate)
        {
            isDisposed = true;
            foreach (ref PageRef folio in folios.AsSpan())
            {
                folio.Dispose();
                folio = default;
            }

            zeroPage.Dispose();
            zeroPage = default;
        }
    }

    private static int InPage(VirtAddr start, int most) =>
        (int)Math.Min(PageBytes - start.OffsetIn(PageSize.Small).Value, (ulong)most);

    private Errno TryPinOne(VirtAddr start, int index, bool isWritable, out UserPin pin)
    {
        pin = default;
        if (!TryFindPage(start, index, out int page))
        {
            return Errno.EFAULT;
        }

        if (folios[page >> order].IsEmpty && !isWritable)
        {
            return TryPinZeroPage(out pin);
        }

        Errno errno = TryPopulate(page);
        if (!errno.IsOk)
        {
            return errno;
        }

        errno = machine.Frames.TryPin(FrameOf(page), out PagePin taken);
        pin = errno.IsOk ? new UserPin(taken) : default;
        return errno;
    }

    private Errno TryPinZeroPage(out UserPin pin)
    {
        pin = default;
        if (zeroPage.IsEmpty)
        {
            Errno errno = machine.Allocator.TryAllocate(AllocationRequest.Kernel with { IsZeroed = true }, out zeroPage);
            if (!errno.IsOk)
            {
                return errno;
            }
        }

        return TryHoldZeroPage(out pin);
    }

    private Errno TryPopulate(int page) => folios[page >> order].IsEmpty
        ? machine.Allocator.TryAllocate(
            AllocationRequest.Kernel with { IsZeroed = true, Order = order }, out folios[page >> order])
        : Errno.Ok;

    private Pfn FrameOf(int page) =>
        folios[page >> order].Page.AddChecked(new PageCount((ulong)page & (PageCount.OfOrder(order).Value - 1)));

    // Addresses past the top are as absent as all others outside.
    private bool TryFindPage(VirtAddr start, int index, out int page)
    {
        page = 0;
        if (isDisposed || !start.TryAdd(new PageCount((ulong)index).ToBytes(), out VirtAddr address) || !Range.Contains(address))
        {
            return false;
        }

        page = (int)(address.OffsetFrom(Range.Start).Value / PageBytes);
        return true;
    }

    private SpanLease Lease(int page, VirtAddr start, int length) => machine.Lease(new PhysRange(
        FrameOf(page).Address.AddChecked(start.OffsetIn(PageSize.Small)), new ByteCount((ulong)length)));
}
