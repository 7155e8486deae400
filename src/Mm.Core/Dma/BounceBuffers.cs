using Mm.Core.Checks;
using Mm.Core.Frames;
using Mm.Core.Locking;

namespace Mm.Core.Dma;

/// <summary>Low RAM through which devices reach what their masks do not: each mapping gets slots, and bytes are copied over.</summary>
/// <remarks>
/// Owns blocks of 256 KiB below 4 GiB, cut into slots of 2 KiB. A mapping takes slots side by side in one block, first fit,
/// on a page where it is a page or more.
/// <para><b>Linux:</b> struct io_tlb_pool, swiotlb_tbl_map_single, swiotlb_tbl_unmap_single, swiotlb_bounce
/// (kernel/dma/swiotlb.c, v6.12). Deliberate differences: one area for all processors, no growing, no alignment that a device
/// asks for beyond a page.</para>
/// <para><b>Invariants:</b> (1) a slot is one mapping's; (2) a byte that a device has not written is, after its mapping, what
/// it was before (museum 26).</para>
/// <para><b>Locking:</b> a leaf lock of its own; safe from any thread. Bytes are copied outside it.</para>
/// </remarks>
public sealed partial class BounceBuffers : IValidator, IDisposable
{
    /// <summary>The size of a slot. <b>Linux:</b> IO_TLB_SIZE.</summary>
    public static readonly ByteCount SlotSize = new(1 << SlotShift);

    /// <summary>The longest run that can be bounced. <b>Linux:</b> IO_TLB_SEGSIZE slots, swiotlb_max_mapping_size.</summary>
    public static readonly ByteCount MaxRun = new(SlotsPerBlock << SlotShift);

    private const int SlotShift = 11;
    private const int SlotsPerBlock = 128;
    private const int BlockOrder = 6;

    private readonly RankedLock gate = new(LockRank.Leaf);
    private readonly PageRef[] blocks;
    private readonly PhysAddr[] starts; // of the blocks: known after they were given back, too
    private readonly UInt128[] taken; // protected by gate; a bit a slot, of each block
    private readonly PhysLeaser leaser;
    private ulong usedSlots; // protected by gate

    private BounceBuffers(PageRef[] blocks, PhysLeaser leaser)
    {
        this.blocks = blocks;
        starts = [.. blocks.Select(static block => block.Page.Address)];
        this.leaser = leaser;
        taken = new UInt128[blocks.Length];
    }

    /// <summary>How many bytes there are.</summary>
    public ByteCount Length => new((ulong)blocks.Length * MaxRun.Value);

    /// <summary>How many bytes mappings have taken, whole slots.</summary>
    public ByteCount Used
    {
        get
        {
            using RankedLock.Guard _ = gate.Enter();
            return new ByteCount(usedSlots << SlotShift);
        }
    }

    /// <summary>Sets memory aside.</summary>
    /// <param name="allocator">Where it comes from.</param>
    /// <param name="length">How much; rounded up to 256 KiB.</param>
    /// <param name="leaser">How bytes are reached.</param>
    /// <param name="buffers">The buffers; null when refused.</param>
    /// <returns>Ok; ENOMEM: there is not so much RAM below 4 GiB.</returns>
    internal static Errno TryCreate(PageAllocator allocator, ByteCount length, PhysLeaser leaser, out BounceBuffers? buffers)
    {
        buffers = null;
        ulong count = (length.Value + MaxRun.Value - 1) / MaxRun.Value;
        var taking = new List<PageRef>();
        while ((ulong)taking.Count < count)
        {
            if (!allocator.TryAllocate(AllocationRequest.Dma32 with { Order = BlockOrder }, out PageRef block).IsOk)
            {
                taking.ForEach(static each => each.Dispose());
                return Errno.ENOMEM;
            }

            taking.Add(block);
        }

        buffers = new BounceBuffers([.. taking], leaser);
        return Errno.Ok;
    }

    /// <summary>Recounts the slots that are taken.</summary>
    /// <exception cref="MmBugException">The count is not that of the bits.</exception>
    public void Validate()
    {
        using RankedLock.Guard _ = gate.Enter();
        ulong counted = taken.Aggregate(0UL, static (sum, bits) => sum + (ulong)UInt128.PopCount(bits));
        Check.That(counted == usedSlots, $"invariant 1: {counted} slots are taken, {usedSlots} counted");
    }

    /// <summary>Gives the memory back: the machine's end. Mappings that are left copy nothing back any more.</summary>
    public void Dispose()
    {
        foreach (PageRef block in blocks)
        {
            block.Dispose();
        }
    }

