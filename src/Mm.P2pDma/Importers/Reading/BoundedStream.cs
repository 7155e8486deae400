using Mm.Core;

namespace Mm.P2pDma.Importers.Reading;

/// <summary>Counts what is read from a stream and refuses to pass a limit: put on both sides of an unpacker, it defuses packed bombs.</summary>
/// <remarks>
/// Read only, forward only; never closes the stream under it.
/// <para><b>Invariants:</b> (1) no more than the limit's bytes are ever handed out.</para>
/// <para><b>Locking:</b> the caller's.</para>
/// </remarks>
/// <param name="inner">The bytes; stays open.</param>
/// <param name="position">What a refusal names as the place.</param>
/// <param name="what">What a refusal says: <c>the unpacked file is too large</c>.</param>
/// <param name="limit">The most bytes.</param>
internal sealed class BoundedStream(Stream inner, ImportPosition position, string what, ByteCount limit) : Stream
{
    private ulong total;

    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => false;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException("a bounded stream has no length before its end");

    /// <inheritdoc/>
    public override long Position
    {
        get => checked((long)total);
        set => throw new NotSupportedException("a bounded stream cannot seek");
    }

    /// <inheritdoc/>
    /// <exception cref="ImportRefusedException">The limit is passed.</exception>
    public override int Read(Span<byte> buffer)
    {
        int count = inner.Read(buffer);
        total += (ulong)count;
        if (total > limit.Value)
        {
            throw new ImportRefusedException(new ImportError(position, what, $"more than {limit}", $"at most {limit}"));
        }

        return count;
    }

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

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
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException("a bounded stream cannot seek");

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException("a bounded stream cannot be written");

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) =>
        throw new NotSupportedException("a bounded stream cannot be written");
}
