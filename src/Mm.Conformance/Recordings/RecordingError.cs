namespace Mm.Conformance.Recordings;

/// <summary>Why a recording cannot be read: where, what, what was found and what is allowed.</summary>
/// <remarks>Immutable.</remarks>
/// <param name="File">The file, as it was named.</param>
/// <param name="Line">The line, from 1; 0 where no line is concerned.</param>
/// <param name="Column">The column, from 1; 0 where no line is concerned.</param>
/// <param name="What">What is wrong.</param>
/// <param name="Found">What stands there.</param>
/// <param name="Allowed">What would be right.</param>
public sealed record RecordingError(string File, long Line, int Column, string What, string Found, string Allowed)
{
    private const int MaxFoundLength = 80;

    /// <summary>The error as <c>FILE:LINE:COL: what, found, allowed</c>.</summary>
    /// <returns>The text, one line.</returns>
    public override string ToString() =>
        $"{File}:{Line}:{Column}: {What}, found \"{Shorten(Found)}\", allowed {Allowed}";

    private static string Shorten(string text)
    {
        string head = text.Length <= MaxFoundLength ? text : string.Concat(text.AsSpan(0, MaxFoundLength), "...");
        return string.Create(head.Length, head, static (span, source) =>
        {
            for (int i = 0; i < span.Length; i++)
            {
                span[i] = char.IsControl(source[i]) ? '?' : source[i];
            }
        });
    }
}
