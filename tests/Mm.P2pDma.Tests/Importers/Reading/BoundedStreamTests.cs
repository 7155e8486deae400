using Mm.Core;
using Mm.P2pDma.Importers;
using Mm.P2pDma.Importers.Reading;

namespace Mm.P2pDma.Tests.Importers.Reading;

public sealed class BoundedStreamTests
{
    [Test]
    public void Read_AtTheLimit_Passes()
    {
        using var inner = new MemoryStream(new byte[100]);
        using var bounded = new BoundedStream(inner, new ImportPosition("f", 0, 0), "too large", new ByteCount(100));
        using var copy = new MemoryStream();
        bounded.CopyTo(copy);
        Assert.That(copy.Length, Is.EqualTo(100));
        Assert.That(bounded.Position, Is.EqualTo(100));
    }

    [Test]
    public void Read_AboveTheLimit_IsRefused()
    {
        using var inner = new MemoryStream(new byte[101]);
        using var bounded = new BoundedStream(inner, new ImportPosition("f", 0, 0), "too large", new ByteCount(100));
        using var copy = new MemoryStream();
        ImportRefusedException? refusal = Assert.Throws<ImportRefusedException>(() => bounded.CopyTo(copy));
        Assert.That(refusal!.Error.ToString(), Is.EqualTo("f: too large: found \"more than 100 B\", allowed at most 100 B"));
        Assert.That(copy.Length, Is.LessThanOrEqualTo(100));
    }

    [Test]
    public void ReadByte_ToTheEnd_CountsAndStops()
    {
        using var inner = new MemoryStream([7, 8]);
        using var bounded = new BoundedStream(inner, default, "too large", new ByteCount(2));
        Assert.That(new[] { bounded.ReadByte(), bounded.ReadByte(), bounded.ReadByte() }, Is.EqualTo(new[] { 7, 8, -1 }));
    }

    [Test]
    public void Dispose_InnerStream_StaysOpen()
    {
        using var inner = new MemoryStream([7]);
        new BoundedStream(inner, default, "too large", new ByteCount(2)).Dispose();
        Assert.That(inner.CanRead, Is.True);
    }
}
