using FsCheck;
using FsCheck.Fluent;
using Mm.Core;
using Mm.Core.PhysRanges;

namespace Mm.Testing.Generators;

/// <summary>Generators for range lists: small spaces of owners, and what to append in them.</summary>
/// <remarks>
/// Spaces start at 0, in the middle, or end at 2^64, so that both borders of the address space are met in every run.
/// Registered by <c>[Property(Arbitrary = [typeof(PhysRangeArbitraries)])]</c>.
/// </remarks>
public static class PhysRangeArbitraries
{
    private const int MaxGranules = 40;

    private static readonly RangeOwner[] KnownOwners = MakeOwners();

    /// <summary>Segment limits: none, small sizes, boundaries, batches and alignments.</summary>
    public static Gen<SegmentLimits> Limits { get; } =
        from alignmentShift in Gen.Frequency((3, Gen.Constant(0)), (1, Gen.Choose(1, 4)))
        from size in Gen.Frequency((1, Gen.Constant(ulong.MaxValue)), (4, Gen.Choose(1, 70).Select(size => (ulong)size)))
        from boundaryShift in Gen.Frequency((1, Gen.Constant(-1)), (3, Gen.Choose(0, 7)))
        from batch in Gen.Frequency((1, Gen.Constant(int.MaxValue)), (2, Gen.Choose(1, 5)))
        let alignment = 1UL << alignmentShift
        let boundary = boundaryShift < 0 ? 0 : Math.Max(1UL << boundaryShift, alignment)
        select new SegmentLimits(
            new ByteCount(Math.Max(size, alignment)), new ByteCount(boundary), batch, new ByteCount(alignment));

    /// <summary>A space of 8-byte granules with ranges in it, to append one after the other.</summary>
    /// <returns>The arbitrary.</returns>
    public static Arbitrary<RangeScript> ByteScripts() => Arb.From(Scripts(8), Shrink);

    /// <summary>A space of pages with frames in it, to append one after the other.</summary>
    /// <returns>The arbitrary.</returns>
    public static Arbitrary<FrameScript> FrameScripts() => Arb.From(
        from space in Spaces(PageSize.Small.Bytes.Value)
        from runs in Runs(space.Owners.Count).ListOf()
        from cut in Gen.Choose(0, 20)
        select new FrameScript(space, ToFrames(space, runs), cut),
        script => script.Frames.Length == 0
            ? []
            : Halves(script.Frames).Select(frames => script with { Frames = frames }));

    /// <summary>Disjoint ranges in ascending order, some touching, at most 300.</summary>
    /// <returns>The arbitrary.</returns>
    public static Arbitrary<DisjointRanges> DisjointRangeSets() => Arb.From(
        from count in Gen.Frequency((4, Gen.Choose(0, 20)), (2, Gen.Choose(20, 300)))
        from place in Gen.Choose(0, 2)
        from steps in Gen.Choose(0, 9).ArrayOf(2 * count)
        select new DisjointRanges(Place(steps, place)),
        set => Halves(set.Ranges).Select(static ranges => new DisjointRanges(ranges)));

    private static RangeOwner[] MakeOwners()
    {
        var everywhere = new PhysRange(PhysAddr.Zero, ByteCount.MaxValue);
        return
        [
            RangeOwner.Ram,
            RangeOwner.ForPagemap("fs-dax"),
            RangeOwner.ForPagemap("p2p-a", new FakeProvider("bar a", everywhere)),
            RangeOwner.ForPagemap("p2p-b", new FakeProvider("bar b", everywhere)),
            RangeOwner.ForProvider(new FakeProvider("bar c", everywhere)),
            RangeOwner.ForDeviceWindow("doorbells"),
        ];
    }

    // Owners come in stretches, as in real address maps; one in ten is nobody.
    private static Gen<RangeSpace> Spaces(ulong granule) =>
        from stretches in (from owner in Gen.Frequency((9, Gen.Elements(KnownOwners)), (1, Gen.Constant<RangeOwner>(null!)))
                           from length in Gen.Choose(1, 12)
                           select Enumerable.Repeat<RangeOwner?>(owner, length)).NonEmptyListOf()
        from place in Gen.Choose(0, 2)
        from maxExtent in Gen.Elements(1, 6, 1000)
        let owners = stretches.SelectMany(static stretch => stretch).Take(MaxGranules).ToArray()
        select new RangeSpace(StartOf(place, (ulong)owners.Length * granule), new ByteCount(granule), owners, maxExtent);

    private static PhysAddr StartOf(int place, ulong size) => new(place switch
    {
        0 => 0,
        1 => 1UL << 40,
        _ => unchecked(0 - size), // ends at 2^64
    });

    private static Gen<RangeScript> Scripts(ulong granule) =>
        from space in Spaces(granule)
        from ranges in RangesIn(space).ListOf()
        select new RangeScript(space, [.. ranges]);

    // A range goes on where the last one ended about every other time, so that merging has work.
    private static Gen<PhysRange> RangesIn(RangeSpace space) =>
        from start in Gen.Choose(0, (int)space.Whole.Length.Value)
        from snap in Gen.Choose(0, 2)
        from length in Gen.Choose(0, 40)
        let begin = snap == 0 ? start : start / 16 * 16
        let size = Math.Min(snap == 2 ? 16 : length, (int)space.Whole.Length.Value - begin)
        select space.Whole.Slice(new ByteCount((ulong)begin), new ByteCount((ulong)size));

    private static Gen<(int First, int Count)> Runs(int pages) =>
        from first in Gen.Choose(0, pages - 1)
        from count in Gen.Frequency((2, Gen.Constant(1)), (1, Gen.Choose(1, 20)))
        select (first, Math.Min(count, pages - first));

    private static Pfn[] ToFrames(RangeSpace space, IEnumerable<(int First, int Count)> runs) =>
        [.. runs.SelectMany(run => Enumerable.Range(run.First, run.Count))
            .Select(page => space.Start.Pfn.AddChecked(new PageCount((ulong)page)))];

    private static PhysRange[] Place(int[] steps, int place)
    {
        ulong total = (ulong)steps.Sum() + (ulong)(steps.Length / 2);
        ulong next = StartOf(place, total).Value;
        var ranges = new PhysRange[steps.Length / 2];
        for (int index = 0; index < ranges.Length; index++)
        {
            next += (ulong)steps[2 * index];
            var length = new ByteCount((ulong)steps[(2 * index) + 1] + 1);
            ranges[index] = new PhysRange(new PhysAddr(next), length);
            next = unchecked(next + length.Value); // the last may end at 2^64
        }

        return ranges;
    }

    private static IEnumerable<RangeScript> Shrink(RangeScript script) =>
        Halves(script.Ranges).Select(ranges => script with { Ranges = ranges });

    private static IEnumerable<T[]> Halves<T>(T[] items)
    {
        if (items.Length > 1)
        {
            yield return items[..(items.Length / 2)];
            yield return items[(items.Length / 2)..];
        }

        if (items.Length is > 0 and <= 12)
        {
            for (int index = 0; index < items.Length; index++)
            {
                yield return [.. items[..index], .. items[(index + 1)..]];
            }
        }
    }
}
