using Mm.Conformance.DmaBuf;

namespace Mm.Conformance.Tests.DmaBuf;

public sealed class RunLengthsTests
{
    [TestCase("", "")]
    [TestCase("1", "1")]
    [TestCase("1,1", "1,1")]
    [TestCase("0*3,5", "0,0,0,5")]
    [TestCase("5,-2*2,5*1", "5,-2,-2,5")]
    [TestCase("0*0,0*1025,0*,*3,0*-1,0*2*2", "0*0,0*1025,0*,*3,0*-1,0*2*2")]
    public void Expand_OfCountedWords_WritesThemOut(string list, string expected) =>
        Assert.That(RunLengths.Expand(list), Is.EqualTo(expected));
}
