namespace Mm.Core.PhysRanges;

/// <content>Appending frames and pages: many at a time, merged by vectors.</content>
public sealed partial class PhysRangeListBuilder
{
    // Frames are merged in chunks, so that the storage grows with the ranges and not with the frames.
    private const int ChunkFrames = 2048;

    // Where a chunk of several owners waits to be appended range by range.
    private PhysRange[] scratch = [];

    /// <summary>Appends consecutive frames.</summary>
    /// <param name="frames">The frames.</param>
    /// <returns>As <see cref="TryAppend(PhysRange)"/>; <see cref="Errno.EOVERFLOW"/> also where a frame is 2^52 or more and so has no address.</returns>
    public Errno TryAppendFrames(PfnRange frames)
    {
        if (frames.IsEmpty)
        {
            return Errno.Ok;
        }

        bool haveAddresses = frames.Start <= Pfn.MaxValue
            && frames.Count.Value - 1 <= Pfn.MaxValue.Value - frames.Start.Value
            && frames.Count <= Pfn.MaxValue.OffsetFrom(Pfn.Zero); // all 2^52 frames have one byte too many
        return haveAddresses ? TryAppend(frames.ToPhysRange()) : Errno.EOVERFLOW;
    }

    /// <summary>Appends frames in the order given.</summary>
    /// <param name="frames">The frames.</param>
    /// <returns>As <see cref="TryAppend(PhysRange)"/>; <see cref="Errno.EOVERFLOW"/> also where a frame is 2^52 or more and so has no address.</returns>
    public Errno TryAppendFrames(ReadOnlySpan<Pfn> frames)
    {
        Mark mark = Now();
        while (!frames.IsEmpty)
        {
            int chunk = Math.Min(frames.Length, ChunkFrames);
            Errno errno = AppendChunk(frames[..chunk]);
            if (!errno.IsOk)
            {
                return EndAppend(mark, errno);
            }

            frames = frames[chunk..];
        }

        return Errno.Ok;
    }

    /// <summary>Appends a buffer that lies in pages: it starts in the first one and ends in the last one.</summary>
    /// <param name="pages">The pages in the order of the buffer.</param>
    /// <param name="offset">Where in the first page the buffer starts; below 4 KiB.</param>
    /// <param name="size">The bytes of the buffer; it must end in the last page.</param>
    /// <returns>As <see cref="TryAppendFrames(ReadOnlySpan{Pfn})"/>.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The offset is not in the first page, or the end not in the last.</exception>
    public Errno TryAppendPages(ReadOnlySpan<Pfn> pages, ByteCount offset, ByteCount size)
    {
        PageSpan.ThrowIfNotIn(pages.Length, offset, size);
        if (pages.IsEmpty)
        {
            return Errno.Ok;
        }

        Mark mark = Now();
        return EndAppend(mark, AppendPages(pages, new PageSpan(pages.Length, offset, size)));
    }

    private Errno AppendPages(ReadOnlySpan<Pfn> pages, PageSpan span)
    {
        if (span.IsWhole)
        {
            return TryAppendFrames(pages);
        }

        Errno errno = AppendPart(pages[0], span.PartOf(0));
        if (errno.IsOk && pages.Length > 2)
        {
            errno = TryAppendFrames(pages[1..^1]);
        }

        return errno.IsOk && pages.Length > 1 ? AppendPart(pages[^1], span.PartOf(pages.Length - 1)) : errno;
    }

    private Errno AppendPart(Pfn page, (ByteCount Offset, ByteCount Size) part) =>
        page <= Pfn.MaxValue
            ? Append(new PhysRange(page.Address.AddChecked(part.Offset), part.Size), mergesFirst: true)
            : Errno.EOVERFLOW;

    // At most ChunkFrames frames. A refusal leaves rubbish; the caller rolls back.
    private Errno AppendChunk(ReadOnlySpan<Pfn> frames)
    {
        EnsureRoom(frames.Length + PfnCoalescer.Slack);

        // Where the first frame follows the last range, the new ranges are written over it and the first then grows
        // backwards: cheaper than moving them all.
        bool touches = count > 0 && frames[0] <= Pfn.MaxValue
            && ranges[count - 1].TryGetEnd(out PhysAddr end) && end == frames[0].Address;
        PhysRange last = touches ? ranges[count - 1] : default;
        int first = touches ? count - 1 : count;
        int made = PfnCoalescer.Coalesce(vectors, frames, ranges.AsSpan(first), out FrameBounds bounds);
        ByteCount bytes = new PageCount((ulong)frames.Length).ToBytes();
        if (!bounds.HaveAddresses || !length.TryAdd(bytes, out ByteCount total))
        {
            return Errno.EOVERFLOW;
        }

        RangeOwner? owner = FindOwner(bounds.First.Address);
        bool isOneOwner = owner is not null && extent.Contains(new PfnRange(bounds.Last, PageCount.One).ToPhysRange());
        bool joins = touches && ReferenceEquals(owner, runs[runCount - 1].Owner);
        if (!isOneOwner || joins != touches)
        {
            return AppendChunkByOwner(first, made, last);
        }

        if (touches)
        {
            PhysRange grown = ranges[first];
            ranges[first] = new PhysRange(last.Start, last.Length.AddChecked(grown.Length));
        }

        int added = first + made - count;
        if (first + made > maxRanges)
        {
            return Errno.ENOSPC;
        }

        count = first + made;
        length = total;
        if (added > 0)
        {
            AddToRun(owner!, added);
        }

        return Errno.Ok;
    }

    // The chunk's ranges have several owners, or do not merge with the last one though they touch it.
    private Errno AppendChunkByOwner(int first, int made, PhysRange last)
    {
        if (scratch.Length < made)
        {
            scratch = new PhysRange[ChunkFrames];
        }

        ranges.AsSpan(first, made).CopyTo(scratch);
        if (first < count)
        {
            ranges[first] = last;
        }

        foreach (PhysRange range in scratch.AsSpan(0, made))
        {
            Errno errno = Append(range, mergesFirst: true);
            if (!errno.IsOk)
            {
                return errno;
            }
        }

        return Errno.Ok;
    }
}
