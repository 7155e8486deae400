namespace Mm.P2pDma.Importers;

/// <summary>One reason why a file was refused: where, what is wrong, what was found, what would be allowed.</summary>
/// <remarks>
/// <para><b>Invariants:</b> (1) <see cref="Found"/> is printable, on one line and at most <see cref="MaxFoundLength"/>
/// characters, whatever the file holds: it goes to terminals.</para>
/// <para>Immutable.</para>
/// </remarks>
public sealed record ImportError
{
    /// <summary>How many characters of a found text are kept.</summary>
    public const int MaxFoundLength = 80;

    /// <summary>Notes an error.</summary>
    /// <param name="position">Where.</param>
    /// <param name="what">What is wrong, in lower case: <c>the bus id is not an address</c>.</param>
    /// <param name="found">What the file says; made printable and cut.</param>
    /// <param name="allowed">What it might have said.</param>
    public ImportError(ImportPosition position, string what, string found, string allowed)
    {
        Position = position;
        What = what;
        Found = Printable(found);
        Allowed = allowed;
    }

    /// <summary>Where.</summary>
    public ImportPosition Position { get; }

    /// <summary>What is wrong.</summary>
    public string What { get; }

    /// <summary>What the file says there; empty where there is nothing to quote.</summary>
    public string Found { get; }

    /// <summary>What would be allowed there; empty where nothing would.</summary>
    public string Allowed { get; }

    /// <summary>The error as <c>FILE:LINE:COL: what: found "…", allowed …</c>.</summary>
    /// <returns>The text, on one line.</returns>
    public override string ToString()
    {
        string found = Found.Length == 0 ? "" : $"found \"{Found}\"";
        string allowed = Allowed.Length == 0 ? "" : $"allowed {Allowed}";
        string detail = found.Length == 0 || allowed.Length == 0 ? found + allowed : $"{found}, {allowed}";
        return detail.Length == 0 ? $"{Position}: {What}" : $"{Position}: {What}: {detail}";
    }

    // Control characters (terminal escapes, line ends) and lone surrogates of a hostile file must not reach a terminal.
    private static string Printable(string text)
    {
        bool cut = text.Length > MaxFoundLength;
        ReadOnlySpan<char> kept = cut ? text.AsSpan(0, MaxFoundLength - 1) : text;
        return string.Create(kept.Length + (cut ? 1 : 0), text, static (span, source) =>
        {
            int plain = Math.Min(source.Length, source.Length > MaxFoundLength ? MaxFoundLength - 1 : source.Length);
            for (int index = 0; index < plain; index++)
            {
                char c = source[index];
                span[index] = char.IsControl(c) || char.IsSurrogate(c) || c is '\u2028' or '\u2029' ? '\uFFFD' : c;
            }

            if (plain < span.Length)
            {
                span[plain] = '…';
            }
        });
    }
}
