using System.Runtime.Intrinsics;
using Mm.Core.Native;

namespace Mm.Core.Spaces;

/// <summary>Turns whole tables of entries into the words of a range snapshot, by vectors where the processor has them.</summary>
/// <remarks>
/// A word says valid (bit 63), writable (62), the order of the leaf (56 to 60) and the frame (below 40). Only what the
/// CPU may use and what has a struct page, the zero page included, gives a word; everything else gives 0, and the caller
/// is told whether any of it was other than none. All twins write the same words.
/// <para><b>Linux:</b> the pfn words of hmm_range_fault, HMM_PFN_VALID, HMM_PFN_WRITE and HMM_PFN_ORDER_SHIFT (v6.12), for
/// a snapshot that meets nothing unusual; Linux has a branch or five an entry instead.</para>
/// </remarks>
internal static class PteScan
{
    /// <summary>The page may be read.</summary>
    internal const ulong Valid = 1UL << 63;

    /// <summary>The page may be written.</summary>
    internal const ulong Writable = 1UL << 62;

    /// <summary>Where the order of the leaf begins.</summary>
    internal const int OrderShift = 56;

    private const ulong PlainMask = Pte.AccessibleBit | Pte.SpecialBit;
    private const int ValidShift = 63; // from bit 0, P
    private const int WritableShift = 61; // from bit 1, W

    /// <summary>Translates entries.</summary>
    /// <param name="level">Which twin; not wider than <see cref="Vectors.Supported"/>.</param>
    /// <param name="entries">The entries' bits, none of them large.</param>
    /// <param name="into">Room for as many words.</param>
    /// <returns>Whether an entry was neither plain nor none: the caller has to look at those whose word is 0.</returns>
    /// <exception cref="ArgumentException">The room is too small.</exception>
    internal static bool Translate(VectorLevel level, ReadOnlySpan<ulong> entries, Span<ulong> into)
    {
        if (into.Length < entries.Length)
        {
            throw new ArgumentException($"into must have room for {entries.Length} words; it has {into.Length}", nameof(into));
        }

        return level switch
        {
            VectorLevel.Vector512 => TranslateBy512(entries, into),
            VectorLevel.Vector256 => TranslateBy256(entries, into),
            VectorLevel.Vector128 => TranslateBy128(entries, into),
            _ => TranslateByOne(entries, into) != 0,
        };
    }

    /// <summary>Writes the words of part of a large leaf.</summary>
    /// <param name="large">The leaf.</param>
    /// <param name="firstPart">Which of its 512 pages comes first.</param>
    /// <param name="into">One word a page.</param>
    /// <returns>Whether the leaf was not plain.</returns>
    internal static bool TranslateLarge(Pte large, int firstPart, Span<ulong> into)
    {
        if ((large.Bits & PlainMask) != Pte.AccessibleBit)
        {
            into.Clear();
            return true;
        }

        ulong word = WordOf(large.Bits) + (ulong)firstPart + ((ulong)PageSize.Large.Order << OrderShift);
        for (int index = 0; index < into.Length; index++)
        {
            into[index] = word + (ulong)index;
        }

        return false;
    }

    private static ulong WordOf(ulong entry) =>
        (entry << ValidShift) | ((entry & Pte.WritableBit) << WritableShift)
        | ((entry >> Pte.FrameShift) & Pte.FrameNumberMask);

    // The scalar twin; also finishes what the vector twins leave. Gives the bits of all that was not plain.
    private static ulong TranslateByOne(ReadOnlySpan<ulong> entries, Span<ulong> into)
    {
        ulong others = 0;
        for (int index = 0; index < entries.Length; index++)
        {
            ulong entry = entries[index];
            bool isPlain = (entry & PlainMask) == Pte.AccessibleBit;
            into[index] = isPlain ? WordOf(entry) : 0;
            others |= isPlain ? 0 : entry;
        }

        return others;
    }

