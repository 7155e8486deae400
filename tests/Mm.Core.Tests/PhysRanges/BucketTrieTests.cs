using Mm.Core.Native;
using Mm.Core.PhysRanges;
using static Mm.Core.Tests.PhysRanges.NaiveRanges;

namespace Mm.Core.Tests.PhysRanges;

[TestFixture]
internal sealed class BucketTrieTests
{
    private static readonly IEnumerable<TestCaseData> Layouts =
    [
        Layout("one key", [0x1000]),
        Layout("one key at the bottom", [0]),
        Layout("the whole address space", [0, ulong.MaxValue]),
        Layout("a leaf, whole", Steps(8, 8)),
        Layout("one more than a leaf, packed", Steps(9, 1)),
        Layout("many evenly", Steps(5000, 1 << 21)),
        Layout("small ones beside a huge one", [.. Steps(300, 0x1000), 1UL << 56]),
        Layout("a crowd in the middle", [0, .. Steps(100, 1).Select(static key => key + (1UL << 40)), 1UL << 62]),
        Layout("crowds in crowds", [.. Enumerable.Range(0, 40).SelectMany(static crowd => Steps(40, (ulong)crowd + 1).Select(key => key + ((ulong)crowd << 44)))]),
        Layout("each twice as high as the last", [.. Enumerable.Range(0, 64).Select(static bit => 1UL << bit)]),
        Layout("each half as far from the top", [.. Enumerable.Range(0, 64).Reverse().Select(static bit => ulong.MaxValue - (1UL << bit))]),
    ];

    [TestCaseSource(nameof(Layouts))]
    public void FindAtOrBelow_AtAndAroundEveryKey_EqualsTheScanAtEveryLevel(ulong[] keys)
    {
        PhysAddr[] sorted = [.. keys.Select(static key => new PhysAddr(key))];
        foreach (VectorLevel level in Levels)
        {
            var trie = new BucketTrie(sorted, level);
            for (int place = 0; place < sorted.Length; place++)
            {
                ulong key = keys[place];
                ulong end = place + 1 < keys.Length ? keys[place + 1] - 1 : ulong.MaxValue;
                Assert.That(trie.FindAtOrBelow(sorted[place]), Is.EqualTo(place), $"{level}: {sorted[place]}");
                Assert.That(trie.FindAtOrBelow(new PhysAddr(key + ((end - key) / 2))), Is.EqualTo(place), $"{level}: middle");
                Assert.That(trie.FindAtOrBelow(new PhysAddr(end)), Is.EqualTo(place), $"{level}: last");
            }

            if (keys[0] > 0)
            {
                Assert.That(trie.FindAtOrBelow(PhysAddr.Zero), Is.EqualTo(-1), $"{level}: far below");
                Assert.That(trie.FindAtOrBelow(new PhysAddr(keys[0] - 1)), Is.EqualTo(-1), $"{level}: just below");
            }
        }
    }

    private static ulong[] Steps(int count, ulong step) =>
        [.. Enumerable.Range(0, count).Select(number => 0x1000 + ((ulong)number * step))];

    private static TestCaseData Layout(string name, ulong[] keys) => new TestCaseData(keys).SetArgDisplayNames(name);
}
