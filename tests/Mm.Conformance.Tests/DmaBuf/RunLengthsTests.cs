using Mm.Conformance.DmaBuf;

namespace Mm.Conformance.Tests.DmaBuf;

public sealed class RunLengthsTests
{
    [TestCase("", "")]
    [TestCase("1", "1")]
    [TestCase("1 1", "1,1")]
    [TestCase("0 0 0 5", "0*3,5")]
    [TestCase("5 0 0 0 0 5 5", "5,0*4,5,5")]
    public void Encode_RunsOfThreeAndMore_AreCounted(string words, string expected)
    {
        Assert.That(RunLengths.Encode(words.Split(' ', StringSplitOptions.RemoveEmptyEntries)), Is.EqualTo(expected));
    }
}
