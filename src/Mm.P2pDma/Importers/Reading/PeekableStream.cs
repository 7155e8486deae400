namespace Mm.P2pDma.Importers.Reading;

/// <summary>Lets a reader look at the next bytes of a forward-only stream before it decides who reads them.</summary>
/// <remarks>
/// Buffered, so that readers byte by byte cost no call to the stream under it each; never closes that stream.
/// <para><b>Locking:</b> the caller's.</para>
/// </remarks>
/// <param name="inner">The bytes; stays open.</param>
internal sealed class PeekableStream(Stream inner) : Stream
{
    private const int BufferSize = 16 * 1024;

    private readonly byte[] buffer = new byte[BufferSize];
    private int start;
    private int end;

    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => false;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException("a peekable stream has no length before its end");

    /// <inheritdoc/>
    public override long Position
    {
        get => throw new NotSupportedException("a peekable stream does not count");
        set => throw new NotSupportedException("a peekable stream cannot seek");
    }

    /// <summary>Looks at the next bytes without taking them.</summary>
    /// <param name="count">How many, at most 16 KiB.</param>
    /// <returns>The bytes, fewer at the end of the stream; valid until the next call.</returns>
    internal ReadOnlySpan<byte> Peek(int count)
    {
        if (end - start < count)
        {
            buffer.AsSpan(start, end - start).CopyTo(buffer);
            end -= start;
            start = 0;
            end += inner.ReadAtLeast(buffer.AsSpan(end), count - end, throwOnEndOfStream: false);
        }

        return buffer.AsSpan(start, Math.Min(count, end - start));
    }

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    /// <inheritdoc/>
    public override int Read(Span<byte> destination)
    {
        if (destination.IsEmpty)
        {
            return 0;
        }

        if (start == end)
        {
            start = 0;
            end = inner.Read(buffer, 0, BufferSize);
        }

        int count = Math.Min(destination.Length, end - start);
        buffer.AsSpan(start, count).CopyTo(destination);
        start += count;
        return count;
    }

    /// <inheritdoc/>
    public override int ReadByte()
    {
        Span<byte> one = stackalloc byte[1];
        return Read(one) == 0 ? -1 : one[0];
    }

    /// <inheritdoc/>
    public override void Flush()
    {
    }

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException("a peekable stream cannot seek");

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException("a peekable stream cannot be written");

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) =>
        throw new NotSupportedException("a peekable stream cannot be written");
}