    private static bool TranslateBy512(ReadOnlySpan<ulong> entries, Span<ulong> into)
    {
        ReadOnlySpan<Vector512<ulong>> blocks = Words.AsVector512(entries);
        Span<Vector512<ulong>> words = Words.AsVector512(into);
        Vector512<ulong> others = Vector512<ulong>.Zero;
        for (int index = 0; index < blocks.Length && index < words.Length; index++)
        {
            Vector512<ulong> block = blocks[index];
            Vector512<ulong> plain = Vector512.Equals(block & Vector512.Create(PlainMask), Vector512.Create(Pte.AccessibleBit));
            words[index] = WordsOf(block) & plain;
            others |= Vector512.AndNot(block, plain);
        }

        int done = blocks.Length * Vector512<ulong>.Count;
        ulong rest = TranslateByOne(entries[done..], into[done..]);
        return (others | Vector512.Create(rest)) != Vector512<ulong>.Zero;
    }

    // Two vectors a step: one alone is not enough to hide what the loop costs.
    private static bool TranslateBy256(ReadOnlySpan<ulong> entries, Span<ulong> into)
    {
        ReadOnlySpan<VectorPair256> blocks = Words.AsVectorPair256(entries);
        Span<VectorPair256> words = Words.AsVectorPair256(into);
        Vector256<ulong> others = Vector256<ulong>.Zero;
        for (int index = 0; index < blocks.Length && index < words.Length; index++)
        {
            Vector256<ulong> low = blocks[index].Low;
            Vector256<ulong> high = blocks[index].High;
            Vector256<ulong> isLowPlain = Vector256.Equals(low & Vector256.Create(PlainMask), Vector256.Create(Pte.AccessibleBit));
            Vector256<ulong> isHighPlain = Vector256.Equals(high & Vector256.Create(PlainMask), Vector256.Create(Pte.AccessibleBit));
            words[index].Low = WordsOf(low) & isLowPlain;
            words[index].High = WordsOf(high) & isHighPlain;
            others |= Vector256.AndNot(low, isLowPlain) | Vector256.AndNot(high, isHighPlain);
        }

        int done = blocks.Length * VectorPair256.Count;
        ulong rest = TranslateByOne(entries[done..], into[done..]);
        return (others | Vector256.Create(rest)) != Vector256<ulong>.Zero;
    }

    private static bool TranslateBy128(ReadOnlySpan<ulong> entries, Span<ulong> into)
    {
        ReadOnlySpan<Vector128<ulong>> blocks = Words.AsVector128(entries);
        Span<Vector128<ulong>> words = Words.AsVector128(into);
        Vector128<ulong> others = Vector128<ulong>.Zero;
        for (int index = 0; index < blocks.Length && index < words.Length; index++)
        {
            Vector128<ulong> block = blocks[index];
            Vector128<ulong> plain = Vector128.Equals(block & Vector128.Create(PlainMask), Vector128.Create(Pte.AccessibleBit));
            words[index] = WordsOf(block) & plain;
            others |= Vector128.AndNot(block, plain);
        }

        int done = blocks.Length * Vector128<ulong>.Count;
        ulong rest = TranslateByOne(entries[done..], into[done..]);
        return (others | Vector128.Create(rest)) != Vector128<ulong>.Zero;
    }

    private static Vector512<ulong> WordsOf(Vector512<ulong> block) =>
        (block << ValidShift) | ((block & Vector512.Create(Pte.WritableBit)) << WritableShift)
        | ((block >>> Pte.FrameShift) & Vector512.Create(Pte.FrameNumberMask));

    private static Vector256<ulong> WordsOf(Vector256<ulong> block) =>
        (block << ValidShift) | ((block & Vector256.Create(Pte.WritableBit)) << WritableShift)
        | ((block >>> Pte.FrameShift) & Vector256.Create(Pte.FrameNumberMask));

    private static Vector128<ulong> WordsOf(Vector128<ulong> block) =>
        (block << ValidShift) | ((block & Vector128.Create(Pte.WritableBit)) << WritableShift)
        | ((block >>> Pte.FrameShift) & Vector128.Create(Pte.FrameNumberMask));
}
