using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Mm.Core.Checks;

namespace Mm.Core.Frames;

// The facet of the way down, from a stack to a zone, and of the way back up.
public sealed partial class PageAllocator
{
    /// <summary>Takes back a block whose last reference is gone.</summary>
    /// <param name="frame">The first frame's number; frozen.</param>
    /// <param name="meta">Its metadata.</param>
    /// <param name="order">The order.</param>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal void Free(ulong frame, ref PageMeta meta, int order)
    {
        int zoneKey = new PageFlagsWord(meta.Flags).ZoneKey;
        if (!IsClean(ref meta))
        {
            FreeWithState(frame, ref meta, order);
        }

        meta.Generation = unchecked((ushort)(meta.Generation + 1)); // wraps: a lease is not that old
        int stack = StackForFree(frame, order, zoneKey);
        if (stack == NoStack)
        {
            FreeToZone(frame, order, zoneKey);
            return;
        }

        meta.Count = PageCountWord.PerCpu(order).Bits;
        Push(stack, frame, order);
    }

    /// <summary>Drops the reference of a raw block's holder.</summary>
    /// <param name="token">What the lease remembers.</param>
    /// <exception cref="ObjectDisposedException">The block was put or split before.</exception>
    internal void PutBlock(PageToken token)
    {
        ref PageMeta meta = ref pages[token.Frame];
        ThrowUnlessBlock(token, ref meta);
        int zoneKey = new PageFlagsWord(meta.Flags).ZoneKey;
        bool isPut = PageTransitions.TryUpdate(
            ref meta.Count, default(PageTransitions.PutBlock), out PageCountWord after);
        Check.That(isPut, "a block that is in use has its holder's reference");
        if (after.References == 0)
        {
            Free(token.Frame, ref meta, token.Order);
            return;
        }

        // Somebody else holds the first page: the other halves go, largest first.
        for (int order = token.Order - 1; order >= 0; order--)
        {
            ulong tail = token.Frame + (1UL << order);
            pages[tail].Flags = PageFlagsWord.OfZone(zoneKey).Bits;
            Free(tail, ref pages[tail], order);
        }
    }

    /// <summary>Turns a raw block into single pages.</summary>
    /// <param name="token">What the lease remembers.</param>
    /// <param name="references">Receives a reference to each page.</param>
    /// <exception cref="ArgumentException"><paramref name="references"/> is not as long as the block.</exception>
    /// <exception cref="ObjectDisposedException">The block was put or split before.</exception>
    internal void SplitBlock(PageToken token, Span<PageRef> references)
    {
        int count = 1 << token.Order;
        if (references.Length != count)
        {
            throw new ArgumentException(
                $"pages must have one place for each of the {count} pages; it has {references.Length}", nameof(references));
        }

        ref PageMeta meta = ref pages[token.Frame];
        ThrowUnlessBlock(token, ref meta);
        int zoneKey = new PageFlagsWord(meta.Flags).ZoneKey;
        for (int i = 1; i < count; i++)
        {
            ulong frame = token.Frame + (uint)i;
            ref PageMeta tail = ref pages[frame];
            tail.Flags = PageFlagsWord.OfZone(zoneKey).Bits;
            Volatile.Write(ref tail.Count, PageCountWord.Single.Bits); // release: pairs with the acquire of every get
            references[i] = new PageRef(table, new PageToken(frame, tail.Generation));
        }

        bool isSplit = PageTransitions.TryUpdate(ref meta.Count, default(PageTransitions.SplitBlock), out _);
        Check.That(isSplit, "a block that is in use can be split");
        references[0] = new PageRef(table, new PageToken(token.Frame, meta.Generation));
    }

    private Errno TryFind(AllocationRequest request, FrameCpu cpu, out ulong frame)
    {
        frame = 0;
        if (faults.ShouldFail(FaultPoint.PageAlloc))
        {
            return Errno.ENOMEM;
        }

        if (cpu.PinDepth > 0)
        {
            request = request.ForPinScope();
        }

        if (TryZones(request, cpu, out frame))
        {
            return Errno.Ok;
        }

        if (request.IsAtomic)
        {
            return Errno.ENOMEM;
        }

        // What lies on stacks may be all that is missing, or the buddy that a larger block needs.
        DrainStacks();
        return TryZones(request, cpu, out frame) ? Errno.Ok : Errno.ENOMEM;
    }

