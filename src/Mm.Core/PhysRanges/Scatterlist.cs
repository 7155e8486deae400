namespace Mm.Core.PhysRanges;

/// <summary>Memory with page descriptors as a scatterlist: entries of page, offset and length, no longer than a largest segment.</summary>
/// <remarks>
/// It names pages and holds no references to them. Pages merge into one entry when their frames follow each other and
/// they have one owner: the same page map, or RAM. Reusable: <see cref="Clear"/> keeps the storage.
/// <para><b>Linux:</b> struct sg_append_table and sg_alloc_append_table_from_pages(); one append to an empty one is
/// sg_alloc_table_from_pages_segment() (lib/scatterlist.c, v6.12). Deliberate differences: the chunks of 128 entries and
/// their chaining are storage and not modelled; pages that merge into the last entry count against the size, and an entry that
/// ends inside a page never grows (there it would grow past what the caller named).</para>
/// <para><b>Invariants:</b> (1) no entry is empty, spans two owners or has an owner without page descriptors;
/// (2) <see cref="Length"/> is the sum of the lengths.</para>
/// <para><b>Locking:</b> the caller's: one thread at a time.</para>
/// </remarks>
public sealed class Scatterlist
{
    private readonly PhysRangeListBuilder coalescer;
    private ScatterlistEntry[] entries = [];
    private RangeOwner? lastOwner;

    /// <summary>Makes an empty scatterlist.</summary>
    /// <param name="owners">Says which page map owns a page.</param>
    public Scatterlist(IRangeOwnerSource owners) => coalescer = new PhysRangeListBuilder(owners);

    /// <summary>The largest segment that an entry can have: 2^32 less a page.</summary>
    public static ByteCount LargestSegment => new((1UL << 32) - PageSize.Small.Bytes.Value);

    /// <summary>How many entries. <b>Linux:</b> nents and orig_nents.</summary>
    public int Count { get; private set; }

    /// <summary>The bytes of all entries.</summary>
    public ByteCount Length { get; private set; }

    /// <summary>The entries in order; good until the next append or <see cref="Clear"/>.</summary>
    public ReadOnlySpan<ScatterlistEntry> Entries => entries.AsSpan(0, Count);

    /// <summary>Appends a buffer that lies in pages: it starts in the first one and ends in the last one.</summary>
    /// <param name="pages">The pages in the order of the buffer.</param>
    /// <param name="offset">Where in the first page the buffer starts; below 4 KiB.</param>
    /// <param name="size">The bytes of the buffer; it must end in the last page.</param>
    /// <param name="maxSegment">The most bytes of an entry, counted from the start of its first page; rounded down to whole pages.</param>
    /// <returns>
    /// <see cref="Errno.EINVAL"/>: <paramref name="maxSegment"/> is below a page, or the offset is not zero and there are entries already.
    /// <see cref="Errno.EFAULT"/>: a page has no owner, or one without page descriptors.
    /// <see cref="Errno.EOVERFLOW"/>: a frame is 2^52 or more and has no address, or all entries would have more than 2^64-1 bytes.
    /// </returns>
    /// <exception cref="ArgumentOutOfRangeException">The offset is not in the first page, or the end not in the last.</exception>
    public Errno TryAppendPages(ReadOnlySpan<Pfn> pages, ByteCount offset, ByteCount size, ByteCount maxSegment)
    {
        PageSpan.ThrowIfNotIn(pages.Length, offset, size);
        if (Count > 0 && !offset.IsZero)
        {
            return Errno.EINVAL;
        }

        Errno errno = coalescer.TryAppendPages(pages, offset, size);
        return errno.IsOk ? AppendCoalesced(maxSegment) : errno;
    }

