using Mm.Core;

namespace Mm.P2pDma.Importers.Reading;

/// <summary>Reads numbers out of strangers' texts: the whole text or nothing, no signs, no blanks, no overflow.</summary>
/// <remarks>The platform's parsers take white space, signs and separators unless told otherwise at each call; these take none.</remarks>
internal static class StrictNumber
{
    /// <summary>Reads decimal digits.</summary>
    /// <param name="text">The text.</param>
    /// <param name="max">The largest value to take.</param>
    /// <param name="value">The value, or 0 when refused.</param>
    /// <returns>Whether the text is a number of at most <paramref name="max"/>.</returns>
    internal static bool TryDecimal(ReadOnlySpan<char> text, ulong max, out ulong value) => TryDigits(text, 10, max, out value);

    /// <summary>Reads hexadecimal digits, without <c>0x</c>.</summary>
    /// <param name="text">The text.</param>
    /// <param name="max">The largest value to take.</param>
    /// <param name="value">The value, or 0 when refused.</param>
    /// <returns>Whether the text is a number of at most <paramref name="max"/>.</returns>
    internal static bool TryHex(ReadOnlySpan<char> text, ulong max, out ulong value) => TryDigits(text, 16, max, out value);

    /// <summary>Reads hexadecimal digits after <c>0x</c>.</summary>
    /// <param name="text">The text.</param>
    /// <param name="max">The largest value to take.</param>
    /// <param name="value">The value, or 0 when refused.</param>
    /// <returns>Whether the text is a number of at most <paramref name="max"/>.</returns>
    internal static bool TryPrefixedHex(ReadOnlySpan<char> text, ulong max, out ulong value)
    {
        value = 0;
        return text.Length > 2 && text[0] == '0' && text[1] is 'x' or 'X' && TryHex(text[2..], max, out value);
    }

    /// <summary>Reads a size: <c>4096</c>, <c>64G</c>, <c>17M</c>, <c>256KB</c>, <c>1048576KiB</c>; units are powers of 1024.</summary>
    /// <param name="text">The text.</param>
    /// <param name="size">The size, or 0 when refused.</param>
    /// <returns>Whether the text is a size below 2^64 bytes.</returns>
    internal static bool TrySize(ReadOnlySpan<char> text, out ByteCount size)
    {
        size = default;
        int digits = 0;
        while (digits < text.Length && char.IsAsciiDigit(text[digits]))
        {
            digits++;
        }

        int shift = UnitShift(text[digits..]);
        if (shift < 0 || !TryDecimal(text[..digits], ulong.MaxValue >> shift, out ulong value))
        {
            return false;
        }

        size = new ByteCount(value << shift);
        return true;
    }

    /// <summary>Reads a decimal fraction as a whole number of its last digits: <c>15.753846</c> with 6 digits is 15753846.</summary>
    /// <param name="text">The text; digits after the point may be fewer or absent, more are cut.</param>
    /// <param name="digits">How many digits after the point count, 0 to 9.</param>
    /// <param name="max">The largest value to take, in those units.</param>
    /// <param name="value">The value, or 0 when refused.</param>
    /// <returns>Whether the text is such a number.</returns>
    internal static bool TryFraction(ReadOnlySpan<char> text, int digits, ulong max, out ulong value)
    {
        value = 0;
        int point = text.IndexOf('.');
        ReadOnlySpan<char> whole = point < 0 ? text : text[..point];
        ReadOnlySpan<char> rest = point < 0 ? "0" : text[(point + 1)..];
        if (!TryDecimal(whole, ulong.MaxValue / 2_000_000_000, out ulong units) || rest.IsEmpty || !AllDigits(rest))
        {
            return false;
        }

        for (int index = 0; index < digits; index++)
        {
            units = (units * 10) + (index < rest.Length ? (ulong)(rest[index] - '0') : 0);
        }

        value = units <= max ? units : 0;
        return units <= max;
    }

    private static bool AllDigits(ReadOnlySpan<char> text)
    {
        foreach (char c in text)
        {
            if (!char.IsAsciiDigit(c))
            {
                return false;
            }
        }

        return true;
    }

    private static bool TryDigits(ReadOnlySpan<char> text, uint radix, ulong max, out ulong value)
    {
        value = 0;
        if (text.IsEmpty)
        {
            return false;
        }

        ulong sum = 0;
        foreach (char c in text)
        {
            uint digit = char.IsAsciiHexDigit(c) ? (uint)HexValue(c) : radix;
            if (digit >= radix || digit > max || sum > (max - digit) / radix)
            {
                return false;
            }

            sum = (sum * radix) + digit;
        }

        value = sum;
        return true;
    }

    private static int HexValue(char c) => c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;

    private static int UnitShift(ReadOnlySpan<char> unit) => unit switch
    {
        "" or "B" => 0,
        "K" or "KB" or "KiB" or "k" => 10,
        "M" or "MB" or "MiB" => 20,
        "G" or "GB" or "GiB" => 30,
        "T" or "TB" or "TiB" => 40,
        "P" or "PB" or "PiB" => 50,
        _ => -1,
    };
}
