using System.Diagnostics.CodeAnalysis;
using Mm.Core.Native;

namespace Mm.Core.PhysRanges;

/// <summary>An ordered list of physical address ranges with their owners: the datum that crosses every boundary of Mm.</summary>
/// <remarks>
/// It names bytes and owns none: whoever hands it out keeps the memory alive, and says through <see cref="Validity"/>
/// until when the addresses are good. The same byte may be named twice, as in a scatterlist.
/// A <see cref="PhysRangeListBuilder"/> makes it. Disposing is optional: it gives the storage back for the builder's next list,
/// and a list that nobody disposes is collected. After that no member may be used, and no span taken from it.
/// <para><b>Linux:</b> an array of struct phys_vec and its provider (v6.19). Deliberate difference: a list may hold RAM
/// and several providers, each consecutive run with its owner.</para>
/// <para><b>Invariants:</b> (1) no range is empty; (2) <see cref="Length"/> is the sum of the lengths and at most
/// 2^64-1; (3) no range spans two owners; (4) the runs cover the ranges in order without gaps, and neighbouring runs
/// have different owners.</para>
/// <para><b>Locking:</b> immutable from <see cref="PhysRangeListBuilder.Build"/> to <see cref="Dispose"/>, and until
/// then safe from any thread.</para>
/// </remarks>
[SuppressMessage("Naming", "CA1710:Identifiers should have correct suffix", Justification = "It is the physr list.")]
public sealed class PhysRangeList : IDisposable
{
    // Dies at Dispose; vouches for the list when its maker gave no token.
    private readonly ValiditySource life = new();
    private readonly PhysRangeListPool pool;

    // All protected by the builder until Build returns, immutable from then to Dispose.
    private PhysRange[] ranges = [];
    private OwnerRun[] runs = [];
    private int count;
    private int runCount;
    private ByteCount length;
    private ValidityToken validity;

    // Atomic: 1 while the list may be used; Dispose takes it to 0 once.
    private int isOpen;

    internal PhysRangeList(PhysRangeListPool pool) => this.pool = pool;

    /// <summary>How many ranges.</summary>
    /// <exception cref="ObjectDisposedException">The list was disposed.</exception>
    public int Count
    {
        get
        {
            ThrowIfClosed();
            return count;
        }
    }

    /// <summary>Whether the list has no ranges, and so no bytes.</summary>
    public bool IsEmpty => Count == 0;

    /// <summary>All bytes: the sum of the ranges' lengths.</summary>
    /// <exception cref="ObjectDisposedException">The list was disposed.</exception>
    public ByteCount Length
    {
        get
        {
            ThrowIfClosed();
            return length;
        }
    }

    /// <summary>The ranges in order; must not be used after <see cref="Dispose"/>.</summary>
    /// <exception cref="ObjectDisposedException">The list was disposed.</exception>
    public ReadOnlySpan<PhysRange> Ranges
    {
        get
        {
            ThrowIfClosed();
            return ranges.AsSpan(0, count);
        }
    }

    /// <summary>The owners, each with the consecutive ranges that it owns; must not be used after <see cref="Dispose"/>.</summary>
    /// <exception cref="ObjectDisposedException">The list was disposed.</exception>
    public ReadOnlySpan<OwnerRun> OwnerRuns
    {
        get
        {
            ThrowIfClosed();
            return runs.AsSpan(0, runCount);
        }
    }

    /// <summary>The owner of every byte; null when there are several, or none because the list is empty.</summary>
    /// <exception cref="ObjectDisposedException">The list was disposed.</exception>
    public RangeOwner? SingleOwner
    {
        get
        {
            ThrowIfClosed();
            return runCount == 1 ? runs[0].Owner : null;
        }
    }

    /// <summary>Until when the addresses are good: the maker's token, or one that dies at <see cref="Dispose"/>.</summary>
    public ValidityToken Validity => validity;

    /// <summary>Whether the list is not disposed and its <see cref="Validity"/> still stands.</summary>
    public bool IsValid => Volatile.Read(ref isOpen) != 0 && validity.IsValid;

    /// <summary>One range.</summary>
    /// <param name="index">Its index, in [0, <see cref="Count"/>).</param>
    /// <exception cref="IndexOutOfRangeException">There is no such range.</exception>
    /// <exception cref="ObjectDisposedException">The list was disposed.</exception>
    public PhysRange this[int index] => Ranges[index];

    /// <summary>Enumerates the ranges in order, without allocating.</summary>
    /// <returns>The enumerator.</returns>
    /// <exception cref="ObjectDisposedException">The list was disposed.</exception>
    public ReadOnlySpan<PhysRange>.Enumerator GetEnumerator() => Ranges.GetEnumerator();

