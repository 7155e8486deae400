using Mm.Core;
using Mm.P2pDma.Importers;
using Mm.P2pDma.Importers.Reading;

namespace Mm.P2pDma.Tests.Importers.Reading;

public sealed class BoundedXmlTests
{
    private static readonly ImportLimits Small = new() { MaxDepth = 4, MaxElements = 10, MaxAttributes = 3, MaxFileSize = new ByteCount(10_000) };

    [Test]
    public void Load_Document_KeepsNamesTextsAndPlaces()
    {
        XmlTreeElement root = Load("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<!-- c -->\n<a x=\"1\"\n   y='&lt;2'>t<b/>u<!-- no --><![CDATA[<v>]]></a>");
        Assert.That(root.Name, Is.EqualTo("a"));
        Assert.That(root.Position, Is.EqualTo(new ImportPosition("f", 3, 2)));
        Assert.That(root.Text, Is.EqualTo("tu<v>"));
        Assert.That(root.Children.Select(child => child.Name), Is.EqualTo(new[] { "b" }));
        Assert.That(root.TryGet("y", out XmlTreeAttribute y), Is.True);
        Assert.That(y, Is.EqualTo(new XmlTreeAttribute("y", "<2", new ImportPosition("f", 4, 4))));
        Assert.That(root.Value("x"), Is.EqualTo("1"));
        Assert.That(root.Value("z"), Is.Null);
    }

    [TestCase("<!DOCTYPE a SYSTEM \"hwloc2.dtd\"><a/>")]
    [TestCase("<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>")]
    [TestCase("<!DOCTYPE a SYSTEM 'http://127.0.0.1:1/[x]>'><a/>")]
    [TestCase("<!-- <!DOCTYPE a [ ]> --><?p <!DOCTYPE a [ ]> ?><!DOCTYPE a><a/>")]
    public void Load_DoctypeWithoutSubset_IsToleratedAndNotResolved(string text) => Assert.That(Load(text).Name, Is.EqualTo("a"));

    [TestCase("<!DOCTYPE a [<!ENTITY x \"y\"><!ENTITY z \"&x;&x;\">]><a>&z;</a>", 1, 13)]
    [TestCase("<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>&x;</a>", 1, 13)]
    [TestCase("<!--\n-->\n<!DOCTYPE a SYSTEM \"b\"\n  [<!ENTITY % p SYSTEM \"c\"> %p;]><a/>", 4, 3)]
    public void Load_InternalSubset_IsRefusedWithItsPlace(string text, int line, int column)
    {
        ImportError error = Refusal(text);
        Assert.That(error.What, Is.EqualTo("the document type declares an internal subset"));
        Assert.That(error.Position, Is.EqualTo(new ImportPosition("f", line, column)));
    }

    [TestCase("<a>&x;</a>", "not well-formed XML")]
    [TestCase("<a x=\"1\" x=\"2\"/>", "not well-formed XML")]
    [TestCase("<a><b></a>", "not well-formed XML")]
    [TestCase("<a/><b/>", "not well-formed XML")]
    [TestCase("<a>\n<b", "not well-formed XML")]
    [TestCase("<a/><!DOCTYPE a>", "not well-formed XML")]
    [TestCase("<a>\u0001</a>", "not well-formed XML")]
    [TestCase("", "not well-formed XML")]
    [TestCase("plain", "not well-formed XML")]
    [TestCase("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a/>", "the encoding is not known")]
    [TestCase("<a><b><c><d><e/></d></c></b></a>", null)]
    [TestCase("<a><b><c><d><e></e></d></c></b></a>", "the elements are nested too deeply")]
    [TestCase("<a b='1' c='2' d='3' e='4'/>", "the element has too many attributes")]
    [TestCase("<a><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/></a>", "the file has too many elements")]
    public void Load_BadDocument_IsRefusedWithItsPlace(string text, string? what)
    {
        if (what is null)
        {
            Assert.That(Load(text).Name, Is.EqualTo("a"));
            return;
        }

        ImportError error = Refusal(text);
        Assert.That(error.What, Is.EqualTo(what));
        Assert.That(error.Position.Line, Is.GreaterThan(0));
        Assert.That(error.Position.Column, Is.GreaterThan(0));
    }

    [Test]
    public void Load_EndlessAttribute_IsRefusedInBoundedMemory()
    {
        using Stream endless = TestText.Endless("<a x=\"", (byte)'y', 2L << 30);
        var log = new ImportLog("f", ImportLimits.Default with { MaxLineLength = ByteCount.FromKiB(64) });
        long before = GC.GetAllocatedBytesForCurrentThread();
        ImportRefusedException? refusal = Assert.Throws<ImportRefusedException>(() => BoundedXml.Load(endless, log));
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(4 << 20));
        Assert.That(refusal!.Error.What, Is.EqualTo("the line is too long"));
    }

    private static XmlTreeElement Load(string text) => BoundedXml.Load(TestText.Utf8(text), new ImportLog("f", Small));

    private static ImportError Refusal(string text) => Assert.Throws<ImportRefusedException>(() => Load(text))!.Error;
}
