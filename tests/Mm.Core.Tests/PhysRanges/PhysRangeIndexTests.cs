using Mm.Core.Native;
using Mm.Core.PhysRanges;
using Mm.Testing.Generators;
using static Mm.Core.Tests.PhysRanges.NaiveRanges;

namespace Mm.Core.Tests.PhysRanges;

[TestFixture]
internal sealed class PhysRangeIndexTests
{
    [FsCheck.NUnit.Property(Arbitrary = new[] { typeof(PhysRangeArbitraries) })]
    public void Find_AtEveryLevelAndEveryBorder_EqualsTheScan(DisjointRanges set)
    {
        foreach (VectorLevel level in Levels)
        {
            var index = new PhysRangeIndex(set.Ranges, level);
            foreach (PhysAddr address in Probes(set.Ranges))
            {
                int expected = Array.FindIndex(set.Ranges, range => range.Contains(address));
                int below = Array.FindLastIndex(set.Ranges, range => range.Start <= address);
                Assert.That(index.Find(address), Is.EqualTo(expected), $"{level} {address}");
                Assert.That(index.FindAtOrBelow(address), Is.EqualTo(below), $"{level} {address}");
                Assert.That(index.FindExtent(address, out PhysRange extent), Is.EqualTo(expected), $"{level} {address}");
                Assert.That(extent.Contains(address), Is.True);
                Assert.That(
                    expected >= 0 ? extent == set.Ranges[expected] : !set.Ranges.Any(range => range.Overlaps(extent)), Is.True);
            }
        }
    }

    // Packed ranges: a leaf more or less, and many.
    [Test]
    public void Find_AmongAnyNumberOfPackedRanges_FindsEachOne(
        [Values(1, 2, 7, 8, 9, 16, 17, 4096, 70_000)] int count)
    {
        PhysRange[] packed = [.. Enumerable.Range(0, count).Select(static number => Range(0x1000 + (8 * (ulong)number), 8))];
        foreach (VectorLevel level in Levels)
        {
            var index = new PhysRangeIndex(packed, level);
            for (int number = 0; number < count; number++)
            {
                Assert.That(index.Find(new PhysAddr(0x1007 + (8 * (ulong)number))), Is.EqualTo(number));
            }

            Assert.That(index.Find(new PhysAddr(0xfff)), Is.EqualTo(-1));
            Assert.That(index.Find(new PhysAddr(0x1000 + (8 * (ulong)count))), Is.EqualTo(-1));
            Assert.That(index.Find(PhysAddr.MaxValue), Is.EqualTo(-1));
        }
    }

    [Test]
    public void Find_AtTheTopOfTheAddressSpace_IsRight()
    {
        foreach (VectorLevel level in Levels)
        {
            var index = new PhysRangeIndex([Range(0, 1), Range(1UL << 63, 1), Range(ulong.MaxValue, 1)], level);
            Assert.That(index.Find(PhysAddr.Zero), Is.Zero);
            Assert.That(index.Find(new PhysAddr(1UL << 63)), Is.EqualTo(1));
            Assert.That(index.Find(new PhysAddr(ulong.MaxValue - 1)), Is.EqualTo(-1));
            Assert.That(index.Find(PhysAddr.MaxValue), Is.EqualTo(2));
        }
    }

    [Test]
    public void Find_InTheEmptyIndex_FindsNothing()
    {
        Assert.That(PhysRangeIndex.Empty.Find(PhysAddr.Zero), Is.EqualTo(-1));
        Assert.That(PhysRangeIndex.Empty.FindExtent(PhysAddr.MaxValue, out PhysRange top), Is.EqualTo(-1));
        Assert.That(PhysRangeIndex.Empty.FindExtent(PhysAddr.Zero, out PhysRange all), Is.EqualTo(-1));
        Assert.That((top, all), Is.EqualTo((Range(ulong.MaxValue, 1), Range(0, ulong.MaxValue))));
    }

    [Test]
    public void Index_OfRangesThatOverlapDescendOrAreEmpty_Throws()
    {
        Assert.That(static () => new PhysRangeIndex([Range(0, 8), Range(7, 1)]), Throws.ArgumentException);
        Assert.That(static () => new PhysRangeIndex([Range(8, 8), Range(0, 8)]), Throws.ArgumentException);
        Assert.That(static () => new PhysRangeIndex([Range(8, 0)]), Throws.ArgumentException);
        Assert.That(static () => new PhysRangeIndex([Range(8, ulong.MaxValue - 7), Range(ulong.MaxValue, 1)]), Throws.ArgumentException);
    }

    private static IEnumerable<PhysAddr> Probes(PhysRange[] ranges)
    {
        yield return PhysAddr.Zero;
        yield return PhysAddr.MaxValue;
        foreach (PhysRange range in ranges.Length > 40 ? ranges.Where(static (_, place) => place % 7 == 0) : ranges)
        {
            yield return range.Start.AddWrapping(ByteCount.MaxValue); // the address before
            yield return range.Start;
            yield return range.Start.AddWrapping(new ByteCount(range.Length.Value - 1));
            yield return range.Start.AddWrapping(range.Length);
        }
    }
}
