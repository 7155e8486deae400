using Mm.Core.Checks;

namespace Mm.Core.Frames;

/// <summary>Recounts every frame of RAM from the bottom and compares with what the allocator believes.</summary>
/// <remarks>
/// Walks the lists, then the frames, then the stacks; the three pictures must be one. Untouched blocks are counted by
/// their run and not read.
/// <para><b>Locking:</b> wants the machine at rest: it takes none.</para>
/// </remarks>
/// <param name="allocator">What to recount.</param>
internal sealed class FrameValidator(PageAllocator allocator)
{
    private readonly Dictionary<ulong, int> onStacks = []; // frame → order, from the stacks; emptied by the walk

    /// <summary>Recounts.</summary>
    /// <exception cref="MmBugException">Something does not add up; the message says where.</exception>
    internal void Run()
    {
        CollectStacks();
        ulong inUse = 0;
        foreach (FrameZone zone in allocator.Zones)
        {
            ulong listed = WalkLists(zone);
            ulong untouched = CountUntouched(zone);
            Check.That(
                listed + untouched == zone.Free,
                $"invariant 4 of {Name(zone)}: lists hold {listed} and {untouched} are untouched, counted {zone.Free}");
            var walk = WalkFrames(zone);
            Check.That(
                walk.Free == listed,
                $"{Name(zone)}: {walk.Free} frames say they are free, the lists hold {listed}");
            inUse += walk.InUse;
        }

        Check.That(
            onStacks.Count == 0,
            $"{onStacks.Count} blocks are on stacks but not where the walk passed, first "
            + $"{(onStacks.Count == 0 ? default : new Pfn(onStacks.First().Key))}");
        AllocatorStatistics statistics = allocator.Statistics;
        Check.That(
            statistics.InUse.Value == inUse && statistics.Taken.Value - statistics.Returned.Value == inUse,
            $"invariant 1: {inUse} pages are in use; the counters say {statistics}");
    }

    private static string Name(FrameZone zone) => $"{zone.Node} zone {zone.Kind}";

    private static ulong CountUntouched(FrameZone zone)
    {
        ulong count = 0;
        foreach (FrameRun run in zone.Untouched)
        {
            Check.That(
                run.Start < run.End && ((run.Start | run.End) & (FrameZone.MaxBlockFrames - 1)) == 0,
                $"{Name(zone)}: the untouched run [0x{run.Start:x}, 0x{run.End:x}) must be whole blocks");
            count += run.End - run.Start;
        }

        return count;
    }

    private void CollectStacks()
    {
        foreach (FrameCpu cpu in allocator.Cpus)
        {
            for (int index = 0; index < cpu.Stacks.Length; index++)
            {
                int order = index % FrameCpu.StacksPerZone == FrameCpu.LargeStack ? Pageblocks.Order : 0;
                foreach (ulong frame in cpu.Stacks[index]?.ToArray() ?? [])
                {
                    Check.That(onStacks.TryAdd(frame, order), $"{new Pfn(frame)} is on two stacks");
                    ref PageMeta meta = ref allocator.Pages[frame];
                    Check.That(
                        meta.Count == PageCountWord.PerCpu(order).Bits
                            && new PageFlagsWord(meta.Flags).ZoneKey == index / FrameCpu.StacksPerZone,
                        $"{new Pfn(frame)} on stack {index} is {new PageCountWord(meta.Count)}");
                }
            }
        }
    }

    private ulong WalkLists(FrameZone zone)
    {
        ulong total = 0;
        for (MigrateType type = MigrateType.Unmovable; type <= MigrateType.Isolate; type++)
        {
            ulong ofType = type == MigrateType.Movable ? CountUntouched(zone) : 0;
            for (int order = 0; order < FrameZone.OrderCount; order++)
            {
                ulong blocks = WalkList(zone, order, type);
                ofType += blocks << order;
                total += blocks << order;
            }

            Check.That(
                ofType == zone.FreeOf(type),
                $"invariant 4 of {Name(zone)}: {ofType} free {type} pages, counted {zone.FreeOf(type)}");
        }

        return total;
    }

