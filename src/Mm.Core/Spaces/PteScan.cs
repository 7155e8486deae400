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
        Vector512<ulong> others = Vector512<ulong>.Zero;
        int index = 0;
        foreach (Vector512<ulong> block in Words.AsVector512(entries))
        {
            Vector512<ulong> plain = Vector512.Equals(block & Vector512.Create(PlainMask), Vector512.Create(Pte.AccessibleBit));
            Vector512<ulong> word = (block << ValidShift) | ((block & Vector512.Create(Pte.WritableBit)) << WritableShift)
                | ((block >>> Pte.FrameShift) & Vector512.Create(Pte.FrameNumberMask));
            (word & plain).CopyTo(into[index..]);
            others |= Vector512.AndNot(block, plain);
            index = unchecked(index + Vector512<ulong>.Count); // counts the words of a span
        }

        ulong rest = TranslateByOne(entries[index..], into[index..]);
        return (others | Vector512.Create(rest)) != Vector512<ulong>.Zero;
    }

    private static bool TranslateBy256(ReadOnlySpan<ulong> entries, Span<ulong> into)
    {
        Vector256<ulong> others = Vector256<ulong>.Zero;
        int index = 0;
        foreach (Vector256<ulong> block in Words.AsVector256(entries))
        {
            Vector256<ulong> plain = Vector256.Equals(block & Vector256.Create(PlainMask), Vector256.Create(Pte.AccessibleBit));
            Vector256<ulong> word = (block << ValidShift) | ((block & Vector256.Create(Pte.WritableBit)) << WritableShift)
                | ((block >>> Pte.FrameShift) & Vector256.Create(Pte.FrameNumberMask));
            (word & plain).CopyTo(into[index..]);
            others |= Vector256.AndNot(block, plain);
            index = unchecked(index + Vector256<ulong>.Count); // counts the words of a span
        }

        ulong rest = TranslateByOne(entries[index..], into[index..]);
        return (others | Vector256.Create(rest)) != Vector256<ulong>.Zero;
    }

    private static bool TranslateBy128(ReadOnlySpan<ulong> entries, Span<ulong> into)
    {
        Vector128<ulong> others = Vector128<ulong>.Zero;
        int index = 0;
        foreach (Vector128<ulong> block in Words.AsVector128(entries))
        {
            Vector128<ulong> plain = Vector128.Equals(block & Vector128.Create(PlainMask), Vector128.Create(Pte.AccessibleBit));
            Vector128<ulong> word = (block << ValidShift) | ((block & Vector128.Create(Pte.WritableBit)) << WritableShift)
                | ((block >>> Pte.FrameShift) & Vector128.Create(Pte.FrameNumberMask));
            (word & plain).CopyTo(into[index..]);
            others |= Vector128.AndNot(block, plain);
            index = unchecked(index + Vector128<ulong>.Count); // counts the words of a span
        }

        ulong rest = TranslateByOne(entries[index..], into[index..]);
        return (others | Vector128.Create(rest)) != Vector128<ulong>.Zero;
    }
}
