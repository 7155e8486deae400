using Mm.Core.Native;
using Mm.Core.PhysRanges;
using Mm.Testing.Generators;

namespace Mm.Core.Tests.PhysRanges;

/// <summary>The naive truth: a list is the sequence of its bytes, each with its address and owner.</summary>
internal static class NaiveRanges
{
    /// <summary>The vector levels that this processor runs.</summary>
    internal static VectorLevel[] Levels { get; } =
        [.. Enum.GetValues<VectorLevel>().Where(static level => level <= Vectors.Supported)];

    internal static IEnumerable<PhysAddr> BytesOf(PhysRange range)
    {
        for (ulong offset = 0; offset < range.Length.Value; offset++)
        {
            yield return new PhysAddr(range.Start.Value + offset);
        }
    }

    internal static List<(PhysAddr Address, RangeOwner Owner)> BytesOf(PhysRangeList list)
    {
        var bytes = new List<(PhysAddr, RangeOwner)>();
        for (int index = 0; index < list.Count; index++)
        {
            RangeOwner owner = list.OwnerOf(index);
            bytes.AddRange(BytesOf(list[index]).Select(address => (address, owner)));
        }

        return bytes;
    }

    /// <summary>The bytes of a range with their owners; null when a byte has none.</summary>
    internal static List<(PhysAddr Address, RangeOwner Owner)>? BytesOf(RangeSpace space, PhysRange range)
    {
        var bytes = new List<(PhysAddr, RangeOwner)>();
        foreach (PhysAddr address in BytesOf(range))
        {
            if (space.OwnerOf(address) is not { } owner)
            {
                return null;
            }

            bytes.Add((address, owner));
        }

        return bytes;
    }

    /// <summary>The ranges that bytes make when every pair of touching neighbours with one owner is merged.</summary>
    internal static List<(PhysRange Range, RangeOwner Owner)> Merge(IEnumerable<(PhysAddr Address, RangeOwner Owner)> bytes)
    {
        var merged = new List<(PhysRange Range, RangeOwner Owner)>();
        foreach ((PhysAddr address, RangeOwner owner) in bytes)
        {
            var one = new PhysRange(address, new ByteCount(1));
            if (merged.Count > 0 && ReferenceEquals(merged[^1].Owner, owner) && merged[^1].Range.IsFollowedBy(one))
            {
                PhysRange last = merged[^1].Range;
                merged[^1] = (new PhysRange(last.Start, last.Length.AddChecked(one.Length)), owner);
                continue;
            }

            merged.Add((one, owner));
        }

        return merged;
    }

    internal static List<(PhysRange Range, RangeOwner Owner)> RangesOf(PhysRangeList list) =>
        [.. Enumerable.Range(0, list.Count).Select(index => (list[index], list.OwnerOf(index)))];

    /// <summary>Holds a list against its documented invariants 1 to 4.</summary>
    internal static void AssertInvariants(PhysRangeList list)
    {
        ulong sum = 0;
        foreach (PhysRange range in list)
        {
            Assert.That(range.IsEmpty, Is.False, "invariant 1");
            sum += range.Length.Value;
        }

        Assert.That(list.Length.Value, Is.EqualTo(sum), "invariant 2");
        int next = 0;
        RangeOwner? before = null;
        foreach (OwnerRun run in list.OwnerRuns)
        {
            Assert.That((run.FirstRange, run.RangeCount > 0), Is.EqualTo((next, true)), "invariant 4");
            Assert.That(run.Owner, Is.Not.SameAs(before), "invariant 4");
            next += run.RangeCount;
            before = run.Owner;
        }

        Assert.That(next, Is.EqualTo(list.Count), "invariant 4");
    }

    internal static PhysRange Range(ulong start, ulong length) => new(new PhysAddr(start), new ByteCount(length));

    internal static Pfn[] Pfns(params ulong[] numbers) => [.. numbers.Select(static number => new Pfn(number))];
}
