using System.Buffers;
using System.Text.Unicode;
using Mm.Core;

namespace Mm.P2pDma.Importers.Reading;

/// <summary>Reads a stranger's text in fixed memory: UTF-8 only, no NUL, no endless file, no endless line.</summary>
/// <remarks>
/// Not responsible for what the text means: the XML reader and <see cref="BoundedLineReader"/> sit on top.
/// A UTF-8 byte order mark at the start is skipped.
/// <para><b>Invariants:</b> (1) at most <see cref="BufferSize"/> bytes are read ahead; (2) the refusal of a byte names
/// its line and column, counted in characters from 1.</para>
/// <para><b>Locking:</b> the caller's.</para>
/// </remarks>
internal sealed class BoundedTextReader : TextReader
{
    /// <summary>How many bytes and characters are buffered.</summary>
    internal const int BufferSize = 16 * 1024;

    private readonly Stream stream;
    private readonly ImportLog log;
    private readonly ByteCount maxSize;
    private readonly byte[] bytes = new byte[BufferSize];
    private readonly char[] chars = new char[BufferSize];
    private int byteCount; // bytes at the start of the buffer that are not decoded yet
    private int charStart;
    private int charEnd;
    private ulong total;
    private ulong lineLength;
    private int line = 1;
    private int column = 1;
    private bool isStarted;
    private bool isEnded;

    /// <summary>Starts to read.</summary>
    /// <param name="stream">The bytes; stays open.</param>
    /// <param name="log">The file's name and limits.</param>
    /// <param name="maxSize">The most bytes to take, where it is not <see cref="ImportLimits.MaxFileSize"/>.</param>
    internal BoundedTextReader(Stream stream, ImportLog log, ByteCount? maxSize = null)
    {
        this.stream = stream;
        this.log = log;
        this.maxSize = maxSize ?? log.Limits.MaxFileSize;
    }

    /// <inheritdoc/>
    public override int Peek() => Fill() ? chars[charStart] : -1;

    /// <inheritdoc/>
    public override int Read() => Fill() ? chars[charStart++] : -1;

    /// <inheritdoc/>
    public override int Read(char[] buffer, int index, int count) => Read(buffer.AsSpan(index, count));

    /// <inheritdoc/>
    /// <exception cref="ImportRefusedException">The text is not UTF-8, holds NUL, or passes a limit.</exception>
    public override int Read(Span<char> buffer)
    {
        if (buffer.IsEmpty || !Fill())
        {
            return 0;
        }

        int count = Math.Min(buffer.Length, charEnd - charStart);
        chars.AsSpan(charStart, count).CopyTo(buffer);
        charStart += count;
        return count;
    }

    // Makes at least one character ready; false at the end.
    private bool Fill()
    {
        while (charStart == charEnd && !isEnded)
        {
            ReadBytes();
            Decode();
        }

        return charStart < charEnd;
    }

    private void ReadBytes()
    {
        int count = stream.Read(bytes, byteCount, bytes.Length - byteCount);
        isEnded = count == 0;
        total += (ulong)count;
        byteCount += count;
        if (total > maxSize.Value)
        {
            throw Refuse("the file is too large", $"more than {maxSize}", $"at most {maxSize}");
        }

        if (!isStarted && (byteCount >= 3 || isEnded))
        {
            isStarted = true;
            DropByteOrderMark();
        }
    }

    private void DropByteOrderMark()
    {
        if (bytes.AsSpan(0, byteCount).StartsWith("\uFEFF"u8))
        {
            Consume(3);
        }
    }

    private void Decode()
    {
        if (!isStarted)
        {
            return;
        }

        ReadOnlySpan<byte> source = bytes.AsSpan(0, byteCount);
        OperationStatus status = Utf8.ToUtf16(
            source, chars, out int read, out int written, replaceInvalidSequences: false, isFinalBlock: isEnded);
        Track(source[..read]);
        if (status == OperationStatus.InvalidData || (isEnded && status == OperationStatus.NeedMoreData))
        {
            throw Refuse("the text is not UTF-8", $"byte 0x{source[read]:x2}", "UTF-8, without other encodings");
        }

        Consume(read);
        charStart = 0;
        charEnd = written;
    }

    private void Consume(int count)
    {
        bytes.AsSpan(count, byteCount - count).CopyTo(bytes);
        byteCount -= count;
    }

    // Follows the position over decoded bytes and refuses what no text holds.
    private void Track(ReadOnlySpan<byte> decoded)
    {
        foreach (byte value in decoded)
        {
            if (value == (byte)'\n')
            {
                line++;
                column = 1;
                lineLength = 0;
                continue;
            }

            if (value == 0)
            {
                throw Refuse("the text holds a NUL byte", "0x00", "UTF-8 text");
            }

            if (++lineLength > log.Limits.MaxLineLength.Value)
            {
                string limit = log.Limits.MaxLineLength.ToString();
                throw Refuse("the line is too long", $"more than {limit}", $"at most {limit}");
            }

            column += (value & 0xC0) == 0x80 ? 0 : 1; // continuation bytes are no characters of their own
        }
    }

    private ImportRefusedException Refuse(string what, string found, string allowed) =>
        new(new ImportError(log.At(line, column), what, found, allowed));
}