    private bool TryZones(AllocationRequest request, FrameCpu cpu, out ulong frame)
    {
        NodeId node = request.Node.IsKnown ? request.Node : zonelists.Home;
        foreach (FrameZone zone in zonelists.Of(request.Plan))
        {
            bool isAllowed = !request.IsThisNodeOnly || zone.Node == node;
            if (isAllowed && TryZone(request, cpu, zone, out frame))
            {
                return true;
            }
        }

        frame = 0;
        return false;
    }

    private bool TryZone(AllocationRequest request, FrameCpu cpu, FrameZone zone, out ulong frame)
    {
        bool isMovable = request.Mobility == MigrateType.Movable;
        if (request.Order == 0)
        {
            return TryPopOrRefill(request, cpu, zone, out frame);
        }

        if (request.Order == Pageblocks.Order && isMovable && TryPop(cpu, LargeStackOf(zone.Key), out frame))
        {
            return true;
        }

        bool isFound;
        using (zone.Gate.Enter())
        {
            isFound = zone.TryTake(request.Order, request.Mobility, isMovable, request.IsAtomic, out frame);
        }

        if (isFound)
        {
            cpu.Enter();
            cpu.TakenPast += 1L << request.Order;
            cpu.Exit();
        }

        return isFound;
    }

    private static bool TryPop(FrameCpu cpu, int stack, out ulong frame)
    {
        cpu.Enter();
        frame = 0;
        bool isFound = cpu.FindStack(stack)?.TryPop(out frame) ?? false;
        cpu.Exit();
        return isFound;
    }

    private bool TryPopOrRefill(AllocationRequest request, FrameCpu cpu, FrameZone zone, out ulong frame)
    {
        cpu.Enter();
        try
        {
            FrameStack stack = cpu.StackAt(StackOf(zone, request.Mobility));
            if (stack.Count == 0)
            {
                Refill(stack, zone, request);
            }

            return stack.TryPop(out frame);
        }
        finally
        {
            cpu.Exit();
        }
    }

    private static void Refill(FrameStack stack, FrameZone zone, AllocationRequest request)
    {
        Span<ulong> taken = stackalloc ulong[FrameStack.Batch];
        int count;
        bool canBorrow = request.Mobility == MigrateType.Movable;
        using (zone.Gate.Enter())
        {
            count = zone.TakeSingles(request.Mobility, canBorrow, request.IsAtomic, taken);
        }

        // The first one taken comes out first: neighbours in memory are handed out in order.
        while (count > 0)
        {
            count--;
            stack.Refill(taken[count]);
        }
    }

    // Which stack a freed block goes to: none for orders without one and for what is being emptied. Pages that are lent
    // out go with the movable ones; requests that may not have them never look there.
    private int StackForFree(ulong frame, int order, int zoneKey)
    {
        MigrateType type = blocks.TypeOf(frame);
        if (type == MigrateType.Cma)
        {
            type = MigrateType.Movable;
        }

        if (order == 0)
        {
            return type == MigrateType.Isolate ? NoStack : (zoneKey * FrameCpu.StacksPerZone) + (int)type;
        }

        return order == Pageblocks.Order && type == MigrateType.Movable ? LargeStackOf(zoneKey) : NoStack;
    }

    private void Push(int stackIndex, ulong frame, int order)
    {
        Span<ulong> surplus = stackalloc ulong[FrameStack.Batch];
        int count = 0;
        FrameCpu cpu = CurrentCpu();
        cpu.Enter();
        try
        {
            FrameStack stack = cpu.StackAt(stackIndex);
            if (stack.IsFull)
            {
                count = stack.TakeOldest(order == 0 ? surplus : surplus[..1]);
            }

            stack.Push(frame);
        }
        finally
        {
            cpu.Exit();
        }

        PutBatch(surplus[..count], order, stackIndex / FrameCpu.StacksPerZone);
    }

    private void PutBatch(ReadOnlySpan<ulong> frames, int order, int zoneKey)
    {
        if (frames.IsEmpty)
        {
            return;
        }

        Prefetch(frames, order);
        FrameZone zone = ZoneOf(zoneKey);
        using (zone.Gate.Enter())
        {
            foreach (ulong frame in frames)
            {
                zone.Put(frame, order);
            }
        }
    }

