using Mm.Core;
using Mm.Core.Dma;
using Mm.Core.Frames;
using Mm.Core.Locking;
using Mm.Core.PhysRanges;
using Mm.Core.Spaces;

namespace Mm.Devices.Rdma;

/// <summary>Pages of a process, pinned for as long as the region lives.</summary>
/// <remarks>
/// Owns one long-term pin of each page, its charge, and one mapping in both directions.
/// <para><b>Linux:</b> ib_umem_get and ib_umem_release (drivers/infiniband/core/umem.c, v6.12), refusals in its order.</para>
/// <para><b>Invariants:</b> (1) refused, pins and charge are as before.</para>
/// <para><b>Locking:</b> as its base.</para>
/// </remarks>
internal sealed class PinnedBacking : RegionBacking
{
    private const int Batch = 512; // pages pinned in one call, as many as Linux keeps in a page of pointers

    private readonly RdmaContext context;
    private readonly List<PagePin> pins;
    private readonly DmaMapping mapping;
    private RegionTable? table; // protected by Gate

    private PinnedBacking(RdmaContext context, List<PagePin> pins, DmaMapping mapping, RegionTable table)
        : base(context.Nic.View)
    {
        this.context = context;
        this.pins = pins;
        this.mapping = mapping;
        this.table = table;
        TableLoads = 1;
    }

    /// <summary>Pins and maps.</summary>
    internal static Errno TryCreate(
        RdmaContext context, VirtAddr start, ByteCount length, RegionAccess access, out PinnedBacking? backing)
    {
        backing = null;
        if (!TryFindPages(start, length, out PageCount pages))
        {
            return Errno.EINVAL;
        }

        if (!context.CanLock)
        {
            return Errno.EPERM;
        }

        if (context.Nic.Machine.Faults.ShouldFail(FaultPoint.Slab))
        {
            return Errno.ENOMEM;
        }

        if (pages.Value is 0 or > uint.MaxValue)
        {
            return Errno.EINVAL;
        }

        Errno errno = context.TryCharge(pages);
        if (!errno.IsOk)
        {
            return errno;
        }

        var held = new List<PagePin>(); // grows with what is pinned: what is asked for may be more than there is
        errno = TryPin(context, start, pages, access, held);
        errno = errno.IsOk ? TryMap(context, held, out DmaMapping? mapping) : SetNone(errno, out mapping);
        if (!errno.IsOk)
        {
            Unpin(held);
            context.Uncharge(pages);
            return errno;
        }

        RegionTable made = RegionTable.Of(mapping!.Segments, start.OffsetIn(PageSize.Small), length);
        backing = new PinnedBacking(context, held, mapping, made);
        return Errno.Ok;
    }

    /// <summary>How many pages a range touches; false where its end, or that of its last page, wraps.</summary>
    internal static bool TryFindPages(VirtAddr start, ByteCount length, out PageCount pages)
    {
        pages = default;
        if (!start.TryAdd(length, out VirtAddr end) || !end.TryAlignUp(PageSize.Small, out VirtAddr last))
        {
            return false;
        }

        pages = last.OffsetFrom(start.AlignDown(PageSize.Small)).ToPagesRoundDown();
        return true;
    }

    /// <inheritdoc/>
    internal override Errno TryAccess(ByteCount offset, Span<byte> bytes, bool isWrite)
    {
        using RankedLock.Guard held = Gate.Enter();
        return table is null ? Errno.EINVAL : table.TryAccess(Device.Port, offset, bytes, isWrite);
    }

    /// <inheritdoc/>
    internal override void Revoke()
    {
        using RankedLock.Guard held = Gate.Enter();
        table = null;
    }

    /// <inheritdoc/>
    internal override void Release()
    {
        Revoke();
        mapping.Dispose();
        Unpin(pins);
        context.Uncharge(new PageCount((ulong)pins.Count));
    }

    /// <inheritdoc/>
    internal override void Report(string holder, ICollection<LedgerEntry> entries)
    {
        entries.Add(new LedgerEntry(holder, HoldingKind.Pin, "pages of a process", DeviceId.None, (ulong)pins.Count));
        entries.Add(new LedgerEntry(holder, HoldingKind.Mapping, "pages of a process", DeviceId.None, 1));
    }

    private static Errno TryPin(RdmaContext context, VirtAddr start, PageCount pages, RegionAccess access, List<PagePin> pins)
    {
        const RegionAccess Writes = RegionAccess.LocalWrite | RegionAccess.RemoteWrite | RegionAccess.RemoteAtomic;
        VirtAddr first = start.AlignDown(PageSize.Small);
        PinFlags flags = PinFlags.LongTerm | PinFlags.Fast | ((access & Writes) != RegionAccess.None ? PinFlags.Write : PinFlags.None);
        var batch = new PagePin[Math.Min(Batch, pages.Value)];
        while ((ulong)pins.Count < pages.Value)
        {
            ulong done = (ulong)pins.Count;
            Span<PagePin> part = batch.AsSpan(0, (int)Math.Min(Batch, pages.Value - done));
            Errno errno = context.Space.TryPin(first.AddChecked(new PageCount(done).ToBytes()), flags, part, out int count);
            if (!errno.IsOk)
            {
                return errno;
            }

            pins.AddRange(part[..count]);
        }

        return Errno.Ok;
    }

    private static Errno TryMap(RdmaContext context, List<PagePin> pins, out DmaMapping? mapping)
    {
        mapping = null;
        PhysRangeListBuilder builder = context.Nic.Pci.CreateListBuilder();
        foreach (PagePin pin in pins)
        {
            Errno errno = builder.TryAppend(new PhysRange(pin.Page.Address, PageSize.Small.Bytes));
            if (!errno.IsOk)
            {
                return errno;
            }
        }

        return context.Nic.View.TryMap(builder.Build(), DmaDirection.Bidirectional, out mapping);
    }

    private static Errno SetNone(Errno errno, out DmaMapping? mapping)
    {
        mapping = null;
        return errno;
    }

    private static void Unpin(List<PagePin> pins)
    {
        foreach (PagePin pin in pins)
        {
            pin.Dispose();
        }
    }
}
