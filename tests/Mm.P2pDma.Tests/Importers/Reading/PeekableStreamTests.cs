using Mm.P2pDma.Importers.Reading;

namespace Mm.P2pDma.Tests.Importers.Reading;

public sealed class PeekableStreamTests
{
    [Test]
    public void Peek_ThenRead_GivesEveryByteOnce()
    {
        byte[] bytes = [.. Enumerable.Range(0, 40_000).Select(value => (byte)(value % 251))];
        using var stream = new PeekableStream(new MemoryStream(bytes));
        using var copy = new MemoryStream();
        byte[] buffer = new byte[777];

        Assert.That(stream.Peek(4096).ToArray(), Is.EqualTo(bytes[..4096]));
        for (int count = stream.Read(buffer); count > 0; count = stream.Read(buffer))
        {
            copy.Write(buffer, 0, count);
            byte[] ahead = stream.Peek(4).ToArray();
            Assert.That(ahead, Is.EqualTo(bytes.AsSpan((int)copy.Length, Math.Min(4, bytes.Length - (int)copy.Length)).ToArray()));
        }

        Assert.That(copy.ToArray(), Is.EqualTo(bytes));
    }

    [Test]
    public void Peek_ShortStream_GivesWhatThereIs()
    {
        using var stream = new PeekableStream(new MemoryStream([1, 2]));

        Assert.Multiple(() =>
        {
            Assert.That(stream.Peek(100).ToArray(), Is.EqualTo(new byte[] { 1, 2 }));
            Assert.That(new[] { stream.ReadByte(), stream.ReadByte(), stream.ReadByte() }, Is.EqualTo(new[] { 1, 2, -1 }));
            Assert.That(() => stream.Position = 0, Throws.TypeOf<NotSupportedException>());
        });
    }
}
