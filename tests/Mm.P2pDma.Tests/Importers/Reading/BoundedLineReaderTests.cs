using Mm.Core;
using Mm.P2pDma.Importers;
using Mm.P2pDma.Importers.Reading;

namespace Mm.P2pDma.Tests.Importers.Reading;

public sealed class BoundedLineReaderTests
{
    [TestCase("", new string[0])]
    [TestCase("a", new[] { "a" })]
    [TestCase("a\n", new[] { "a" })]
    [TestCase("a\r\nb\n\nc", new[] { "a", "b", "", "c" })]
    [TestCase("\n", new[] { "" })]
    [TestCase("a\rb\r\r\n", new[] { "a\rb\r" })]
    public void TryReadLine_Text_GivesItsLines(string text, string[] expected)
    {
        using var reader = new BoundedLineReader(TestText.Utf8(text), new ImportLog("f", ImportLimits.Default));
        var lines = new List<string>();
        while (reader.TryReadLine(out string line))
        {
            lines.Add(line);
            Assert.That(reader.LineNumber, Is.EqualTo(lines.Count));
            Assert.That(reader.At(3), Is.EqualTo(new ImportPosition("f", lines.Count, 3)));
        }

        Assert.That(lines, Is.EqualTo(expected));
    }

    [Test]
    public void TryReadLine_EndlessLine_IsRefusedInBoundedMemory()
    {
        using Stream endless = TestText.Endless("ok\n", (byte)' ', 2L << 30);
        using var reader = new BoundedLineReader(endless, new ImportLog("f", new ImportLimits { MaxLineLength = ByteCount.FromKiB(64) }));
        Assert.That(reader.TryReadLine(out _), Is.True);
        long before = GC.GetAllocatedBytesForCurrentThread();
        ImportRefusedException? refusal = Assert.Throws<ImportRefusedException>(() => reader.TryReadLine(out _));
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(1 << 20));
        Assert.That(refusal!.Error.Position, Is.EqualTo(new ImportPosition("f", 2, 65537)));
    }
}
