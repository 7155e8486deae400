using Mm.P2pDma.Importers.Reading;

namespace Mm.P2pDma.Importers.Lspci;

/// <summary>The hexadecimal rows of one function in an <c>lspci -x</c> listing, put together.</summary>
/// <remarks>
/// <para><b>Invariants:</b> (1) rows stand in order and leave no hole; (2) at most 4096 bytes are kept.</para>
/// <para><b>Locking:</b> the caller's.</para>
/// </remarks>
internal sealed class LspciHexDump
{
    private const int RowLength = 16;

    private readonly List<byte> bytes = [];
    private readonly List<ImportPosition> rows = [];

    /// <summary>Whether no row was read.</summary>
    internal bool IsEmpty => bytes.Count == 0;

    /// <summary>Whether a line is a row: 2 or 3 digits, a colon, and pairs of digits.</summary>
    /// <param name="line">The line.</param>
    /// <returns>Whether it looks like one.</returns>
    internal static bool IsRow(string line)
    {
        int colon = line.IndexOf(':');
        return colon is 2 or 3
            && StrictNumber.TryHex(line.AsSpan(0, colon), 0xfff, out _)
            && line.Length > colon + 1
            && line[colon + 1] == ' ';
    }

    /// <summary>Adds a row.</summary>
    /// <param name="line">The line; <see cref="IsRow"/> holds.</param>
    /// <param name="number">Its number.</param>
    /// <param name="log">Where errors go.</param>
    /// <returns>Whether it was sound.</returns>
    internal bool TryAddRow(string line, int number, ImportLog log)
    {
        int colon = line.IndexOf(':');
        _ = StrictNumber.TryHex(line.AsSpan(0, colon), 0xfff, out ulong offset);
        if (offset != (ulong)bytes.Count || bytes.Count % RowLength != 0)
        {
            log.Error(
                log.At(number, 1), "a row of the dump is out of order", $"offset 0x{offset:x2}", $"offset 0x{bytes.Count:x2}");
            return false;
        }

        rows.Add(log.At(number, colon + 3));
        int start = bytes.Count;
        for (int at = colon + 2; at < line.Length; at += 3)
        {
            bool isPair = at + 2 <= line.Length && (at + 2 == line.Length || line[at + 2] == ' ');
            if (isPair && line.AsSpan(at).Trim(' ').IsEmpty)
            {
                break;
            }

            if (!isPair || !StrictNumber.TryHex(line.AsSpan(at, 2), 0xff, out ulong value) || bytes.Count - start == RowLength)
            {
                log.Error(
                    log.At(number, at + 1), "not a row of a dump", line[at..], "up to 16 pairs of hexadecimal digits");
                return false;
            }

            bytes.Add((byte)value);
        }

        return true;
    }

    /// <summary>The bytes so far.</summary>
    /// <returns>A copy.</returns>
    internal byte[] ToArray() => [.. bytes];

    /// <summary>Where a byte stands in the file.</summary>
    /// <param name="offset">Its offset; beyond the end, the last row is meant.</param>
    /// <returns>The place.</returns>
    internal ImportPosition PositionOf(int offset)
    {
        ImportPosition row = rows[Math.Clamp(offset / RowLength, 0, rows.Count - 1)];
        return row with { Column = row.Column + (3 * (offset % RowLength)) };
    }
}
