using Mm.Core;
using Mm.Core.Dma;
using Mm.Core.Locking;
using Mm.Core.Notifiers;
using Mm.Core.Spaces;
using Mm.Devices.Gpus.Objects;

namespace Mm.Devices.Gpus.Svm;

/// <summary>A process's memory shared with a GPU: chunks that the GPU maps where they are, or brings to its own memory.</summary>
/// <remarks>
/// Owns the blocks that are watched, the ranges in them and the GPU's page table. What it knows of a page is dropped before
/// the page can go: no page is pinned. Not responsible for the GPU's memory, which pages come to and leave by migration.
/// <para><b>Linux:</b> struct drm_gpusvm with a driver's fault handler, as xe has it (v6.19). Difference: one fault at a time.</para>
/// <para><b>States:</b> open → closed by <see cref="Dispose"/>, or by the GPU's removal; it outlives the process.</para>
/// <para><b>Invariants:</b> (1) an entry of the page table is of a range that has pages; (2) no two ranges overlap; (3) what a
/// process unmaps in part keeps no page on the GPU once garbage is collected.</para>
/// <para><b>Locking:</b> safe from any thread. Faults exclude each other by a plain lock, before the space's; rank
/// <see cref="LockRank.Mirror"/> guards ranges and table, is taken by invalidations and never held while the space is asked.</para>
/// </remarks>
public sealed partial class GpuSvm : IDisposable
{
    private readonly Lock faulting = new();
    private readonly RankedLock gate = new(LockRank.Mirror);
    private readonly Dictionary<ulong, SvmBlock> blocks = []; // by start; protected by gate
    private readonly Queue<SvmRange> garbage = []; // protected by gate
    private readonly GpuPageTable table = new(); // protected by gate
    private readonly GpuParts parts;
    private readonly SvmPagemap pagemap;
    private readonly DmaDevice dma;
    private readonly SvmChunks chunks;
    private readonly Action<GpuSvm> closed;
    private volatile bool isClosed; // set under faulting

    internal GpuSvm(
        GpuParts parts, SvmPagemap pagemap, DmaDevice dma, AddressSpace space, SvmOptions options, ulong number, Action<GpuSvm> closed)
    {
        this.parts = parts;
        this.pagemap = pagemap;
        this.dma = dma;
        this.closed = closed;
        Space = space;
        Options = options;
        Number = number;
        chunks = new SvmChunks(options.Chunks);
    }

    /// <summary>Whose memory.</summary>
    public AddressSpace Space { get; }

    /// <summary>How it is shared.</summary>
    public SvmOptions Options { get; }

    /// <summary>Its number, which no other of the GPU has.</summary>
    public ulong Number { get; }

    /// <summary>What the GPU wants of memory that its programs touch.</summary>
    public SvmRequest Policy { get; set; }

    /// <summary>Pages that the GPU reaches without a fault.</summary>
    public PageCount MappedPages
    {
        get
        {
            using RankedLock.Guard held = gate.Enter();
            return table.Pages;
        }
    }

    /// <summary>The ranges, in the order of their addresses.</summary>
    public IReadOnlyList<SvmRange> Ranges
    {
        get
        {
            using RankedLock.Guard held = gate.Enter();
            return [.. blocks.Values.SelectMany(static block => block.Ranges).OrderBy(static range => range.Range.Start)];
        }
    }

    /// <summary>How many blocks are watched.</summary>
    public int BlockCount
    {
        get
        {
            using RankedLock.Guard held = gate.Enter();
            return blocks.Count;
        }
    }

    /// <summary>Finds the range of an address, or makes one: the largest chunk that fits the area, the block and the window.</summary>
    /// <param name="at">The address.</param>
    /// <param name="request">What the GPU wants.</param>
    /// <param name="range">The range; null when refused.</param>
    /// <returns>Ok; EINVAL: outside of the window, or no chunk fits; EFAULT: the process has ended; ENOENT: no area; EPERM: the
    /// GPU wants to write, and the area forbids it; ENOMEM: no memory for the books; ENODEV: it is closed.</returns>
    /// <remarks><b>Linux:</b> drm_gpusvm_range_find_or_insert.</remarks>
    public Errno TryFindOrInsert(VirtAddr at, SvmRequest request, out SvmRange? range)
    {
        range = null;
        if (!Options.Window.Contains(at))
        {
            return Errno.EINVAL;
        }

        lock (faulting)
        {
            if (isClosed || Space.IsEnded)
            {
                return isClosed ? Errno.ENODEV : Errno.EFAULT;
            }

            Errno errno = TryGetBlock(at, out SvmBlock? block);
            if (!errno.IsOk)
            {
                return errno;
            }

            errno = TryFindIn(block!, at, request, out range);
            RemoveIfEmpty(block!);
            return errno;
        }
    }

    /// <summary>Ends the ranges of what the process has unmapped, bringing back to RAM what it still has of them.</summary>
    /// <remarks><b>Linux:</b> xe_svm_garbage_collector.</remarks>
    public void CollectGarbage()
    {
        lock (faulting)
        {
            while (TryTakeGarbage(out SvmRange? range))
            {
                if (range.IsPartlyUnmapped)
                {
                    _ = TryEvict(range); // what somebody holds goes when it is touched
                }

                using (gate.Enter())
                {
                    Unmap(range);
                    range.Block.Remove(range);
                }

                RemoveIfEmpty(range.Block);
            }
        }
    }

