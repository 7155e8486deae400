using ICSharpCode.SharpZipLib;
using ICSharpCode.SharpZipLib.BZip2;
using ICSharpCode.SharpZipLib.GZip;

namespace Mm.P2pDma.Importers.Reading;

/// <summary>Unpacks a gzip or bzip2 file while it is read; what the unpackers throw at damaged files becomes a refusal.</summary>
/// <remarks>
/// A file may hold several packed pieces one after another, as parallel packers write them.
/// <para><b>Invariants:</b> (1) no exception of an unpacking library leaves it, only <see cref="ImportRefusedException"/>
/// and those of the stream's own reading.</para>
/// <para><b>Locking:</b> the caller's.</para>
/// </remarks>
internal sealed class UnpackedStream : Stream
{
    private static readonly byte[] GzipMagic = [0x1f, 0x8b];
    private static readonly byte[] Bzip2Magic = "BZh"u8.ToArray();

    private readonly PeekableStream packed;
    private readonly ImportPosition position;
    private readonly bool isBzip2;
    private Stream? unpacker;
    private bool isEnded;

    private UnpackedStream(PeekableStream packed, ImportPosition position, bool isBzip2)
    {
        this.packed = packed;
        this.position = position;
        this.isBzip2 = isBzip2;
    }

    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => false;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException("an unpacked stream has no length before its end");

    /// <inheritdoc/>
    public override long Position
    {
        get => throw new NotSupportedException("an unpacked stream does not count");
        set => throw new NotSupportedException("an unpacked stream cannot seek");
    }

    /// <summary>Whether a file's first bytes are those of a packed file.</summary>
    /// <param name="header">The first bytes.</param>
    /// <returns>Whether they are.</returns>
    internal static bool IsPacked(ReadOnlySpan<byte> header) =>
        header.StartsWith(GzipMagic) || (header.StartsWith(Bzip2Magic) && header.Length > 3 && header[3] is >= (byte)'1' and <= (byte)'9');

    /// <summary>Starts to unpack.</summary>
    /// <param name="packed">The packed bytes; stays open.</param>
    /// <param name="header">Its first bytes, for which <see cref="IsPacked"/> holds.</param>
    /// <param name="position">What a refusal names as the place.</param>
    /// <returns>The unpacked bytes.</returns>
    internal static UnpackedStream Open(PeekableStream packed, ReadOnlySpan<byte> header, ImportPosition position) =>
        new(packed, position, isBzip2: header.StartsWith(Bzip2Magic));

    /// <inheritdoc/>
    /// <exception cref="ImportRefusedException">The file is damaged or cut off.</exception>
    public override int Read(byte[] buffer, int offset, int count)
    {
        try
        {
            return isBzip2 ? ReadBzip2(buffer, offset, count) : ReadGzip(buffer, offset, count);
        }
        catch (Exception exception) when (exception is InvalidDataException or SharpZipBaseException or EndOfStreamException
            or IndexOutOfRangeException or OverflowException or NullReferenceException or ArgumentException)
        {
            // SharpZipLib meets some damage as an index out of its tables rather than as an error of its own.
            throw new ImportRefusedException(new ImportError(
                position, "the packed file is damaged or cut off", exception.Message, $"a whole {(isBzip2 ? "bzip2" : "gzip")} file"));
        }
    }

    /// <inheritdoc/>
    public override void Flush()
    {
    }

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException("an unpacked stream cannot seek");

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException("an unpacked stream cannot be written");

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) =>
        throw new NotSupportedException("an unpacked stream cannot be written");

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            unpacker?.Dispose();
        }

        base.Dispose(disposing);
    }

    private int ReadGzip(byte[] buffer, int offset, int count)
    {
        // Not the platform's GZipStream: it takes a file that was cut off for a shorter one.
        unpacker ??= new GZipInputStream(packed) { IsStreamOwner = false };
        return unpacker.Read(buffer, offset, count);
    }

    // One piece after another: the library stops after the first.
    private int ReadBzip2(byte[] buffer, int offset, int count)
    {
        while (!isEnded && count > 0)
        {
            unpacker ??= new BZip2InputStream(packed) { IsStreamOwner = false };
            int read = unpacker.Read(buffer, offset, count);
            if (read > 0)
            {
                return read;
            }

            unpacker.Dispose();
            unpacker = null;
            isEnded = !HasNextPiece();
        }

        return 0;
    }

    private bool HasNextPiece() => IsPacked(packed.Peek(Bzip2Magic.Length + 1));
}
