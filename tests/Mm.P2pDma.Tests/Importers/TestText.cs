using System.Text;

namespace Mm.P2pDma.Tests.Importers;

/// <summary>Streams for importer tests.</summary>
internal static class TestText
{
    /// <summary>The UTF-8 bytes of a text as a stream.</summary>
    internal static MemoryStream Utf8(string text) => new(Encoding.UTF8.GetBytes(text), writable: false);

    /// <summary>A stream that says the same bytes for ever, up to a length that no test could hold in memory.</summary>
    internal static Stream Endless(string start, byte fill, long length) => new EndlessStream(Encoding.UTF8.GetBytes(start), fill, length);

    private sealed class EndlessStream(byte[] start, byte fill, long length) : Stream
    {
        private long at;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => length;

        public override long Position { get => at; set => throw new NotSupportedException(); }

        public override int Read(byte[] buffer, int offset, int count)
        {
            int taken = (int)Math.Min(count, length - at);
            for (int index = 0; index < taken; index++, at++)
            {
                buffer[offset + index] = at < start.Length ? start[at] : fill;
            }

            return taken;
        }

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
