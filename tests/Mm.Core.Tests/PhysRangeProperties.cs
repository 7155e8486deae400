using Mm.Testing.Generators;

namespace Mm.Core.Tests;

/// <summary>Laws of ranges, held against 128-bit arithmetic, which cannot overflow here.</summary>
public sealed class PhysRangeProperties
{
    [FsCheck.NUnit.Property(Arbitrary = [typeof(MmArbitraries)])]
    public bool Contains_Address_AgreesWithWideArithmetic(PhysRange range, PhysAddr address) =>
        range.Contains(address) == (address.Value >= range.Start.Value && address.Value < End(range));

    [FsCheck.NUnit.Property(Arbitrary = [typeof(MmArbitraries)])]
    public bool Contains_Range_AgreesWithWideArithmetic(PhysRange range, PhysRange other) =>
        range.Contains(other) == (other.Start.Value >= range.Start.Value && End(other) <= End(range));

    [FsCheck.NUnit.Property(Arbitrary = [typeof(MmArbitraries)])]
    public bool Overlaps_Pair_AgreesWithWideArithmeticAndIsSymmetric(PhysRange left, PhysRange right)
    {
        UInt128 start = UInt128.Max(left.Start.Value, right.Start.Value);
        bool expected = start < UInt128.Min(End(left), End(right));
        return left.Overlaps(right) == expected && right.Overlaps(left) == expected;
    }

    [FsCheck.NUnit.Property(Arbitrary = [typeof(MmArbitraries)])]
    public void Intersect_Pair_IsInBothAndLosesNothing(PhysRange left, PhysRange right)
    {
        PhysRange common = left.Intersect(right);

        Assert.That(common, Is.EqualTo(right.Intersect(left)));
        Assert.That(common.IsEmpty, Is.EqualTo(!left.Overlaps(right)));
        if (!common.IsEmpty)
        {
            Assert.That(left.Contains(common) && right.Contains(common), Is.True);
            Assert.That(End(common), Is.EqualTo(UInt128.Min(End(left), End(right))));
        }
    }

    [FsCheck.NUnit.Property(Arbitrary = [typeof(MmArbitraries)])]
    public void Slice_AtAnyPoint_GivesTwoPartsThatFollow(PhysRange range, ByteCount point)
    {
        var at = new ByteCount(point.Value % Math.Max(range.Length.Value, 1));

        PhysRange head = range.Slice(ByteCount.Zero, at);
        PhysRange tail = range.Slice(at, range.Length.SubtractChecked(at));

        Assert.That(range.Contains(head) && range.Contains(tail), Is.True);
        Assert.That(head.IsFollowedBy(tail), Is.True);
        Assert.That(End(tail), Is.EqualTo(End(range)));
    }

    [FsCheck.NUnit.Property(Arbitrary = [typeof(MmArbitraries)])]
    public void FromBounds_EndsOfARange_GiveItBack(PhysRange range)
    {
        if (range.TryGetEnd(out PhysAddr end))
        {
            Assert.That(PhysRange.FromBounds(range.Start, end), Is.EqualTo(range));
        }
        else
        {
            Assert.That(End(range), Is.EqualTo((UInt128)1 << 64));
        }
    }

    [FsCheck.NUnit.Property(Arbitrary = [typeof(MmArbitraries)])]
    public void Frames_ThereAndBack_AreTheSame(PfnRange frames)
    {
        Assert.That(frames.ToPhysRange().TryGetFrames(out PfnRange back), Is.True);
        Assert.That(back, Is.EqualTo(frames));
    }

    private static UInt128 End(PhysRange range) => (UInt128)range.Start.Value + range.Length.Value;
}
