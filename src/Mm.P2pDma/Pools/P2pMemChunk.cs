using System.Numerics;
using Mm.Core;
using Mm.Core.Checks;
using Mm.P2pDma.Providers;

namespace Mm.P2pDma.Pools;

/// <summary>One stretch of a pool: a bit for each page, and how many are free.</summary>
/// <remarks>
/// Knows which pages are taken, not by whom.
/// <para><b>Linux:</b> struct gen_pool_chunk and gen_pool_first_fit of lib/genalloc.c (v6.12).</para>
/// <para><b>Invariants:</b> (1) <see cref="Available"/> is the bytes of the clear bits.</para>
/// <para><b>Locking:</b> the caller's: that of the pool.</para>
/// </remarks>
internal sealed class P2pMemChunk
{
    private const int BitsPerWord = 64;

    private readonly ulong[] taken;
    private readonly int pageCount;

    public P2pMemChunk(PeerPagemap pagemap)
    {
        Pagemap = pagemap;
        pageCount = checked((int)pagemap.Range.Length.ToPagesRoundDown().Value);
        taken = new ulong[(pageCount + BitsPerWord - 1) / BitsPerWord];
        Available = pagemap.Range.Length;
    }

    public PeerPagemap Pagemap { get; }

    public ByteCount Available { get; private set; }

    /// <summary>Takes the lowest run of free pages that is long enough.</summary>
    /// <param name="pages">How many pages; at least one.</param>
    /// <param name="range">The addresses, or an empty range when refused.</param>
    /// <returns>Whether there is such a run.</returns>
    public bool TryTake(PageCount pages, out PhysRange range)
    {
        range = default;
        if (pages.Value > (ulong)pageCount)
        {
            return false;
        }

        int wanted = (int)pages.Value;
        int start = NextBit(0, value: false);
        while (start + wanted <= pageCount)
        {
            int end = NextBit(start, value: true);
            if (end - start >= wanted)
            {
                SetBits(start, wanted, value: true);
                Available = Available.SubtractChecked(pages.ToBytes());
                range = Pagemap.Range.Slice(new PageCount((ulong)start).ToBytes(), pages.ToBytes());
                return true;
            }

            start = NextBit(end, value: false);
        }

        return false;
    }

    /// <summary>Gives pages back.</summary>
    /// <param name="range">Whole pages of this stretch, all taken.</param>
    public void Give(PhysRange range)
    {
        Check.That(Pagemap.Range.Contains(range), $"{range} is not of {Pagemap.Range}");
        int start = (int)range.Start.OffsetFrom(Pagemap.Range.Start).ToPagesRoundDown().Value;
        int count = (int)range.Length.ToPagesRoundDown().Value;
        Check.That(NextBit(start, value: false) >= start + count, $"{range} is given back twice");
        SetBits(start, count, value: false);
        Available = Available.AddChecked(range.Length);
    }

    /// <summary>Recounts the free bytes.</summary>
    public void Validate()
    {
        ulong used = 0;
        foreach (ulong word in taken)
        {
            used += (ulong)BitOperations.PopCount(word);
        }

        var free = new PageCount((ulong)pageCount - used);
        Check.That(free.ToBytes() == Available, $"p2pmem chunk invariant 1: {used} of {pageCount} pages are taken");
    }

    // The first bit at or above `from` that has the value; the number of pages when there is none.
    private int NextBit(int from, bool value)
    {
        int word = from / BitsPerWord;
        ulong mask = ulong.MaxValue << (from % BitsPerWord);
        for (; word < taken.Length; word++, mask = ulong.MaxValue)
        {
            ulong found = (value ? taken[word] : ~taken[word]) & mask;
            if (found != 0)
            {
                return Math.Min(pageCount, (word * BitsPerWord) + BitOperations.TrailingZeroCount(found));
            }
        }

        return pageCount;
    }

    private void SetBits(int start, int count, bool value)
    {
        for (int bit = start; bit < start + count;)
        {
            int offset = bit % BitsPerWord;
            int here = Math.Min(BitsPerWord - offset, start + count - bit);
            ulong mask = (here == BitsPerWord ? ulong.MaxValue : (1UL << here) - 1) << offset;
            ref ulong word = ref taken[bit / BitsPerWord];
            word = value ? word | mask : word & ~mask;
            bit += here;
        }
    }
}
