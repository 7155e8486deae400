using Mm.Core;
using Mm.P2pDma.Importers;
using Mm.P2pDma.Importers.Reading;

namespace Mm.P2pDma.Tests.Importers.Reading;

public sealed class BoundedTextReaderTests
{
    private static readonly ImportLimits Small = new() { MaxFileSize = new ByteCount(100_000), MaxLineLength = new ByteCount(1000) };

    [Test]
    public void ReadToEnd_Utf8WithMark_DropsTheMarkOnly() =>
        Assert.That(ReadAll(TestText.Utf8("\uFEFFaé\u20ac\U0001F600\n\uFEFF"), Small), Is.EqualTo("aé\u20ac\U0001F600\n\uFEFF"));

    [TestCase(1)]
    [TestCase(2)]
    [TestCase(3)]
    public void Read_BytesInPieces_GivesTheSameText(int piece)
    {
        string text = string.Concat(Enumerable.Repeat("ab\u20acd\U0001F600\n", 9000));
        ImportLimits limits = Small with { MaxFileSize = ByteCount.FromMiB(1) };
        Assert.That(ReadAll(new PieceStream(TestText.Utf8(text), piece), limits), Is.EqualTo(text));
    }

    [Test]
    public void Read_EmptyStream_IsEmpty() => Assert.That(ReadAll(TestText.Utf8(""), Small), Is.Empty);

    [Test]
    public void Read_FileAtTheLimit_Passes() =>
        Assert.That(ReadAll(TestText.Utf8(string.Concat(Enumerable.Repeat("123456789\n", 10_000))), Small), Has.Length.EqualTo(100_000));

    [Test]
    public void Read_FileAboveTheLimit_IsRefused()
    {
        ImportError error = Refusal(TestText.Utf8(string.Concat(Enumerable.Repeat("123456789\n", 10_001))), Small);
        Assert.That(error.What, Is.EqualTo("the file is too large"));
    }

    [Test]
    public void Read_LineAtTheLimit_Passes() =>
        Assert.That(ReadAll(TestText.Utf8(new string('x', 1000) + "\n" + new string('y', 1000)), Small), Has.Length.EqualTo(2001));

    [Test]
    public void Read_LineAboveTheLimit_IsRefusedWithItsPlace() =>
        Assert.That(
            Refusal(TestText.Utf8("ab\n" + new string('x', 1001)), Small).ToString(),
            Is.EqualTo("f:2:1001: the line is too long: found \"more than 1000 B\", allowed at most 1000 B"));

    [Test]
    public void Read_TwoGigabyteLine_IsRefusedInBoundedMemory()
    {
        using Stream endless = TestText.Endless("first\n", (byte)'x', 2L << 30);
        long before = GC.GetAllocatedBytesForCurrentThread();
        ImportError error = Refusal(endless, ImportLimits.Default);
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.That(error.Position, Is.EqualTo(new ImportPosition("f", 2, (1 << 20) + 1)));
        Assert.That(allocated, Is.LessThan(1 << 20));
    }

    [Test]
    public void Read_NulByte_IsRefusedWithItsPlace() =>
        Assert.That(Refusal(TestText.Utf8("ab\nc\0d"), Small).Position, Is.EqualTo(new ImportPosition("f", 2, 2)));

    [TestCase(new byte[] { 0xFF, 0xFE, 0x3C, 0x00 }, 1, 1)]
    [TestCase(new byte[] { 0x61, 0x0A, 0x62, 0xC3, 0x28 }, 2, 2)]
    [TestCase(new byte[] { 0xC3, 0xA9, 0x62, 0xE2, 0x82 }, 1, 3)]
    [TestCase(new byte[] { 0xED, 0xA0, 0x80 }, 1, 1)]
    public void Read_NotUtf8_IsRefusedWithItsPlace(byte[] bytes, int line, int column)
    {
        using var stream = new MemoryStream(bytes);
        ImportError error = Refusal(stream, Small);
        Assert.That(error.What, Is.EqualTo("the text is not UTF-8"));
        Assert.That(error.Position, Is.EqualTo(new ImportPosition("f", line, column)));
    }

    private static string ReadAll(Stream stream, ImportLimits limits)
    {
        using var reader = new BoundedTextReader(stream, new ImportLog("f", limits));
        return reader.ReadToEnd();
    }

    private static ImportError Refusal(Stream stream, ImportLimits limits)
    {
        using var reader = new BoundedTextReader(stream, new ImportLog("f", limits));
        char[] buffer = new char[512];
        return Assert.Throws<ImportRefusedException>(() =>
        {
            while (reader.Read(buffer, 0, buffer.Length) > 0)
            {
            }
        })!.Error;
    }

    private sealed class PieceStream(Stream inner, int piece) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => inner.Length;

        public override long Position { get => inner.Position; set => inner.Position = value; }

        public override int Read(byte[] buffer, int offset, int count) => inner.Read(buffer, offset, Math.Min(count, piece));

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
