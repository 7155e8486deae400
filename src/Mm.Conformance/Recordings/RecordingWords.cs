using System.Globalization;
using Mm.Core;
using Mm.P2pDma.Topologies;

namespace Mm.Conformance.Recordings;

/// <summary>Reads the words of a line from left to right, strictly: what does not fit is an error with its column.</summary>
/// <remarks><b>Locking:</b> the caller's.</remarks>
internal sealed class RecordingWords
{
    private readonly RecordingLine line;
    private readonly int end;
    private int start;

    public RecordingWords(RecordingLine line, int end)
    {
        this.line = line;
        this.end = end;
        Advance(0);
    }

    /// <summary>Whether no word is left.</summary>
    public bool IsEnd => start >= end;

    /// <summary>The word that is next; empty at the end.</summary>
    public ReadOnlySpan<char> Peek => line.Text.AsSpan(start, WordEnd - start);

    private int WordEnd
    {
        get
        {
            int space = line.Text.IndexOf(' ', start, end - start);
            return space < 0 ? end : space;
        }
    }

    /// <summary>Takes the next word.</summary>
    public string Take(string allowed)
    {
        if (IsEnd)
        {
            throw Error("a word is missing", "end of line", allowed);
        }

        string word = Peek.ToString();
        Advance(WordEnd);
        return word;
    }

    /// <summary>Takes the value of the next word, which must be <c>key=value</c>.</summary>
    public string TakeValue(string key)
    {
        ReadOnlySpan<char> word = Peek;
        if (word.Length <= key.Length || !word.StartsWith(key, StringComparison.Ordinal) || word[key.Length] != '=')
        {
            throw Error("an argument does not fit", IsEnd ? "end of line" : word.ToString(), $"{key}=...");
        }

        string value = word[(key.Length + 1)..].ToString();
        Advance(WordEnd);
        return value;
    }

    public PciAddress TakeAddress() => ParseAddress(Take("a PCI address"));

    public PciAddress ParseAddress(string word) =>
        PciAddress.TryParse(word, out PciAddress address)
            ? address
            : throw Error("not a PCI address", word, "dddd:bb:dd.f");

    public ulong TakeNumber(string allowed) => ParseNumber(Take(allowed), allowed);

    public ulong ParseNumber(string word, string allowed)
    {
        bool isHex = word.StartsWith("0x", StringComparison.Ordinal);
        NumberStyles style = isHex ? NumberStyles.AllowHexSpecifier : NumberStyles.None;
        return ulong.TryParse(isHex ? word.AsSpan(2) : word, style, CultureInfo.InvariantCulture, out ulong value)
            ? value
            : throw Error("not a number", word, allowed);
    }

    public ByteCount ParseBytes(string word) => new(ParseNumber(word, "a number of bytes"));

    /// <summary>Checks that no word is left.</summary>
    public void End()
    {
        if (!IsEnd)
        {
            throw Error("a word too many", Peek.ToString(), "end of the operation");
        }
    }

    /// <summary>An error at the word that is next.</summary>
    public RecordingFormatException Error(string what, string found, string allowed) =>
        new(new RecordingError(line.File, line.Number, start + 1, what, found, allowed));

    private void Advance(int from)
    {
        start = from;
        while (start < end && line.Text[start] == ' ')
        {
            start++;
        }
    }
}
