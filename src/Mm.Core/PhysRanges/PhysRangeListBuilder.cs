using Mm.Core.Checks;
using Mm.Core.Native;

namespace Mm.Core.PhysRanges;

/// <summary>Collects ranges, merging those that touch, into a <see cref="PhysRangeList"/>; made once and used again and again.</summary>
/// <remarks>
/// Ranges merge where one starts right where the previous one ends and both have one owner: never across page maps,
/// providers, or RAM and device. The owner is looked up once for each merged run. Ranges that touch in the other
/// order, or not as neighbours in the list, stay apart: order is part of what a list says.
/// Every append is all or nothing: a refused one leaves the builder as it was.
/// <para><b>Linux:</b> sg_alloc_append_table_from_pages() with an unlimited segment, without a struct page (v6.12).</para>
/// <para><b>Invariants:</b> those of <see cref="PhysRangeList"/>, after every call.</para>
/// <para><b>Locking:</b> the caller's: one thread at a time. The lists it makes are safe from any thread.</para>
/// </remarks>
public sealed partial class PhysRangeListBuilder
{
    private readonly IRangeOwnerSource owners;
    private readonly PhysRangeListPool pool = new();
    private readonly int maxRanges;
    private readonly VectorLevel vectors;

    private PhysRange[] ranges = new PhysRange[16];
    private OwnerRun[] runs = new OwnerRun[1];
    private int count;
    private int runCount;
    private ByteCount length;

    // The answer of the owner source that was given last; good while its version stays.
    private PhysRange extent;
    private RangeOwner? extentOwner;
    private long extentVersion;

    /// <summary>Makes a builder.</summary>
    /// <param name="owners">Says who owns which addresses.</param>
    /// <param name="limits">What a list may grow to.</param>
    public PhysRangeListBuilder(IRangeOwnerSource owners, PhysRangeListLimits limits = default)
        : this(owners, limits, Vectors.Level)
    {
    }

    /// <summary>Makes a builder that uses one level of vectors.</summary>
    internal PhysRangeListBuilder(IRangeOwnerSource owners, PhysRangeListLimits limits, VectorLevel vectors)
    {
        ArgumentNullException.ThrowIfNull(owners);
        this.owners = owners;
        this.vectors = vectors;
        maxRanges = limits.MaxRanges;
    }

    /// <summary>How many ranges the list has so far.</summary>
    public int Count => count;

    /// <summary>How many bytes the list has so far.</summary>
    public ByteCount Length => length;

    /// <summary>Appends a range; an empty one changes nothing.</summary>
    /// <param name="range">The range; it is cut where its owner changes.</param>
    /// <returns>
    /// <see cref="Errno.EFAULT"/>: nobody owns a part of it.
    /// <see cref="Errno.ENOSPC"/>: the list would have more ranges than its limit.
    /// <see cref="Errno.EOVERFLOW"/>: the list would have more than 2^64-1 bytes.
    /// </returns>
    public Errno TryAppend(PhysRange range)
    {
        Mark mark = Now();
        return EndAppend(mark, Append(range, mergesFirst: true));
    }

    /// <summary>Appends ranges in the order given, all or none of them.</summary>
    /// <param name="items">The ranges; each is cut where its owner changes.</param>
    /// <returns>As <see cref="TryAppend(PhysRange)"/>.</returns>
    public Errno TryAppend(ReadOnlySpan<PhysRange> items) => TryAppendAll(items, static range => range);

    /// <summary>Appends a range without merging it with the last one, to keep a division that somebody else made.</summary>
    /// <param name="range">The range; it is cut where its owner changes.</param>
    /// <returns>As <see cref="TryAppend(PhysRange)"/>.</returns>
    public Errno TryAppendUnmerged(PhysRange range)
    {
        Mark mark = Now();
        return EndAppend(mark, Append(range, mergesFirst: false));
    }

    /// <summary>Appends a range whose owner the caller carries along, without asking the owner source.</summary>
    /// <param name="range">The range, all of it of one owner.</param>
    /// <param name="owner">Its owner.</param>
    /// <returns>
    /// <see cref="Errno.EFAULT"/>: the owner has a provider, and the range does not lie in the provider's aperture.
    /// <see cref="Errno.ENOSPC"/>, <see cref="Errno.EOVERFLOW"/>: as <see cref="TryAppend(PhysRange)"/>.
    /// </returns>
    public Errno TryAppend(PhysRange range, RangeOwner owner)
    {
        ArgumentNullException.ThrowIfNull(owner);
        if (range.IsEmpty)
        {
            return Errno.Ok;
        }

        return owner.Provider is { } provider && !provider.Aperture.Contains(range)
            ? Errno.EFAULT
            : AppendPiece(range, owner, merges: true);
    }

    /// <summary>Appends all ranges of a list, with the owners that it carries.</summary>
    /// <param name="list">The list.</param>
    /// <returns><see cref="Errno.ENOSPC"/>, <see cref="Errno.EOVERFLOW"/>: as <see cref="TryAppend(PhysRange)"/>.</returns>
    /// <exception cref="ObjectDisposedException">The list was disposed.</exception>
    public Errno TryAppend(PhysRangeList list)
    {
        ArgumentNullException.ThrowIfNull(list);
        Mark mark = Now();
        foreach (OwnerRun run in list.OwnerRuns)
        {
            foreach (PhysRange range in list.Ranges.Slice(run.FirstRange, run.RangeCount))
            {
                Errno errno = AppendPiece(range, run.Owner, merges: true);
                if (!errno.IsOk)
                {
                    return EndAppend(mark, errno);
                }
            }
        }

        return Errno.Ok;
    }

