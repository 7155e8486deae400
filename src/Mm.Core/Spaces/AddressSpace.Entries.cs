using Mm.Core.Notifiers;

namespace Mm.Core.Spaces;

/// <content>What happens to entries of a range, whoever asks.</content>
public sealed partial class AddressSpace
{
    /// <summary>Clears a range, mirrors told before and after.</summary>
    /// <remarks><b>Requires:</b> the lock, for reading at least.</remarks>
    /// <param name="range">Whole pages.</param>
    /// <param name="why">Unmap or clear.</param>
    /// <param name="keepsCopies">Whether pages of the process's own stay.</param>
    internal void ZapWithNotice(VirtRange range, NotifierEvent why, bool keepsCopies = false)
    {
        if (range.IsEmpty)
        {
            return;
        }

        var notice = new NotifierRange(range, why) { CanBlock = true };
        Notifiers.TryInvalidate(notice, out NotifierInvalidation invalidation).ThrowIfError();
        using (invalidation)
        {
            ZapRange(range, keepsCopies);
        }
    }

    /// <summary>Breaks up the leaves of 2 MiB at the ends of a range, so that it covers none in part.</summary>
    /// <param name="range">Whole pages.</param>
    /// <param name="all">Whether those inside are broken up too.</param>
    internal void SplitEnds(VirtRange range, bool all = false)
    {
        ulong end = range.Start.Value + range.Length.Value;
        if (!range.Start.IsAligned(PageSize.Large))
        {
            SplitLeaf(range.Start);
        }

        if (end % PageSize.Large.Bytes.Value != 0)
        {
            SplitLeaf(new VirtAddr(end - 1));
        }

        for (ulong at = range.Start.Value; all && at < end; at += PageSize.Large.Bytes.Value)
        {
            SplitLeaf(new VirtAddr(at));
        }
    }

    /// <summary>Makes ready for areas to end where a range does: a leaf of 2 MiB that would lie in two is broken up, and mirrors
    /// of those 2 MiB are told, be a leaf there or not.</summary>
    /// <param name="range">The range, about to be unmapped or to change.</param>
    /// <remarks><b>Linux:</b> vma_adjust_trans_huge of a split at the start, then at the end.</remarks>
    internal void SplitAtBoundaries(VirtRange range)
    {
        if (range.IsEmpty)
        {
            return;
        }

        if (FindArea(range.Start) is { } first && first.Start < range.Start)
        {
            SplitAtBoundary(range.Start, first.Range);
        }

        VirtAddr end = range.Start.AddChecked(range.Length);
        if (FindArea(new VirtAddr(end.Value - 1)) is { } last && end < last.End)
        {
            VirtAddr start = last.Start < range.Start ? range.Start : last.Start;
            SplitAtBoundary(end, new VirtRange(start, last.End.OffsetFrom(start)));
        }
    }

    /// <summary>Turns a leaf of 2 MiB into small entries; what is mapped, and what is counted, stays.</summary>
    /// <param name="at">An address in it; nothing happens where there is none.</param>
    /// <remarks><b>Linux:</b> __split_huge_pmd.</remarks>
    internal void SplitLeaf(VirtAddr at)
    {
        Pte leaf = Tables.ReadLeaf(at, out PageSize size);
        if (size != PageSize.Large)
        {
            return;
        }

        VirtAddr start = at.AlignDown(PageSize.Large);
        var range = new VirtRange(start, PageSize.Large.Bytes);
        var notice = new NotifierRange(range, NotifierEvent.Clear) { CanBlock = true };
        Notifiers.TryInvalidate(notice, out NotifierInvalidation invalidation).ThrowIfError();
        using (invalidation)
        {
            SplitLeafQuietly(start, leaf);
        }
    }

    /// <summary>The same without telling mirrors, for who has told them.</summary>
    /// <param name="start">Where the leaf begins.</param>
    /// <param name="leaf">The leaf, as the caller saw it.</param>
    internal void SplitLeafQuietly(VirtAddr start, Pte leaf)
    {
        // Counted before the entries exist, so that nobody finds fewer mappings than there are.
        bool isCounted = !leaf.IsZeroPage && (leaf.IsPresent || leaf.IsDevicePrivate);
        Pfn head = leaf.Frame;
        if (isCounted)
        {
            for (ulong part = 0; part < PageSize.Large.Pages.Value; part++)
            {
                Parts.Frames.AddMapping(new Pfn(head.Value + part));
                if (part != 0)
                {
                    Parts.Frames.GetFrame(head);
                }
            }
        }

        bool isSplit = Tables.TrySplit(start, leaf);
        if (isCounted && isSplit)
        {
            Parts.Frames.RemoveEntireMapping(head);
        }
        else if (isCounted)
        {
            UncountParts(head);
        }
        else if (isSplit && leaf.IsZeroPage)
        {
            // The parts of the large page of zeros become the small one.
            var rule = new ZeroPartRule(Owner.ZeroPage);
            Tables.Rewrite(new VirtRange(start, PageSize.Large.Bytes), ref rule);
        }

        FlushTlb();
    }

    private void SplitAtBoundary(VirtAddr at, VirtRange area)
    {
        VirtAddr start = at.AlignDown(PageSize.Large);
        var around = new VirtRange(start, PageSize.Large.Bytes);
        if (at == start || !area.Contains(around))
        {
            return;
        }

        var notice = new NotifierRange(around, NotifierEvent.Clear) { CanBlock = true };
        Notifiers.TryInvalidate(notice, out NotifierInvalidation invalidation).ThrowIfError();
        using (invalidation)
        {
            Pte leaf = Tables.ReadLeaf(at, out PageSize size);
            if (size == PageSize.Large)
            {
                SplitLeafQuietly(start, leaf);
            }
        }
    }

    private void UncountParts(Pfn head)
    {
        for (ulong part = 0; part < PageSize.Large.Pages.Value; part++)
        {
            Parts.Frames.RemoveMapping(new Pfn(head.Value + part));
            if (part != 0)
            {
                Parts.Frames.PutFrame(head);
            }
        }
    }

    private void ZapRange(VirtRange range, bool keepsCopies = false)
    {
        SplitEnds(range);
        var rule = new ZapRule(this, keepsCopies);
        Tables.Rewrite(range, ref rule);
        rule.Dispose();
    }

    private readonly struct ZeroPartRule(Pfn zero) : IPteRule
    {
        public Pte Next(VirtAddr at, Pte entry) => !entry.IsZeroPage ? entry
            : entry.IsAccessible ? Pte.ZeroPage(zero)
            : Pte.ZeroPage(zero).Modify(PteProtection.None);

        public void Changed(VirtAddr at, Pte before, Pte after)
        {
        }
    }
}