    // The buddies are what the merge will ask about first, then a free buddy's neighbours on its list and the buddy of
    // both together; at random all are cache misses, here taken side by side. Read without the zone's lock: hints.
    private void Prefetch(ReadOnlySpan<ulong> frames, int order)
    {
        foreach (ulong frame in frames)
        {
            pages.Prefetch(frame);
            pages.Prefetch(frame ^ (1UL << order));
        }

        if (order >= FrameZone.MaxOrder)
        {
            return; // no buddy, and perhaps no index where one would be
        }

        ulong free = PageCountWord.Free(order).Bits;
        foreach (ulong frame in frames)
        {
            ulong buddy = frame ^ (1UL << order);
            ref PageMeta meta = ref pages[buddy];
            if (meta.Count == free)
            {
                pages.Prefetch(unchecked(meta.Next - 1)); // no neighbour: an address that a prefetch may have too
                pages.Prefetch(unchecked(meta.Previous - 1));
                pages.Prefetch((frame & buddy) ^ (2UL << order));
            }
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void FreeToZone(ulong frame, int order, int zoneKey)
    {
        PutBatch([frame], order, zoneKey);
        FrameCpu cpu = CurrentCpu();
        cpu.Enter();
        cpu.ReturnedPast += 1L << order;
        cpu.Exit();
    }

    private void Drain(FrameCpu cpu)
    {
        Span<ulong> taken = stackalloc ulong[FrameStack.Capacity];
        for (int index = 0; index < cpu.Stacks.Length; index++)
        {
            if (cpu.Stacks[index] is null)
            {
                continue; // a stack that is being made meanwhile holds pages that are in use again at once
            }

            int count;
            using (cpu.Visit())
            {
                count = cpu.StackAt(index).TakeOldest(taken);
            }

            bool isLarge = index % FrameCpu.StacksPerZone == FrameCpu.LargeStack;
            PutBatch(taken[..count], isLarge ? Pageblocks.Order : 0, index / FrameCpu.StacksPerZone);
        }
    }

    private FrameZone ZoneOf(int zoneKey)
    {
        FrameZone? zone = zoneKey < zonesByKey.Length ? zonesByKey[zoneKey] : null;
        Check.That(zone is not null, "a page of RAM has a zone");
        return zone;
    }

    private void LendOut(IReadOnlyList<PfnRange> ranges)
    {
        foreach (PfnRange range in ranges)
        {
            ulong end = range.Start.Value + range.Count.Value;
            for (ulong frame = range.Start.Value; frame < end; frame += Pageblocks.Frames)
            {
                FrameZone? zone = Array.Find(zones, zone => zone.HoldsPageblock(frame));
                Check.That(zone is not null, $"what is lent out is RAM, a whole pageblock in one zone: {new Pfn(frame)}");
                zone.Retype(frame, MigrateType.Cma);
            }
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void FreeWithState(ulong frame, ref PageMeta meta, int order)
    {
        // A page of a process that nobody maps any more: what remembers whose it was goes with its last reference.
        meta.Mapping = (meta.Mapping & PageMeta.AnonMapping) != 0 ? 0 : meta.Mapping;
        var flags = new PageFlagsWord(meta.Flags).With(PageFlags.None, clear: PageFlags.Lru | PageFlags.Active);
        Check.That(
            (meta.Mapping | meta.MapCount | meta.Next | meta.Previous) == 0
                && (flags.Flags & PageFlagsWord.ForbiddenWhenFreed) == PageFlags.None,
            $"bad page: {new Pfn(frame)} of order {order} is freed with mapping {meta.Mapping}, map count "
            + $"{meta.MapCount}, links {meta.Previous}/{meta.Next}, flags {flags.Flags}");
        meta.Flags = PageFlagsWord.OfZone(flags.ZoneKey).Bits;
        meta.Index = 0;
        meta.Private = 0;
        if ((flags.Flags & PageFlags.HasTailState) == PageFlags.None)
        {
            return;
        }

        for (ulong tail = frame + 1; tail < frame + (1UL << order); tail++)
        {
            pages[tail] = new PageMeta { Generation = pages[tail].Generation };
        }
    }

    private static void ThrowUnlessBlock(PageToken token, ref PageMeta meta)
    {
        var word = new PageCountWord(Volatile.Read(ref meta.Count));
        if (meta.Generation != token.Generation || word.State != PageState.InUse || word.Order != token.Order)
        {
            ThrowStaleBlock(token, word);
        }
    }

    [DoesNotReturn]
    private static void ThrowStaleBlock(PageToken token, PageCountWord word) =>
        throw new ObjectDisposedException(
            nameof(PageBlock), $"the block at {new Pfn(token.Frame)} was put or split before; it is {word} now");
}
