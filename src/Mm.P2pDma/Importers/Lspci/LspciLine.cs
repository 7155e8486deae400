using Mm.P2pDma.Importers.Reading;

namespace Mm.P2pDma.Importers.Lspci;

/// <summary>A line of a listing and how far it is read: each step takes what it knows or leaves the place where it is.</summary>
/// <remarks><b>Locking:</b> the caller's.</remarks>
/// <param name="text">The line, without its end and trailing blanks.</param>
/// <param name="start">Where to start, from 0.</param>
/// <param name="number">The line's number, from 1.</param>
/// <param name="log">Where errors go.</param>
internal sealed class LspciLine(string text, int start, int number, ImportLog log)
{
    private int at = start;

    /// <summary>Where errors and notes go.</summary>
    internal ImportLog Log => log;

    /// <summary>What is left.</summary>
    internal ReadOnlySpan<char> Rest => text.AsSpan(at);

    /// <summary>The place of the next character.</summary>
    internal ImportPosition Position => log.At(number, at + 1);

    /// <summary>Takes a text if it comes next.</summary>
    /// <param name="literal">The text.</param>
    /// <returns>Whether it came.</returns>
    internal bool Take(string literal)
    {
        bool comes = Rest.StartsWith(literal, StringComparison.Ordinal);
        at += comes ? literal.Length : 0;
        return comes;
    }

    /// <summary>Skips to behind the next occurrence of a text.</summary>
    /// <param name="literal">The text.</param>
    /// <returns>Whether there was one; when not, nothing is skipped.</returns>
    internal bool SkipPast(string literal)
    {
        int found = Rest.IndexOf(literal, StringComparison.Ordinal);
        at += found < 0 ? 0 : found + literal.Length;
        return found >= 0;
    }

    /// <summary>Takes the characters up to one of some ends, or all that are left.</summary>
    /// <param name="ends">The ends; none of them is taken.</param>
    /// <returns>The characters; perhaps none.</returns>
    internal ReadOnlySpan<char> TakeUntil(ReadOnlySpan<char> ends)
    {
        ReadOnlySpan<char> rest = Rest;
        int end = rest.IndexOfAny(ends);
        ReadOnlySpan<char> taken = end < 0 ? rest : rest[..end];
        at += taken.Length;
        return taken;
    }

    /// <summary>Notes an error at this place.</summary>
    /// <param name="what">What is wrong.</param>
    /// <param name="allowed">What might stand here.</param>
    internal void Refuse(string what, string allowed) => log.Error(Position, what, Rest.ToString(), allowed);

    /// <summary>Takes a hexadecimal number, or notes an error.</summary>
    /// <param name="max">The largest value.</param>
    /// <param name="ends">What ends the number.</param>
    /// <param name="what">What the number is, for the error.</param>
    /// <param name="value">The number, or 0.</param>
    /// <returns>Whether it was one.</returns>
    internal bool TryTakeHex(ulong max, ReadOnlySpan<char> ends, string what, out ulong value)
    {
        ImportPosition position = Position;
        ReadOnlySpan<char> digits = TakeUntil(ends);
        bool isNumber = StrictNumber.TryHex(digits, max, out value);
        if (!isNumber)
        {
            log.Error(position, $"not {what}", digits.ToString(), $"hexadecimal, at most {max:x}");
        }

        return isNumber;
    }

    /// <summary>Takes a decimal number up to the end of the line or a blank, or notes an error.</summary>
    /// <param name="max">The largest value.</param>
    /// <param name="what">What the number is, for the error.</param>
    /// <param name="value">The number, or 0.</param>
    /// <returns>Whether it was one.</returns>
    internal bool TryTakeDecimal(ulong max, string what, out ulong value)
    {
        ImportPosition position = Position;
        ReadOnlySpan<char> digits = TakeUntil(" ,");
        bool isNumber = StrictNumber.TryDecimal(digits, max, out value);
        if (!isNumber)
        {
            log.Error(position, $"not {what}", digits.ToString(), $"decimal, at most {max}");
        }

        return isNumber;
    }
}
