using System.Globalization;

namespace Mm.Conformance.DmaBuf;

/// <summary>Lists as recordings write them: <c>0*3,5</c>, or written out, 0,0,0,5.</summary>
internal static class RunLengths
{
    private const int LongestRun = 1024;

    /// <summary>Writes a list out.</summary>
    /// <param name="list">Words between commas, each with a count behind it perhaps.</param>
    /// <returns>The words between commas; a word whose count is none, or above 1024, stays as it is.</returns>
    public static string Expand(string list) => string.Join(',', list.Split(',').SelectMany(ExpandWord));

    private static IEnumerable<string> ExpandWord(string word)
    {
        int star = word.IndexOf('*', StringComparison.Ordinal);
        return star > 0
            && int.TryParse(word.AsSpan(star + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int count)
            && count is > 0 and <= LongestRun
                ? Enumerable.Repeat(word[..star], count)
                : [word];
    }
}
