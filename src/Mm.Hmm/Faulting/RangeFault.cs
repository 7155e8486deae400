using Mm.Core;
using Mm.Core.Locking;
using Mm.Core.Native;
using Mm.Core.Spaces;

namespace Mm.Hmm.Faulting;

/// <summary>Reads a range of an address space for a device, faulting pages in where that is asked.</summary>
/// <remarks>
/// Owns nothing and holds no page: the words may be stale when they are read.
/// <para><b>Linux:</b> hmm_range_fault (mm/hmm.c, v6.12). Deliberate difference: it takes the space's lock itself.</para>
/// <para><b>Locking:</b> takes the space's lock for reading; no lock that an invalidation takes may be held.</para>
/// </remarks>
public static class RangeFault
{
    /// <summary>Fills the words of a range.</summary>
    /// <param name="space">The space.</param>
    /// <param name="range">What is asked; its sequence was taken before.</param>
    /// <returns>Ok; EBUSY: the range was invalidated since the sequence was taken; EFAULT: a page was asked for where no
    /// area is, where the area cannot be mirrored or read, or where a fault failed; EPERM: write access was asked for, and
    /// the area forbids it.</returns>
    public static Errno TryFault(AddressSpace space, HmmRange range)
    {
        ArgumentNullException.ThrowIfNull(space);
        ArgumentNullException.ThrowIfNull(range);
        using SpaceLock.Held held = space.Lock.EnterRead();
        return new Walk(space, range).Run();
    }