    /// <summary>The owner of one range.</summary>
    /// <param name="index">The range's index, in [0, <see cref="Count"/>).</param>
    /// <returns>The owner.</returns>
    /// <exception cref="ArgumentOutOfRangeException">There is no such range.</exception>
    /// <exception cref="ObjectDisposedException">The list was disposed.</exception>
    public RangeOwner OwnerOf(int index)
    {
        if (index < 0 || index >= Count)
        {
            throw new ArgumentOutOfRangeException(nameof(index), index, $"index must be in [0, {count})");
        }

        int low = 0;
        int high = runCount - 1;
        while (low < high)
        {
            int middle = (low + high + 1) >> 1;
            bool isAtOrBefore = runs[middle].FirstRange <= index;
            low = isAtOrBefore ? middle : low;
            high = isAtOrBefore ? high : middle - 1;
        }

        return runs[low].Owner;
    }

    /// <summary>Finds the address of a byte of the list, counted from its start.</summary>
    /// <param name="offset">The position of the byte; below <see cref="Length"/>.</param>
    /// <param name="address">The byte's address, or 0 when refused.</param>
    /// <param name="rangeIndex">The index of the range that holds the byte, or -1 when refused.</param>
    /// <returns>Whether the list has that many bytes.</returns>
    /// <exception cref="ObjectDisposedException">The list was disposed.</exception>
    public bool TryFindByte(ByteCount offset, out PhysAddr address, out int rangeIndex)
    {
        ulong rest = offset.Value;
        ReadOnlySpan<PhysRange> all = Ranges;
        for (rangeIndex = 0; rangeIndex < all.Length; rangeIndex++)
        {
            PhysRange range = all[rangeIndex];
            if (rest < range.Length.Value)
            {
                address = range.Start.AddChecked(new ByteCount(rest));
                return true;
            }

            rest -= range.Length.Value;
        }

        address = default;
        rangeIndex = -1;
        return false;
    }

    /// <summary>Whether both lists name the same bytes in the same order, however either is split.</summary>
    /// <remarks>Owners are not compared: they follow from the addresses.</remarks>
    /// <param name="other">The other list.</param>
    /// <returns>Whether byte i of one has the address of byte i of the other, for every i.</returns>
    /// <exception cref="ObjectDisposedException">A list was disposed.</exception>
    public bool HasSameBytesAs(PhysRangeList other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return Length == other.Length && RangeSpans.AreSameBytes(Ranges, other.Ranges);
    }

    /// <summary>Goes over all ranges once, for what a mapper asks of a whole list.</summary>
    /// <returns>The summary.</returns>
    /// <exception cref="ObjectDisposedException">The list was disposed.</exception>
    public RangeSummary Measure() => RangeSpans.Measure(Vectors.Level, Ranges);

    /// <summary>Gives the storage back for the builder's next list. Optional; more than once is harmless until the
    /// storage is in use again.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref isOpen, 0) == 0)
        {
            return;
        }

        life.Invalidate();
        runs.AsSpan(0, runCount).Clear(); // or the pool would keep owners alive
        pool.Return(this);
    }

    /// <summary>The number of ranges and bytes, and the ranges if they are few.</summary>
    /// <returns>The text.</returns>
    public override string ToString()
    {
        if (Volatile.Read(ref isOpen) == 0)
        {
            return "disposed list";
        }

        string head = $"{count} range{(count == 1 ? "" : "s")}, {length}";
        return count is 0 or > 8 ? head : $"{head}: {string.Join(", ", ranges.Take(count))}";
    }

    /// <summary>Fills a list that is new or was given back, and opens it.</summary>
    /// <param name="from">The ranges; copied.</param>
    /// <param name="owners">The owner runs; copied.</param>
    /// <param name="total">The sum of the lengths.</param>
    /// <param name="token">The maker's token; default for the list's own.</param>
    internal void Open(
        ReadOnlySpan<PhysRange> from, ReadOnlySpan<OwnerRun> owners, ByteCount total, ValidityToken? token)
    {
        // Storage of up to twice the need is kept, so that lists of like sizes recycle without allocating and
        // a short list does not hold on to the storage of a long one.
        if (ranges.Length < from.Length || ranges.Length > 2 * Math.Max(from.Length, 8))
        {
            ranges = GC.AllocateUninitializedArray<PhysRange>(from.Length);
        }

        if (runs.Length < owners.Length)
        {
            runs = new OwnerRun[owners.Length];
        }

        from.CopyTo(ranges);
        owners.CopyTo(runs);
        count = from.Length;
        runCount = owners.Length;
        length = total;
        validity = token ?? life.Token;
        Volatile.Write(ref isOpen, 1); // pairs with the reads in ThrowIfClosed and IsValid
    }

    private void ThrowIfClosed() => ObjectDisposedException.ThrowIf(Volatile.Read(ref isOpen) == 0, this);
}
