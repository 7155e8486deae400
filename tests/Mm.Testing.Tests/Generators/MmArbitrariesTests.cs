using FsCheck.Fluent;
using Mm.Core;
using Mm.Testing.Generators;

namespace Mm.Testing.Tests.Generators;

public sealed class MmArbitrariesTests
{
    [TestCase(0UL)]
    [TestCase(1UL)]
    [TestCase(ulong.MaxValue)]
    [TestCase(ulong.MaxValue - 1)]
    [TestCase(4096UL)]
    [TestCase(4095UL)]
    public void BoundaryNumbers_SampleOfTwoHundredThousand_HoldsTheBoundary(ulong boundary)
    {
        Assert.That(MmArbitraries.BoundaryNumbers.Sample(200_000), Does.Contain(boundary));
    }

    [Test]
    public void PhysRanges_SampleOfTenThousand_HoldsEmptyAndTopMostRanges()
    {
        PhysRange[] sample = MmArbitraries.PhysRanges().Generator.Sample(10_000);

        Assert.That(sample, Has.Some.Matches<PhysRange>(range => range.IsEmpty));
        Assert.That(sample, Has.Some.Matches<PhysRange>(range => !range.IsEmpty && !range.TryGetEnd(out _)));
        Assert.That(sample, Has.Some.Matches<PhysRange>(range => !range.IsEmpty && range.TryGetEnd(out _)));
    }

    [FsCheck.NUnit.Property(Arbitrary = [typeof(MmArbitraries)])]
    public void Shrink_Pfn_IsSmaller(Pfn pfn)
    {
        foreach (Pfn smaller in MmArbitraries.Pfns().Shrinker(pfn))
        {
            Assert.That(smaller, Is.LessThan(pfn));
        }
    }

    [FsCheck.NUnit.Property(Arbitrary = [typeof(MmArbitraries)])]
    public void PfnRange_Any_HasAddresses(PfnRange range)
    {
        Assert.That(range.ToPhysRange().Length, Is.EqualTo(range.Count.ToBytes()));
    }
}
