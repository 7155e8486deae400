using System.Runtime.Intrinsics;
using Mm.Core.Native;

namespace Mm.Core.Tests.Native;

[TestFixture]
internal sealed class WordsTests
{
    [Test]
    public void Ranges_AreTwoIntegersEach_StartAndLength()
    {
        PhysRange[] ranges = [new(new PhysAddr(1), new ByteCount(2)), new(new PhysAddr(3), new ByteCount(4))];
        Assert.That(Words.Of(ranges.AsSpan()).ToArray(), Is.EqualTo(new ulong[] { 1, 2, 3, 4 }));
        Words.Of(ranges.AsSpan())[3] = 9;
        Assert.That(ranges[1].Length.Value, Is.EqualTo(9UL));
    }

    [Test]
    public void Frames_AreOneIntegerEach() =>
        Assert.That(Words.Of([new Pfn(7), new Pfn(8)]).ToArray(), Is.EqualTo(new ulong[] { 7, 8 }));

    [TestCase(0, 0)]
    [TestCase(7, 0)]
    [TestCase(8, 1)]
    [TestCase(23, 2)]
    public void VectorPairs_AreEightWordsEach_InTheirOrder(int words, int pairs)
    {
        ulong[] all = [.. Enumerable.Range(0, words).Select(static word => (ulong)word)];
        ReadOnlySpan<VectorPair256> seen = Words.AsVectorPair256((ReadOnlySpan<ulong>)all);
        Assert.That(seen.Length, Is.EqualTo(pairs));
        for (int index = 0; index < seen.Length; index++)
        {
            ulong first = (ulong)(index * VectorPair256.Count);
            Assert.That((seen[index].Low[0], seen[index].High[3]), Is.EqualTo((first, first + 7)));
        }

        Span<VectorPair256> written = Words.AsVectorPair256(all.AsSpan());
        if (!written.IsEmpty)
        {
            written[^1].High = Vector256.Create(99UL);
            Assert.That(all[(pairs * VectorPair256.Count) - 1], Is.EqualTo(99));
        }
    }
}