    private ref struct Walk(AddressSpace space, HmmRange range)
    {
        private readonly AddressSpace space = space;
        private readonly HmmRange range = range;
        private readonly bool mayFault = range.DefaultFlags.WantsFault || range.FlagsMask.WantsFault;
        private ulong last = range.Range.Start.Value;

        // Words before `last` are answers, those from it on are questions still.
        internal Errno Run()
        {
            Errno errno;
            do
            {
                if (range.Notifier.IsRetryNeeded(range.Sequence))
                {
                    return Errno.EBUSY;
                }

                space.Parts.Points?.Reach("range-walk");
                errno = WalkAreas(last, range.Range.Start.Value + range.Range.Length.Value);
            }
            while (errno == Errno.EBUSY);

            return errno;
        }

        private Errno WalkAreas(ulong at, ulong end)
        {
            while (at < end)
            {
                Area? area = space.FindArea(new VirtAddr(at));
                ulong next = area is null ? NextArea(at, end) : Math.Min(area.End.Value, end);
                Errno errno = area is null ? Refuse(at, next) : WalkArea(area, at, next);
                if (!errno.IsOk)
                {
                    return errno;
                }

                at = next;
            }

            return Errno.Ok;
        }

        private readonly ulong NextArea(ulong at, ulong end)
        {
            ReadOnlySpan<Area> areas = space.AreaSet.Overlapping(new VirtRange(new VirtAddr(at), new ByteCount(end - at)));
            return areas.IsEmpty ? end : areas[0].Start.Value;
        }

        // Linux: hmm_vma_walk_test.
        private Errno WalkArea(Area area, ulong at, ulong end)
        {
            if (area.Traits.IsBare || !area.IsReadable)
            {
                return Refuse(at, end);
            }

            // What is only looked at, and usual, is answered by whole tables.
            if (!mayFault)
            {
                Span<HmmPfn> words = WordsOf(at, end);
                if (!space.Tables.Snapshot(new VirtAddr(at), Words.Of(words)))
                {
                    return Errno.Ok;
                }
            }

            while (at < end)
            {
                PteRun run = space.Tables.RunAt(at, end);
                ulong next = at + run.Pages.ToBytes().Value;
                Errno errno = run.IsHole ? Hole(area, at, next)
                    : !run.Large.IsNone ? Large(area, run, at, next)
                    : Small(area, run, at);
                if (!errno.IsOk)
                {
                    return errno;
                }

                at = next;
            }

            return Errno.Ok;
        }

        private readonly Span<HmmPfn> WordsOf(ulong at, ulong end) =>
            range.Pfns[(int)((at - range.Range.Start.Value) >> 12)..(int)((end - range.Range.Start.Value) >> 12)];

        private readonly Errno Refuse(ulong at, ulong end)
        {
            if (Needs(WordsOf(at, end), HmmPfn.None, out _))
            {
                return Errno.EFAULT;
            }

            WordsOf(at, end).Fill(HmmPfn.Error);
            return Errno.Ok;
        }

        private Errno Hole(Area area, ulong at, ulong end)
        {
            if (Needs(WordsOf(at, end), HmmPfn.None, out bool isWrite))
            {
                return Fault(area, at, end, isWrite);
            }

            WordsOf(at, end).Clear();
            return Errno.Ok;
        }

        // Linux: hmm_vma_handle_pmd.
        private Errno Large(Area area, PteRun run, ulong at, ulong end)
        {
            Pte leaf = run.Large;
            if (!leaf.IsPresent)
            {
                return LargeNonPresent(area, leaf, at, end);
            }

            Span<HmmPfn> words = WordsOf(at, end);
            int order = PageSize.Large.Order;
            HmmPfn there = leaf.IsProtNone ? HmmPfn.None : Word(leaf.Frame, leaf.IsWritable, order);
            if (Needs(words, there, out bool isWrite))
            {
                return Fault(area, at, end, isWrite);
            }

            ulong first = leaf.Frame.Value + (ulong)run.FirstPart;
            for (int index = 0; index < words.Length; index++)
            {
                words[index] = leaf.IsProtNone ? HmmPfn.None : Word(new Pfn(first + (ulong)index), leaf.IsWritable, order);
            }

            return Errno.Ok;
        }

        private Errno LargeNonPresent(Area area, Pte leaf, ulong at, ulong end)
        {
            if (leaf.IsDevicePrivate && space.Owner.OwnerOf(leaf.Frame) == range.Owner)
            {
                Span<HmmPfn> words = WordsOf(at, end);
                ulong first = leaf.Frame.Value + ((at >> 12) & (PageSize.Large.Pages.Value - 1));
                for (int index = 0; index < words.Length; index++)
                {
                    words[index] = Word(new Pfn(first + (ulong)index), leaf.IsWritableDevicePrivate, PageSize.Large.Order);
                }

                return Errno.Ok;
            }

            return Hole(area, at, end);
        }

        private Errno Small(Area area, PteRun run, ulong at)
        {
            for (int index = 0; index < (int)run.Pages.Value; index++)
            {
                ulong page = at + ((ulong)index << 12);
                Errno errno = One(area, run[index], page, at + run.Pages.ToBytes().Value, ref WordsOf(page, page + 4096)[0]);
                if (!errno.IsOk)
                {
                    return errno;
                }
            }

            return Errno.Ok;
        }

        // Linux: hmm_vma_handle_pte.
        private Errno One(Area area, Pte entry, ulong page, ulong end, ref HmmPfn word)
        {
            bool isOwn = entry.IsDevicePrivate && space.Owner.OwnerOf(entry.Frame) == range.Owner;
            if (isOwn)
            {
                word = Word(entry.Frame, entry.IsWritableDevicePrivate, order: 0);
                return Errno.Ok;
            }

            HmmPfn there = entry.IsAccessible ? Word(FrameOf(entry), entry.IsWritable, order: 0) : HmmPfn.None;
            HmmPfn asked = word.Asked(range.FlagsMask, range.DefaultFlags);
            if (!there.Meets(asked))
            {
                return entry.IsMigration ? Wait(entry, page)
                    : entry.IsHwPoison ? Errno.EFAULT
                    : Fault(area, page, end, asked.WantsWrite && !there.IsWritable); // to the end of the table, as Linux does
            }

            if (entry.IsPresent && entry.IsSpecial)
            {
                word = asked.WantsFault ? word : HmmPfn.Error;
                return asked.WantsFault ? Errno.EFAULT : Errno.Ok;
            }

            word = there;
            return Errno.Ok;
        }

        private readonly Pfn FrameOf(Pte entry) => entry.IsZeroPage ? space.Owner.ZeroPage : entry.Frame;

        private Errno Wait(Pte entry, ulong page)
        {
            last = page;
            space.WaitForEntry(new VirtAddr(page), entry);
            return Errno.EBUSY;
        }

        // Linux: hmm_vma_fault. EBUSY starts the walk again from here.
        private Errno Fault(Area area, ulong at, ulong end, bool isWrite)
        {
            last = at;
            if (isWrite && !area.IsWritable)
            {
                return Errno.EPERM;
            }

            for (; at < end; at += 4096)
            {
                FaultResult result = space.HandleFault(area, new VirtAddr(at), isWrite ? FaultFlags.Write : FaultFlags.None);
                if (result != FaultResult.Done)
                {
                    return Errno.EFAULT;
                }
            }

            return Errno.EBUSY;
        }

        // Linux: hmm_range_need_fault: one page that wants to be written makes all of the run be.
        private readonly bool Needs(ReadOnlySpan<HmmPfn> words, HmmPfn there, out bool isWrite)
        {
            isWrite = false;
            bool needs = false;
            if (!mayFault)
            {
                return false;
            }

            foreach (HmmPfn word in words)
            {
                HmmPfn asked = word.Asked(range.FlagsMask, range.DefaultFlags);
                if (!there.Meets(asked))
                {
                    needs = true;
                    isWrite |= asked.WantsWrite && !there.IsWritable;
                }
            }

            return needs;
        }

        private static HmmPfn Word(Pfn frame, bool isWritable, int order) =>
            isWritable ? HmmPfn.Writable(frame, order) : HmmPfn.Readable(frame, order);
    }
}
