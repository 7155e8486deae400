using Mm.Core.Checks;
using Mm.Core.Frames;

namespace Mm.Core.Spaces;

/// <summary>Whose an anonymous page is, as the page remembers it: a family of processes, and a root in it.</summary>
/// <remarks>
/// <code>
///  63          32 31            1  0
/// |     root     |    family     | 1 |
/// </code>
/// Bit 0 tells it from a file's word. The root says which areas may map the page: those that had it when they were made, or
/// inherited it.
/// <para><b>Linux:</b> folio-&gt;mapping with PAGE_MAPPING_ANON, which points to an anon_vma (v6.12).</para>
/// <para>Immutable.</para>
/// </remarks>
/// <param name="Bits">The word.</param>
internal readonly record struct AnonMapping(ulong Bits)
{
    private const int RootShift = 32;
    private const ulong FamilyMask = (1UL << (RootShift - 1)) - 1;

    /// <summary>Whether the word is an anonymous page's.</summary>
    internal bool IsAnonymous => (Bits & PageMeta.AnonMapping) != 0;

    /// <summary>The family's number.</summary>
    internal ulong Family => (Bits >> 1) & FamilyMask;

    /// <summary>The root's number.</summary>
    internal ulong Root => Bits >> RootShift;

    /// <summary>The word of a family and a root.</summary>
    /// <param name="family">The family's number, below 2^31.</param>
    /// <param name="root">The root's number, in [1, 2^32).</param>
    /// <returns>The word.</returns>
    internal static AnonMapping Of(ulong family, ulong root)
    {
        if (family > FamilyMask || root is 0 or > uint.MaxValue)
        {
            Check.That(false, $"family {family} and root {root} fit their bits");
        }

        return new AnonMapping((root << RootShift) | (family << 1) | PageMeta.AnonMapping);
    }
}
