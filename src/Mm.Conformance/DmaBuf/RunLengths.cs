namespace Mm.Conformance.DmaBuf;

/// <summary>Lists as recordings write them: <c>0*3,5</c> is 0 0 0 5.</summary>
internal static class RunLengths
{
    // A run of two stays as it is.
    private const int Shortest = 3;

    /// <summary>Writes a list.</summary>
    public static string Encode(IEnumerable<string> words)
    {
        var parts = new List<string>();
        string[] all = [.. words];
        for (int at = 0; at < all.Length;)
        {
            int end = at + 1;
            while (end < all.Length && all[end] == all[at])
            {
                end++;
            }

            bool isShort = end - at < Shortest;
            parts.AddRange(isShort ? all[at..end] : [$"{all[at]}*{end - at}"]);
            at = end;
        }

        return string.Join(',', parts);
    }
}