    /// <summary>Takes slots for a run of RAM, and copies the run there whatever the direction.</summary>
    /// <param name="original">The run.</param>
    /// <param name="bounce">What was taken.</param>
    /// <returns>Ok; EIO: it is longer than 256 KiB, or no block has so many free slots side by side; ENXIO: no bytes lie there.</returns>
    internal Errno TryTake(PhysRange original, out BounceSlots bounce)
    {
        bounce = default;
        if (original.Length > MaxRun || !TryTakeSlots(original.Length, out PhysAddr start))
        {
            return Errno.EIO;
        }

        bounce = new BounceSlots(original, start);
        Errno errno = LeavesOldBytes ? Errno.Ok : TryCopy(original.Start, start, original.Length);
        if (!errno.IsOk)
        {
            Return(bounce);
            bounce = default;
        }

        return errno;
    }

    /// <summary>Gives slots back, without copying.</summary>
    /// <param name="bounce">What was taken.</param>
    internal void Return(BounceSlots bounce)
    {
        int slots = SlotsOf(bounce.Original.Length);
        using RankedLock.Guard _ = gate.Enter();
        for (int block = 0; block < blocks.Length; block++)
        {
            if (bounce.Start >= starts[block] && bounce.Start.OffsetFrom(starts[block]) < MaxRun)
            {
                UInt128 mask = MaskOf(slots) << (int)(bounce.Start.OffsetFrom(starts[block]).Value >> SlotShift);
                Check.That((taken[block] & mask) == mask, $"invariant 1: {bounce} is taken");
                taken[block] &= ~mask;
                usedSlots -= (ulong)slots;
            }
        }
    }

    /// <summary>Copies part of a run to its slots, or back.</summary>
    /// <param name="bounce">What was taken.</param>
    /// <param name="offset">Where the part begins.</param>
    /// <param name="length">How long it is; not past the run's end.</param>
    /// <param name="toDevice">Whether to the slots.</param>
    /// <returns>Ok; ENXIO: the RAM is gone.</returns>
    internal Errno TrySync(BounceSlots bounce, ByteCount offset, ByteCount length, bool toDevice)
    {
        PhysAddr original = bounce.Original.Start.AddChecked(offset);
        PhysAddr slot = bounce.Start.AddChecked(offset);
        return toDevice ? TryCopy(original, slot, length) : TryCopy(slot, original, length);
    }

    private static int SlotsOf(ByteCount length) => (int)((length.Value + SlotSize.Value - 1) >> SlotShift);

    private static UInt128 MaskOf(int slots) => slots == SlotsPerBlock ? UInt128.MaxValue : (UInt128.One << slots) - 1;

    private bool TryTakeSlots(ByteCount length, out PhysAddr start)
    {
        int slots = SlotsOf(length);
        int step = length >= PageSize.Small.Bytes ? 1 << (PageSize.Small.Shift - SlotShift) : 1;
        using RankedLock.Guard _ = gate.Enter();
        for (int block = 0; block < blocks.Length; block++)
        {
            for (int first = 0; first + slots <= SlotsPerBlock; first += step)
            {
                UInt128 mask = MaskOf(slots) << first;
                if ((taken[block] & mask) == 0)
                {
                    taken[block] |= mask;
                    usedSlots += (ulong)slots;
                    start = starts[block].AddChecked(new ByteCount((ulong)first << SlotShift));
                    return true;
                }
            }
        }

        start = default;
        return false;
    }

    // Page by page: a run may lie in two regions of RAM that touch.
    private Errno TryCopy(PhysAddr from, PhysAddr to, ByteCount length)
    {
        for (ulong done = 0; done < length.Value;)
        {
            PhysAddr source = from.AddChecked(new ByteCount(done));
            PhysAddr target = to.AddChecked(new ByteCount(done));
            ulong left = Math.Min(LeftInPage(source), LeftInPage(target));
            var part = new ByteCount(Math.Min(length.Value - done, left));
            Errno errno = TryCopyPart(new PhysRange(source, part), new PhysRange(target, part));
            if (!errno.IsOk)
            {
                return errno;
            }

            done += part.Value;
        }

        return Errno.Ok;
    }

    private Errno TryCopyPart(PhysRange from, PhysRange to)
    {
        Errno errno = leaser(from, out Native.SpanLease source);
        if (!errno.IsOk)
        {
            return errno;
        }

        using (source)
        {
            errno = leaser(to, out Native.SpanLease target);
            if (errno.IsOk)
            {
                source.Bytes.CopyTo(target.Bytes);
                target.Dispose();
            }

            return errno;
        }
    }

    private static ulong LeftInPage(PhysAddr at) => PageSize.Small.Bytes.Value - (at.Value & PageSize.Small.OffsetMask);
}
