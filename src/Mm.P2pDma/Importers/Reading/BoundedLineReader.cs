using System.Text;
using Mm.Core;

namespace Mm.P2pDma.Importers.Reading;

/// <summary>Reads a stranger's text line by line, each line bounded, with its number.</summary>
/// <remarks>
/// Line ends are LF or CR LF. Limits and refusals are those of <see cref="BoundedTextReader"/>.
/// <para><b>Locking:</b> the caller's.</para>
/// </remarks>
/// <param name="stream">The bytes; stays open.</param>
/// <param name="log">The file's name and limits.</param>
/// <param name="maxSize">The most bytes to take, where it is not <see cref="ImportLimits.MaxFileSize"/>.</param>
internal sealed class BoundedLineReader(Stream stream, ImportLog log, ByteCount? maxSize = null) : IDisposable
{
    private readonly BoundedTextReader reader = new(stream, log, maxSize);
    private readonly StringBuilder pending = new();

    /// <summary>The number of the line last read, from 1; 0 before the first.</summary>
    internal int LineNumber { get; private set; }

    /// <summary>Reads the next line.</summary>
    /// <param name="line">The line without its end; empty at the end of the file.</param>
    /// <returns>Whether there was one; text after the last line end is one too.</returns>
    /// <exception cref="ImportRefusedException">The text is not UTF-8, holds NUL, or passes a limit.</exception>
    internal bool TryReadLine(out string line)
    {
        pending.Clear();
        int next = reader.Read();
        if (next < 0)
        {
            line = "";
            return false;
        }

        while (next is >= 0 and not '\n')
        {
            pending.Append((char)next);
            next = reader.Read();
        }

        if (pending.Length > 0 && pending[^1] == '\r')
        {
            pending.Length--;
        }

        LineNumber++;
        line = pending.ToString();
        return true;
    }

    /// <summary>A place in the line last read.</summary>
    /// <param name="column">The column, from 1.</param>
    /// <returns>The place.</returns>
    internal ImportPosition At(int column) => log.At(LineNumber, column);

    /// <summary>Lets the buffers go; the stream stays open.</summary>
    public void Dispose() => reader.Dispose();
}
