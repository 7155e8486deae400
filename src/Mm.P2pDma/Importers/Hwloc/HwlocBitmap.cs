using Mm.Core;
using Mm.P2pDma.Importers.Reading;

namespace Mm.P2pDma.Importers.Hwloc;

/// <summary>Reads hwloc's bitmaps: words of 32 bits in hexadecimal, the highest first, <c>0x00000303,0x03030000,,0x1</c>.</summary>
/// <remarks>An empty word is zero; a first word <c>0xf...f</c> means all bits from there on, without end.</remarks>
internal static class HwlocBitmap
{
    private const int WordBits = 32;
    private const string Infinite = "0xf...f";

    /// <summary>The largest number of words: enough for every CPU and node that Linux can number.</summary>
    private const int MaxWords = 8192 / WordBits;

    /// <summary>Reads the NUMA nodes of a set.</summary>
    /// <param name="text">The bitmap.</param>
    /// <param name="nodes">The nodes, ascending; empty for an endless set, which says nothing.</param>
    /// <returns>Whether the text is a bitmap with no bit above <see cref="NodeId.MaxIndex"/>.</returns>
    internal static bool TryNodes(string text, out List<NodeId> nodes)
    {
        nodes = [];
        if (!TryWords(text, out uint[] words, out bool isInfinite))
        {
            return false;
        }

        for (int bit = 0; bit < words.Length * WordBits && !isInfinite; bit++)
        {
            if ((words[bit / WordBits] & (1U << (bit % WordBits))) == 0)
            {
                continue;
            }

            if (bit > NodeId.MaxIndex)
            {
                return false;
            }

            nodes.Add(new NodeId(bit));
        }

        return true;
    }

    /// <summary>Whether any bit of a set is on.</summary>
    /// <param name="text">The bitmap.</param>
    /// <param name="any">Whether one is on.</param>
    /// <returns>Whether the text is a bitmap.</returns>
    internal static bool TryAny(string text, out bool any)
    {
        bool isBitmap = TryWords(text, out uint[] words, out bool isInfinite);
        any = isInfinite || words.Any(word => word != 0);
        return isBitmap;
    }

    private static bool TryWords(string text, out uint[] words, out bool isInfinite)
    {
        string[] parts = text.Split(',');
        words = [];
        isInfinite = parts[0] == Infinite;
        if (parts.Length > MaxWords || text.Length == 0)
        {
            return false;
        }

        uint[] read = new uint[parts.Length];
        for (int index = isInfinite ? 1 : 0; index < parts.Length; index++)
        {
            ulong word = 0;
            if (parts[index].Length > 0 && !StrictNumber.TryPrefixedHex(parts[index], uint.MaxValue, out word))
            {
                return false;
            }

            read[^(index + 1)] = (uint)word;
        }

        words = read;
        return true;
    }
}
