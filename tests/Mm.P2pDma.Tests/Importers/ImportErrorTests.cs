using Mm.P2pDma.Importers;

namespace Mm.P2pDma.Tests.Importers;

public sealed class ImportErrorTests
{
    [TestCase("x", "y", "f:2:3: w: found \"x\", allowed y")]
    [TestCase("x", "", "f:2:3: w: found \"x\"")]
    [TestCase("", "y", "f:2:3: w: allowed y")]
    [TestCase("", "", "f:2:3: w")]
    public void ToString_Parts_AreOnOneLine(string found, string allowed, string expected) =>
        Assert.That(new ImportError(new ImportPosition("f", 2, 3), "w", found, allowed).ToString(), Is.EqualTo(expected));

    [Test]
    public void Found_HostileText_IsPrintableAndCut()
    {
        var error = new ImportError(default, "w", "a\u001b[31m\n\ud800\u2028" + new string('z', 500), "");
        Assert.That(error.Found, Does.StartWith("a\uFFFD[31m\uFFFD\uFFFD\uFFFDzz").And.EndWith("z…"));
        Assert.That(error.Found, Has.Length.EqualTo(ImportError.MaxFoundLength));
    }

    [Test]
    public void Found_TextOfTheLargestLength_IsWhole() =>
        Assert.That(new ImportError(default, "w", new string('z', 80), "").Found, Is.EqualTo(new string('z', 80)));

    [Test]
    public void Position_WholeFile_PrintsTheName() => Assert.That(new ImportPosition("f", 0, 0).ToString(), Is.EqualTo("f"));
}
