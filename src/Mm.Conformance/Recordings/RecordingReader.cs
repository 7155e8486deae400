using System.IO.Compression;
using System.Text;

namespace Mm.Conformance.Recordings;

/// <summary>Reads a recording line by line in fixed memory, plain or gzip by its name.</summary>
/// <remarks>
/// Empty lines and lines that begin with <c>#</c> are skipped. UTF-8 that is not valid, a line or file beyond the limits
/// and a broken gzip stream are errors with their line.
/// <para><b>Locking:</b> the caller's.</para>
/// </remarks>
internal sealed class RecordingReader : IDisposable
{
    private const int BufferSize = 64 * 1024;

    private readonly string file;
    private readonly RecordingLimits limits;
    private readonly StreamReader reader;
    private readonly char[] buffer = new char[BufferSize];
    private readonly StringBuilder pending = new();
    private int next;
    private int filled;
    private ulong total;
    private long number;

    public RecordingReader(string file, Stream stream, RecordingLimits limits)
    {
        this.file = file;
        this.limits = limits;
        Stream plain = file.EndsWith(".gz", StringComparison.OrdinalIgnoreCase)
            ? new GZipStream(stream, CompressionMode.Decompress)
            : stream;
        var encoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);
        reader = new StreamReader(plain, encoding, detectEncodingFromByteOrderMarks: false, BufferSize);
    }

    /// <summary>Reads the next line that holds something.</summary>
    public bool TryRead(out RecordingLine line)
    {
        while (TryReadText(out string text))
        {
            if (text.Length > 0 && text[0] != '#')
            {
                line = new RecordingLine(file, number, text);
                return true;
            }
        }

        line = default;
        return false;
    }

    public void Dispose() => reader.Dispose();

    private bool TryReadText(out string text)
    {
        pending.Clear();
        text = "";
        bool isAny = false;
        number++;
        while (next < filled || Fill())
        {
            isAny = true;
            ReadOnlySpan<char> rest = buffer.AsSpan(next, filled - next);
            int end = rest.IndexOf('\n');
            int take = end < 0 ? rest.Length : end;
            if (pending.Length + take > limits.MaxLineLength)
            {
                throw Error("the line is too long", $"more than {limits.MaxLineLength} characters", "shorter lines");
            }

            pending.Append(rest[..take]);
            next += take + (end < 0 ? 0 : 1);
            if (end >= 0)
            {
                break;
            }
        }

        text = pending.ToString().TrimEnd('\r');
        return isAny;
    }

    private bool Fill()
    {
        try
        {
            filled = reader.Read(buffer, 0, buffer.Length);
        }
        catch (DecoderFallbackException)
        {
            throw Error("the text is not UTF-8", "other bytes", "UTF-8");
        }
        catch (InvalidDataException)
        {
            throw Error("the gzip stream is broken", "other bytes", "gzip");
        }

        next = 0;
        total += (ulong)filled;
        if (total > limits.MaxFileSize.Value)
        {
            throw Error("the file is too large", $"more than {limits.MaxFileSize}", $"at most {limits.MaxFileSize}");
        }

        return filled > 0;
    }

    private RecordingFormatException Error(string what, string found, string allowed) =>
        new(new RecordingError(file, number, 1, what, found, allowed));
}
