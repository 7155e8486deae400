using Mm.Testing.Generators;

namespace Mm.Core.Tests;

/// <summary>A range of frames behaves as the range of its addresses does.</summary>
public sealed class PfnRangeProperties
{
    [FsCheck.NUnit.Property(Arbitrary = [typeof(MmArbitraries)])]
    public bool Contains_Frame_AgreesWithItsAddress(PfnRange range, Pfn frame) =>
        range.Contains(frame) == (frame >= range.Start && frame.Value < range.Start.Value + range.Count.Value);

    [FsCheck.NUnit.Property(Arbitrary = [typeof(MmArbitraries)])]
    public bool Contains_Range_AgreesWithAddresses(PfnRange range, PfnRange other) =>
        range.Contains(other) == range.ToPhysRange().Contains(other.ToPhysRange());

    [FsCheck.NUnit.Property(Arbitrary = [typeof(MmArbitraries)])]
    public bool Overlaps_Pair_AgreesWithAddresses(PfnRange left, PfnRange right) =>
        left.Overlaps(right) == left.ToPhysRange().Overlaps(right.ToPhysRange());
}
