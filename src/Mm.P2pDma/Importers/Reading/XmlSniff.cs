using System.Buffers;

namespace Mm.P2pDma.Importers.Reading;

/// <summary>Finds the name of the root element in the first bytes of an XML file, without reading XML.</summary>
internal static class XmlSniff
{
    private static readonly SearchValues<byte> NameEnds = SearchValues.Create(" \t\r\n/>"u8);

    /// <summary>The name of the first element.</summary>
    /// <param name="header">The first bytes.</param>
    /// <param name="name">The name; empty where comments and declarations fill the whole header.</param>
    /// <returns>Whether the file looks like XML.</returns>
    internal static bool TryRootName(ReadOnlySpan<byte> header, out ReadOnlySpan<byte> name)
    {
        name = default;
        ReadOnlySpan<byte> rest = header.StartsWith("\uFEFF"u8) ? header[3..] : header;
        while (true)
        {
            rest = rest.TrimStart(" \t\r\n"u8);
            if (rest.IsEmpty)
            {
                return header.IndexOf((byte)'<') >= 0;
            }

            if (rest[0] != (byte)'<')
            {
                return false;
            }

            if (!rest.StartsWith("<!"u8) && !rest.StartsWith("<?"u8))
            {
                ReadOnlySpan<byte> start = rest[1..];
                int end = start.IndexOfAny(NameEnds);
                name = end < 0 ? default : start[..end];
                return true;
            }

            ReadOnlySpan<byte> close = rest.StartsWith("<!--"u8) ? "-->"u8 : rest.StartsWith("<?"u8) ? "?>"u8 : ">"u8;
            int closed = rest.IndexOf(close);
            if (closed < 0)
            {
                return true;
            }

            rest = rest[(closed + close.Length)..];
        }
    }
}