    private ulong WalkList(FrameZone zone, int order, MigrateType type)
    {
        ref readonly FrameList list = ref zone.ListOf(order, type);
        ulong count = 0;
        ulong previous = 0;
        for (ulong link = list.IsEmpty ? 0 : list.First + 1; link != 0; link = allocator.Pages[link - 1].Next)
        {
            ulong frame = link - 1;
            ref PageMeta meta = ref allocator.Pages[frame];
            Check.That(
                meta.Count == PageCountWord.Free(order).Bits && meta.Previous == previous
                    && (frame & ((1UL << order) - 1)) == 0,
                $"invariant 1: {new Pfn(frame)} on the list of order {order} is {new PageCountWord(meta.Count)}");
            Check.That(
                zone.Contains(frame) && zone.Contains(frame + (1UL << order) - 1)
                    && allocator.Blocks.TypeOf(frame) == type
                    && allocator.Blocks.TypeOf(frame + (1UL << order) - 1) == type,
                $"invariant 3: {new Pfn(frame)} of order {order} is on the {type} list of {Name(zone)}, its pageblock "
                + $"is {allocator.Blocks.TypeOf(frame)}");
            CheckBuddy(zone, frame, order, type);
            previous = link;
            count++;
        }

        Check.That(count == list.Count, $"{Name(zone)}: order {order} {type} has {count} blocks, counted {list.Count}");
        return count;
    }

    private void CheckBuddy(FrameZone zone, ulong frame, int order, MigrateType type)
    {
        ulong buddy = frame ^ (1UL << order);
        if (order == FrameZone.MaxOrder || !zone.Contains(buddy)
            || allocator.Pages[buddy].Count != PageCountWord.Free(order).Bits)
        {
            return;
        }

        MigrateType other = allocator.Blocks.TypeOf(buddy);
        bool mayStayApart = type != other && (type > MigrateType.Reclaimable || other > MigrateType.Reclaimable);
        Check.That(mayStayApart, $"invariant 2: {new Pfn(frame)} and its buddy are both free at order {order}");
    }

    private (ulong Free, ulong InUse) WalkFrames(FrameZone zone)
    {
        ulong free = 0;
        ulong inUse = 0;
        foreach (FrameSpan span in zone.Spans)
        {
            ulong frame = span.Start;
            while (frame < span.End)
            {
                FrameRun run = zone.Untouched.FirstOrDefault(run => run.Contains(frame));
                if (run.End > frame)
                {
                    frame = run.End;
                    continue;
                }

                var word = new PageCountWord(allocator.Pages[frame].Count);
                ulong pages = 1UL << word.Order;
                CheckBlock(zone, frame, word, span);
                free += word.State == PageState.Free ? pages : 0;
                inUse += word.State is PageState.InUse or PageState.Frozen ? pages : 0;
                frame += pages;
            }
        }

        return (free, inUse);
    }

    private void CheckBlock(FrameZone zone, ulong frame, PageCountWord word, FrameSpan span)
    {
        Check.That(
            word.State is not (PageState.Blank or PageState.DeviceIdle),
            $"invariant 1: {new Pfn(frame)} of {Name(zone)} is lost: {word}");
        Check.That(
            (word.References > 0) == (word.State == PageState.InUse) && word.Pins <= word.References,
            $"a count out of its band: {new Pfn(frame)} is {word}");
        Check.That(
            new PageFlagsWord(allocator.Pages[frame].Flags).ZoneKey == zone.Key
                && frame + (1UL << word.Order) <= span.End,
            $"{new Pfn(frame)} does not lie in {Name(zone)} as it says: {word}");
        if (word.State == PageState.PerCpu)
        {
            Check.That(
                onStacks.Remove(frame, out int order) && order == word.Order,
                $"{new Pfn(frame)} says {word} but no stack has it");
        }

        for (ulong inside = frame + 1; inside < frame + (1UL << word.Order); inside++)
        {
            Check.That(
                allocator.Pages[inside].Count == 0,
                $"{new Pfn(inside)} inside {new Pfn(frame)} ({word}) is {new PageCountWord(allocator.Pages[inside].Count)}");
        }
    }
}
