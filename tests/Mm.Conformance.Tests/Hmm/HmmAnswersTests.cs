using System.Buffers.Binary;
using Mm.Conformance.Hmm;
using Mm.Core.Spaces;

namespace Mm.Conformance.Tests.Hmm;

internal sealed class HmmAnswersTests
{
    [Test]
    public void Data_EqualPages_AreCounted()
    {
        byte[] bytes = new byte[5 * 4096];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(3 * 4096), 7);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan((5 * 4096) - 8), ulong.MaxValue);

        Assert.That(HmmAnswers.Data(bytes), Is.EqualTo("0/0*3,7/0,0/18446744073709551615"));
    }

    [Test]
    public void Data_OfNothing_IsEmpty() => Assert.That(HmmAnswers.Data([]), Is.Empty);

    [Test]
    public void Pagemap_EachKindOfPage_HasItsLetter()
    {
        PageView[] pages =
        [
            default,
            new(IsPresent: true, IsElsewhere: false, IsExclusive: true, IsOfFile: false),
            new(IsPresent: true, IsElsewhere: false, IsExclusive: false, IsOfFile: false),
            new(IsPresent: true, IsElsewhere: false, IsExclusive: false, IsOfFile: true),
            new(IsPresent: false, IsElsewhere: true, IsExclusive: false, IsOfFile: false),
        ];

        Assert.That(HmmAnswers.Pagemap(pages), Is.EqualTo(".,P,Q*2,S"));
    }

    [TestCase(FaultResult.Done, "ok")]
    [TestCase(FaultResult.SegmentationFault, "SIGSEGV")]
    [TestCase(FaultResult.BusError, "SIGBUS")]
    public void Signal_OfAnAccess_IsTheProcesss(FaultResult result, string signal) =>
        Assert.That(HmmAnswers.Signal(result), Is.EqualTo(signal));
}