    /// <summary>Brings a range back from the GPU's memory.</summary>
    /// <param name="range">The range.</param>
    /// <returns>Ok, also where nothing of it is there; EBUSY: a page stays.</returns>
    /// <remarks><b>Linux:</b> drm_gpusvm_range_evict.</remarks>
    public Errno TryEvict(SvmRange range)
    {
        ArgumentNullException.ThrowIfNull(range);
        SvmMemory? memory = range.Memory;
        Errno errno = memory is null ? Errno.Ok : pagemap.TryEvict(memory);
        range.Memory = errno.IsOk ? null : memory;
        return errno;
    }

    /// <summary>Closes it: the GPU reaches nothing of the process any more. What lies in its memory stays until it is touched.</summary>
    public void Dispose()
    {
        SvmBlock[] watched;
        lock (faulting)
        {
            if (isClosed)
            {
                return;
            }

            isClosed = true;
            using RankedLock.Guard held = gate.Enter();
            watched = [.. blocks.Values];
            blocks.Clear();
            garbage.Clear();
            DropAll(watched);
        }

        foreach (SvmBlock block in watched)
        {
            block.Notifier.Dispose();
        }

        closed(this);
    }

    /// <summary>The GPU was reset: it knows no page any more, and faults for each anew.</summary>
    internal void Forget()
    {
        using RankedLock.Guard held = gate.Enter();
        DropAll([.. blocks.Values]);
    }

    /// <summary>A part of a block is invalidated: what the GPU knows of it goes first.</summary>
    internal bool Invalidate(SvmBlock block, IntervalNotifier notifier, in NotifierRange what, NotifierSequence sequence)
    {
        if (!what.CanBlock)
        {
            return false;
        }

        using RankedLock.Guard held = gate.Enter();
        notifier.SetSequence(sequence);
        foreach (SvmRange range in block.Ranges)
        {
            if (!range.Range.Overlaps(what.Range))
            {
                continue;
            }

            Unmap(range);
            if (what.Event == NotifierEvent.Unmap)
            {
                if (!range.IsUnmapped)
                {
                    garbage.Enqueue(range);
                }

                range.SetUnmapped(what.Range);
            }
        }

        return true;
    }

    /// <summary>Says who holds what of it.</summary>
    internal void Report(ICollection<LedgerEntry> entries)
    {
        string holder = $"{parts.Name} svm {Number}";
        IReadOnlyList<SvmRange> ranges = Ranges;
        int mapped = ranges.Count(static range => range.IsMapped);
        if (mapped > 0)
        {
            entries.Add(new LedgerEntry(holder, HoldingKind.Mapping, "RAM of a process", DeviceId.None, (ulong)mapped));
        }

        entries.Add(new LedgerEntry(holder, HoldingKind.Handle, "address space", parts.Id, 1));
    }

    private static VirtRange BlockOf(VirtAddr at, ByteCount length) => new(new VirtAddr(at.Value & ~(length.Value - 1)), length);

    private Errno TryGetBlock(VirtAddr at, out SvmBlock? block)
    {
        VirtRange bounds = BlockOf(at, Options.BlockLength);
        using (gate.Enter())
        {
            if (blocks.TryGetValue(bounds.Start.Value, out block))
            {
                return Errno.Ok;
            }
        }

        if (parts.Machine.Faults.ShouldFail(FaultPoint.Slab))
        {
            return Errno.ENOMEM;
        }

        var made = new SvmBlock(this, bounds);
        Errno errno = Space.Notifiers.TryInsert(bounds.Start, bounds.Length, made, out IntervalNotifier? notifier);
        if (!errno.IsOk)
        {
            return Errno.EFAULT; // the process has ended
        }

        made.Notifier = notifier!;
        using RankedLock.Guard held = gate.Enter();
        blocks.Add(bounds.Start.Value, made);
        block = made;
        return Errno.Ok;
    }

    private Errno TryFindIn(SvmBlock block, VirtAddr at, SvmRequest request, out SvmRange? range)
    {
        range = null;
        Area? area = Space.Areas.FirstOrDefault(area => area.Range.Contains(at));
        if (area is null)
        {
            return Errno.ENOENT;
        }

        if (!request.IsReadOnly && (area.Traits.Access & AreaAccess.Write) == AreaAccess.None)
        {
            return Errno.EPERM;
        }

        using RankedLock.Guard held = gate.Enter();
        range = block.Find(at);
        if (range is not null)
        {
            return Errno.Ok;
        }

        if (!chunks.TryChoose(at, [area.Range, block.Bounds, Options.Window], block.IsFree, out VirtRange chosen))
        {
            return Errno.EINVAL;
        }

        if (parts.Machine.Faults.ShouldFail(FaultPoint.Slab))
        {
            return Errno.ENOMEM;
        }

        range = new SvmRange(block, chosen, area.Traits.Kind == AreaKind.AnonymousPrivate);
        block.Add(range);
        return Errno.Ok;
    }

    private void RemoveIfEmpty(SvmBlock block)
    {
        using (gate.Enter())
        {
            if (block.Ranges.Count > 0 || !blocks.Remove(block.Bounds.Start.Value))
            {
                return;
            }
        }

        block.Notifier.Dispose(); // waits for invalidations, which take the gate
    }

    private bool TryTakeGarbage([System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out SvmRange? range)
    {
        using RankedLock.Guard held = gate.Enter();
        return garbage.TryDequeue(out range);
    }

    // With the gate held.
    private void Unmap(SvmRange range)
    {
        if (range.HasPages)
        {
            EndShared(range.Range);
            table.Unmap(range.Range);
            range.DropPages();
        }
    }

    // With the gate held.
    private void DropAll(IEnumerable<SvmBlock> watched)
    {
        foreach (SvmRange range in watched.SelectMany(static block => block.Ranges))
        {
            Unmap(range);
        }
    }
}