    /// <summary>Appends the ranges of a list, each cut to the largest segment.</summary>
    /// <param name="list">The list; its ranges keep their division unless they touch and have one owner.</param>
    /// <param name="maxSegment">The most bytes of an entry, counted from the start of its first page; rounded down to whole pages.</param>
    /// <returns>
    /// <see cref="Errno.EINVAL"/>: <paramref name="maxSegment"/> is below a page.
    /// <see cref="Errno.EFAULT"/>: a range has an owner without page descriptors.
    /// <see cref="Errno.EOVERFLOW"/>: all entries would have more than 2^64-1 bytes.
    /// </returns>
    /// <exception cref="ObjectDisposedException">The list was disposed.</exception>
    public Errno TryAppendRanges(PhysRangeList list, ByteCount maxSegment)
    {
        Errno errno = coalescer.TryAppend(list);
        return errno.IsOk ? AppendCoalesced(maxSegment) : errno;
    }

    /// <summary>Appends the bytes of all entries to a list under construction.</summary>
    /// <param name="builder">Takes the ranges; it merges as it does.</param>
    /// <returns>As <see cref="PhysRangeListBuilder.TryAppend(PhysRange)"/>; refused, the builder is as it was.</returns>
    public Errno TryAppendTo(PhysRangeListBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.TryAppendAll(Entries, static entry => entry.Range);
    }

    /// <summary>Removes all entries; the storage stays.</summary>
    public void Clear()
    {
        Count = 0;
        Length = default;
        lastOwner = null;
    }

    private Errno AppendCoalesced(ByteCount maxSegment)
    {
        using PhysRangeList list = coalescer.Build();
        ulong segment = Math.Min(maxSegment.Value, LargestSegment.Value) & ~PageSize.Small.OffsetMask;
        if (segment == 0)
        {
            return Errno.EINVAL;
        }

        if (!Length.TryAdd(list.Length, out ByteCount total))
        {
            return Errno.EOVERFLOW;
        }

        foreach (OwnerRun run in list.OwnerRuns)
        {
            if (!run.Owner.HasPages)
            {
                return Errno.EFAULT;
            }
        }

        foreach (OwnerRun run in list.OwnerRuns)
        {
            foreach (PhysRange range in list.Ranges.Slice(run.FirstRange, run.RangeCount))
            {
                AppendRange(range, run.Owner, segment);
            }
        }

        Length = total;
        return Errno.Ok;
    }

    private void AppendRange(PhysRange range, RangeOwner owner, ulong segment)
    {
        PhysRange rest = range;
        if (Count > 0 && ReferenceEquals(owner, lastOwner))
        {
            rest = GrowLast(rest, segment);
        }

        while (!rest.IsEmpty)
        {
            ulong room = segment - rest.Start.OffsetIn(PageSize.Small).Value;
            PhysRange piece = Take(ref rest, room);
            if (Count == entries.Length)
            {
                Array.Resize(ref entries, Math.Max(16, 2 * Count));
            }

            entries[Count++] = new ScatterlistEntry(piece);
        }

        lastOwner = owner;
    }

    // Moves the front of the range into the last entry, as far as they touch on a page border and the segment allows.
    private PhysRange GrowLast(PhysRange range, ulong segment)
    {
        ScatterlistEntry last = entries[Count - 1];
        ulong taken = last.Offset.Value + last.Length.Value;
        if (taken >= segment || !range.Start.IsAligned(PageSize.Small) || !last.Range.IsFollowedBy(range))
        {
            return range;
        }

        PhysRange rest = range;
        PhysRange piece = Take(ref rest, segment - taken);
        entries[Count - 1] = new ScatterlistEntry(new PhysRange(last.Range.Start, last.Length.AddChecked(piece.Length)));
        return rest;
    }

    private static PhysRange Take(ref PhysRange rest, ulong atMost)
    {
        var size = new ByteCount(Math.Min(rest.Length.Value, atMost));
        PhysRange piece = rest.Slice(ByteCount.Zero, size);
        rest = rest.Slice(size, rest.Length.SubtractChecked(size));
        return piece;
    }
}