    /// <summary>Makes the list and empties the builder for the next one.</summary>
    /// <param name="validity">Until when the addresses are good; without one, until the list is disposed.</param>
    /// <returns>The list; recycled from those disposed, if there is one.</returns>
    public PhysRangeList Build(ValidityToken? validity = null)
    {
        PhysRangeList list = pool.Rent();
        list.Open(ranges.AsSpan(0, count), runs.AsSpan(0, runCount), length, validity);
        Clear();
        return list;
    }

    /// <summary>Empties the builder; its storage stays for the next list.</summary>
    public void Clear()
    {
        runs.AsSpan(0, runCount).Clear(); // or it would keep owners alive
        count = 0;
        runCount = 0;
        length = default;
        extent = default;
        extentOwner = null;
    }

    /// <summary>Appends the ranges of other things, all or none of them.</summary>
    /// <param name="items">The things.</param>
    /// <param name="rangeOf">The range of one.</param>
    /// <returns>As <see cref="TryAppend(PhysRange)"/>.</returns>
    internal Errno TryAppendAll<T>(ReadOnlySpan<T> items, Func<T, PhysRange> rangeOf)
    {
        Mark mark = Now();
        foreach (T item in items)
        {
            Errno errno = Append(rangeOf(item), mergesFirst: true);
            if (!errno.IsOk)
            {
                return EndAppend(mark, errno);
            }
        }

        return Errno.Ok;
    }

    // Cuts the range where its owner changes.
    private Errno Append(PhysRange range, bool mergesFirst)
    {
        bool merges = mergesFirst;
        while (!range.IsEmpty)
        {
            if (FindOwner(range.Start) is not { } owner)
            {
                return Errno.EFAULT;
            }

            PhysRange piece = range.Intersect(extent);
            Errno errno = AppendPiece(piece, owner, merges);
            if (!errno.IsOk)
            {
                return errno;
            }

            range = range.Slice(piece.Length, range.Length.SubtractChecked(piece.Length));
            merges = true;
        }

        return Errno.Ok;
    }

    private Errno AppendPiece(PhysRange piece, RangeOwner owner, bool merges)
    {
        if (!length.TryAdd(piece.Length, out ByteCount total))
        {
            return Errno.EOVERFLOW;
        }

        bool isSameOwner = runCount > 0 && ReferenceEquals(runs[runCount - 1].Owner, owner);
        if (merges && isSameOwner && ranges[count - 1].IsFollowedBy(piece))
        {
            PhysRange last = ranges[count - 1];
            ranges[count - 1] = new PhysRange(last.Start, last.Length.AddChecked(piece.Length));
        }
        else if (count == maxRanges)
        {
            return Errno.ENOSPC;
        }
        else
        {
            EnsureRoom(1);
            ranges[count++] = piece;
            AddToRun(owner, 1);
        }

        length = total;
        return Errno.Ok;
    }

    // The owner of an address; afterwards `extent` contains the address.
    private RangeOwner? FindOwner(PhysAddr address)
    {
        long version = owners.Version; // before the question: a change in between makes the answer look old, not new
        if (!extent.Contains(address) || version != extentVersion)
        {
            extentOwner = owners.FindOwner(address, out extent);
            extentVersion = version;
            if (!extent.Contains(address))
            {
                Check.That(condition: false, $"the extent {extent} that was answered must contain {address}"); // no text unless it fails
            }
        }

        return extentOwner;
    }

    private void AddToRun(RangeOwner owner, int rangeCount)
    {
        if (runCount > 0 && ReferenceEquals(runs[runCount - 1].Owner, owner))
        {
            OwnerRun last = runs[runCount - 1];
            runs[runCount - 1] = last with { RangeCount = last.RangeCount + rangeCount };
            return;
        }

        if (runCount == runs.Length)
        {
            Array.Resize(ref runs, 2 * runs.Length);
        }

        runs[runCount++] = new OwnerRun(owner, count - rangeCount, rangeCount);
    }

    private void EnsureRoom(int more)
    {
        int needed = count + more;
        if (needed > ranges.Length)
        {
            int doubled = (int)Math.Min(2L * ranges.Length, Array.MaxLength);
            Array.Resize(ref ranges, Math.Max(needed, doubled));
        }
    }

    private Mark Now() => new(
        count, runCount, length, count > 0 ? ranges[count - 1] : default, runCount > 0 ? runs[runCount - 1] : default);

    private Errno EndAppend(Mark mark, Errno errno)
    {
        if (!errno.IsOk)
        {
            RollBack(mark);
        }

        return errno;
    }

    private void RollBack(Mark mark)
    {
        runs.AsSpan(mark.RunCount, runCount - mark.RunCount).Clear();
        count = mark.Count;
        runCount = mark.RunCount;
        length = mark.Length;
        if (count > 0)
        {
            ranges[count - 1] = mark.LastRange;
            runs[runCount - 1] = mark.LastRun;
        }
    }

    // Where the builder stood before an append: the last range and run may have grown by merging.
    private readonly record struct Mark(
        int Count, int RunCount, ByteCount Length, PhysRange LastRange, OwnerRun LastRun);
}
