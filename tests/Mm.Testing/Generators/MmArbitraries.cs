using FsCheck;
using FsCheck.Fluent;
using Mm.Core;

namespace Mm.Testing.Generators;

/// <summary>Generators and shrinkers for Mm's words, drawn more often near 0, near powers of two and near the top than chance would.</summary>
/// <remarks>Registered by <c>[Property(Arbitrary = [typeof(MmArbitraries)])]</c>. Everything shrinks toward 0.</remarks>
public static class MmArbitraries
{
    /// <summary>Unsigned 64-bit numbers with a bias to boundaries.</summary>
    public static Gen<ulong> BoundaryNumbers { get; } = Gen.Frequency(
        (3, Gen.Choose(0, 4).Select(distance => (ulong)distance)),
        (2, Gen.Choose(0, 4).Select(distance => ulong.MaxValue - (ulong)distance)),
        (4, from shift in Gen.Choose(1, 63)
            from distance in Gen.Choose(-2, 2)
            select unchecked((1UL << shift) + (ulong)(long)distance)), // a negative distance wraps to below the power
        (3, from page in Gen.Choose(0, int.MaxValue) select (ulong)page << 12),
        (3, Any64()));

    /// <summary>Frames that have an address: 0 to 2^52-1.</summary>
    /// <returns>The arbitrary.</returns>
    public static Arbitrary<Pfn> Pfns() =>
        From(BoundaryNumbers.Select(value => new Pfn(value % (Pfn.MaxValue.Value + 1))), pfn => pfn.Value, value => new Pfn(value));

    /// <summary>Physical addresses.</summary>
    /// <returns>The arbitrary.</returns>
    public static Arbitrary<PhysAddr> PhysAddrs() =>
        From(BoundaryNumbers.Select(value => new PhysAddr(value)), address => address.Value, value => new PhysAddr(value));

    /// <summary>Virtual addresses.</summary>
    /// <returns>The arbitrary.</returns>
    public static Arbitrary<VirtAddr> VirtAddrs() =>
        From(BoundaryNumbers.Select(value => new VirtAddr(value)), address => address.Value, value => new VirtAddr(value));

    /// <summary>DMA addresses.</summary>
    /// <returns>The arbitrary.</returns>
    public static Arbitrary<DmaAddr> DmaAddrs() =>
        From(BoundaryNumbers.Select(value => new DmaAddr(value)), address => address.Value, value => new DmaAddr(value));

    /// <summary>Byte counts.</summary>
    /// <returns>The arbitrary.</returns>
    public static Arbitrary<ByteCount> ByteCounts() =>
        From(BoundaryNumbers.Select(value => new ByteCount(value)), count => count.Value, value => new ByteCount(value));

    /// <summary>Page counts.</summary>
    /// <returns>The arbitrary.</returns>
    public static Arbitrary<PageCount> PageCounts() =>
        From(BoundaryNumbers.Select(value => new PageCount(value)), count => count.Value, value => new PageCount(value));

    /// <summary>Page sizes.</summary>
    /// <returns>The arbitrary.</returns>
    public static Arbitrary<PageSize> PageSizes() =>
        Arb.From(Gen.Elements(PageSize.Small, PageSize.Large, PageSize.Huge));

    /// <summary>Ranges of addresses: empty ones, short ones, and ones that end at the very top.</summary>
    /// <returns>The arbitrary.</returns>
    public static Arbitrary<PhysRange> PhysRanges() => Arb.From(
        from start in BoundaryNumbers
        from length in BoundaryNumbers
        select new PhysRange(new PhysAddr(start), new ByteCount(FitBelowTop(start, length))),
        range => Smaller(range.Start.Value).Select(start => new PhysRange(new PhysAddr(start), range.Length))
            .Concat(Smaller(range.Length.Value).Select(length => new PhysRange(range.Start, new ByteCount(length)))));

    /// <summary>Ranges of frames below 2^52.</summary>
    /// <returns>The arbitrary.</returns>
    public static Arbitrary<PfnRange> PfnRanges() => Arb.From(
        from start in Pfns().Generator
        from count in Pfns().Generator
        select new PfnRange(start, new PageCount(Math.Min(count.Value, Pfn.MaxValue.Value - start.Value + 1))),
        range => Smaller(range.Start.Value).Select(start => new PfnRange(new Pfn(start), range.Count))
            .Concat(Smaller(range.Count.Value).Select(count => new PfnRange(range.Start, new PageCount(count)))));

    /// <summary>NUMA nodes, none among them.</summary>
    /// <returns>The arbitrary.</returns>
    public static Arbitrary<NodeId> NodeIds() => Arb.From(Gen.Frequency(
        (1, Gen.Constant(NodeId.None)),
        (4, Gen.Choose(0, 7).Select(index => new NodeId(index))),
        (1, Gen.Choose(0, NodeId.MaxIndex).Select(index => new NodeId(index)))));

    // 2^64 - start bytes fit; the subtraction is written so that start 0 does not wrap.
    private static ulong FitBelowTop(ulong start, ulong length) =>
        length == 0 ? 0 : Math.Min(length - 1, ulong.MaxValue - start) is ulong last && last < ulong.MaxValue ? last + 1 : last;

    private static Gen<ulong> Any64() =>
        from high in Gen.Choose(int.MinValue, int.MaxValue)
        from low in Gen.Choose(int.MinValue, int.MaxValue)
        select unchecked(((ulong)(uint)high << 32) | (uint)low); // the bits of two ints, sign and all

    private static Arbitrary<T> From<T>(Gen<T> generator, Func<T, ulong> valueOf, Func<ulong, T> make) =>
        Arb.From(generator, value => Smaller(valueOf(value)).Select(make));

    private static IEnumerable<ulong> Smaller(ulong value)
    {
        for (ulong step = value; step > 0; step /= 2)
        {
            yield return value - step;
        }
    }
}
