using System.Numerics;
using Mm.Core;
using Mm.Core.Checks;

namespace Mm.Devices.Gpus.Vram;

/// <summary>Which pages of a range are taken: one bit each, the lowest free ones given first.</summary>
/// <remarks>
/// Owns the bits.
/// <para><b>Linux:</b> drivers/gpu/drm/drm_buddy.c (v6.12), and the bitmaps of doorbells; here without orders, as runs merge
/// by themselves.</para>
/// <para><b>Invariants:</b> (1) the count of free pages is that of the clear bits; (2) a page is returned once.</para>
/// <para><b>Locking:</b> the caller's.</para>
/// </remarks>
internal sealed class VramPages
{
    private const int BitsPerWord = 64;

    private readonly ulong[] taken;
    private readonly PageCount first;
    private readonly ulong count;
    private int hint; // no word before it has a free page

    /// <summary>All pages free.</summary>
    /// <param name="first">How many pages lie before the range.</param>
    /// <param name="count">How many pages it has.</param>
    internal VramPages(PageCount first, PageCount count)
    {
        this.first = first;
        this.count = count.Value;
        taken = new ulong[checked((int)((count.Value + BitsPerWord - 1) / BitsPerWord))];
        Free = count;
        if (count.Value % BitsPerWord is var used and not 0)
        {
            taken[^1] = ulong.MaxValue << (int)used; // what lies behind the end is never free
        }
    }

    /// <summary>Pages that are free.</summary>
    internal PageCount Free { get; private set; }

    /// <summary>Takes pages, in as many runs as it takes.</summary>
    /// <param name="pages">How many; not zero.</param>
    /// <param name="into">Where to add the runs.</param>
    /// <returns>Whether there were as many; if not, none is taken.</returns>
    internal bool TryTake(PageCount pages, List<VramRun> into)
    {
        if (pages > Free)
        {
            return false;
        }

        Free = Free.SubtractChecked(pages);
        ulong left = pages.Value;
        for (int word = hint; left > 0; word++)
        {
            while (taken[word] != ulong.MaxValue && left > 0)
            {
                int from = BitOperations.TrailingZeroCount(~taken[word]);
                ulong length = Math.Min(left, (ulong)BitOperations.TrailingZeroCount(taken[word] >> from | HighBit(from)));
                taken[word] |= Mask(from, length);
                Add(into, ((ulong)word * BitsPerWord) + (ulong)from, length);
                left -= length;
            }

            hint = word;
        }

        return true;
    }

    /// <summary>Takes pages back.</summary>
    /// <param name="run">The pages.</param>
    internal void Return(VramRun run)
    {
        ulong start = run.First.SubtractChecked(first).Value;
        Check.That(start + run.Count.Value <= count, $"{run} lies in its part");
        Free = Free.AddChecked(run.Count);
        hint = Math.Min(hint, (int)(start / BitsPerWord));
        for (ulong left = run.Count.Value, at = start; left > 0;)
        {
            int from = (int)(at % BitsPerWord);
            ulong length = Math.Min(left, (ulong)(BitsPerWord - from));
            ref ulong word = ref taken[at / BitsPerWord];
            ulong mask = Mask(from, length);
            Check.That((word & mask) == mask, $"invariant 2: {run} is returned once");
            word &= ~mask;
            at += length;
            left -= length;
        }
    }

    /// <summary>Counts the free pages anew.</summary>
    internal void Validate()
    {
        ulong free = 0;
        foreach (ulong word in taken)
        {
            free += (ulong)BitOperations.PopCount(~word);
        }

        Check.That(free == Free.Value, $"invariant 1: {free} pages are free, not {Free}");
    }

    private static ulong Mask(int from, ulong length) =>
        (length == BitsPerWord ? ulong.MaxValue : (1UL << (int)length) - 1) << from;

    // Stops the count of zeros at the end of the word, where the shift brought zeros in.
    private static ulong HighBit(int from) => from == 0 ? 0 : 1UL << (BitsPerWord - from);

    private void Add(List<VramRun> into, ulong at, ulong length)
    {
        var run = new VramRun(first.AddChecked(new PageCount(at)), new PageCount(length));
        if (into.Count > 0 && into[^1].First.Value + into[^1].Count.Value == run.First.Value)
        {
            into[^1] = into[^1] with { Count = into[^1].Count.AddChecked(run.Count) };
        }
        else
        {
            into.Add(run);
        }
    }
}
