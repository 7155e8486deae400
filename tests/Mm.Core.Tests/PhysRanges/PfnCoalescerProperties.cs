using FsCheck;
using FsCheck.Fluent;
using Mm.Core.Native;
using Mm.Core.PhysRanges;
using Mm.Testing.Generators;

namespace Mm.Core.Tests.PhysRanges;

[TestFixture]
internal sealed class PfnCoalescerProperties
{
    [FsCheck.NUnit.Property(MaxTest = 300)]
    public Property Coalesce_AtEveryLevel_EqualsTheNaiveLoop() => Prop.ForAll(Arb.From(FrameRuns), static frames =>
    {
        List<PhysRange> expected = [];
        foreach (Pfn frame in frames)
        {
            var page = new PhysRange(frame.Address, PageSize.Small.Bytes);
            if (expected.Count > 0 && expected[^1].IsFollowedBy(page))
            {
                expected[^1] = new PhysRange(expected[^1].Start, expected[^1].Length.AddChecked(page.Length));
                continue;
            }

            expected.Add(page);
        }

        foreach (VectorLevel level in NaiveRanges.Levels)
        {
            var into = new PhysRange[frames.Length + PfnCoalescer.Slack];
            int count = PfnCoalescer.Coalesce(level, frames, into, out FrameBounds bounds);
            Assert.That(into[..count], Is.EqualTo(expected), $"{level}");
            Assert.That((bounds.First, bounds.Last), Is.EqualTo((frames.Min(), frames.Max())), $"{level}");
        }
    });

    [FsCheck.NUnit.Property(MaxTest = 300)]
    public Property Coalesce_AFrameWithoutAnAddress_ShowsInTheBounds() => Prop.ForAll(
        Arb.From(FrameRuns),
        Arb.From(Gen.Choose(0, 100)),
        Arb.From(MmArbitraries.BoundaryNumbers.Where(static number => number > Pfn.MaxValue.Value)),
        static (frames, place, bad) =>
        {
            Pfn[] broken = [.. frames];
            broken[place % broken.Length] = new Pfn(bad);
            foreach (VectorLevel level in NaiveRanges.Levels)
            {
                var into = new PhysRange[frames.Length + PfnCoalescer.Slack];
                _ = PfnCoalescer.Coalesce(level, broken, into, out FrameBounds bounds);
                Assert.That(bounds.HaveAddresses, Is.False, $"{level}");
            }
        });

    // Consecutive frames up to and over the top of the word: every step is 1, so only the bounds can tell.
    [Test]
    public void Coalesce_FramesThatWrap_ShowInTheBounds([Values(8, 9, 16, 17, 40)] int count, [Values] bool isSigned)
    {
        ulong start = unchecked((isSigned ? 1UL << 63 : 0) - ((ulong)count / 2)); // half below the border, half above
        Pfn[] frames = [.. Enumerable.Range(0, count).Select(index => new Pfn(unchecked(start + (ulong)index)))];
        foreach (VectorLevel level in NaiveRanges.Levels)
        {
            _ = PfnCoalescer.Coalesce(level, frames, new PhysRange[count + PfnCoalescer.Slack], out FrameBounds bounds);
            Assert.That(bounds.HaveAddresses, Is.False, $"{level}");
        }
    }

    [Test]
    public void Coalesce_NoFramesOrNoRoom_Throws()
    {
        Assert.That(
            static () => PfnCoalescer.Coalesce(VectorLevel.Scalar, [], new PhysRange[20], out _), Throws.ArgumentException);
        Assert.That(
            static () => PfnCoalescer.Coalesce(
                VectorLevel.Scalar, NaiveRanges.Pfns(1, 2), new PhysRange[1 + PfnCoalescer.Slack], out _),
            Throws.ArgumentException);
    }

    // Runs of 1 to 30 frames, whose borders meet the borders of vectors in every way; some runs touch by chance.
    private static Gen<Pfn[]> FrameRuns =>
        from runs in (from gap in Gen.Frequency((1, Gen.Constant(0)), (6, Gen.Choose(-40, 40)))
                      from length in Gen.Frequency((3, Gen.Constant(1)), (2, Gen.Choose(1, 30)))
                      select (gap, length)).NonEmptyListOf()
        from start in Gen.Elements(1UL << 20, 5000UL, Pfn.MaxValue.Value - 3000, (1UL << 32) - 20)
        select Frames(start, runs);

    private static Pfn[] Frames(ulong start, IEnumerable<(int Gap, int Length)> runs)
    {
        var frames = new List<Pfn>();
        ulong next = start;
        foreach ((int gap, int length) in runs)
        {
            next = Math.Min(unchecked(next + (ulong)(long)gap), Pfn.MaxValue.Value - 30); // a negative gap goes back
            for (int index = 0; index < length; index++)
            {
                frames.Add(new Pfn(next++));
            }
        }

        return [.. frames];
    }
}
