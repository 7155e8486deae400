using FsCheck;
using FsCheck.Fluent;
using Mm.Core.PhysRanges;
using Mm.Testing.Generators;

namespace Mm.Core.Tests.PhysRanges;

[TestFixture]
internal sealed class PhysRangeCursorProperties
{
    [FsCheck.NUnit.Property(MaxTest = 300)]
    public Property Pieces_UnderAnyLimits_AreTheListAndBreakNone() => Prop.ForAll(
        PhysRangeArbitraries.ByteScripts(),
        Arb.From(PhysRangeArbitraries.Limits),
        static (script, limits) =>
        {
            using PhysRangeList list = Build(script);
            List<(PhysAddr, RangeOwner)> bytes = NaiveRanges.BytesOf(list);
            var cursor = new PhysRangeCursor(list, limits);
            int given = 0;
            int inBatch = 0;
            while (true)
            {
                if (!cursor.TryNext(out PhysRange piece))
                {
                    if (cursor.Stop != CursorStop.BatchFull)
                    {
                        break;
                    }

                    Assert.That(inBatch, Is.EqualTo(limits.MaxSegments));
                    cursor.StartBatch();
                    inBatch = 0;
                    continue;
                }

                inBatch++;
                AssertWithin(limits, piece);
                foreach (PhysAddr address in NaiveRanges.BytesOf(piece))
                {
                    Assert.That((address, cursor.Owner), Is.EqualTo(bytes[given++]));
                }

                Assert.That(cursor.Position.Value, Is.EqualTo((ulong)given));
            }

            bool isAligned = list.Ranges.ToArray().All(range => limits.IsAligned(range));
            Assert.That(cursor.Stop, Is.EqualTo(isAligned ? CursorStop.End : CursorStop.Misaligned));
            Assert.That((cursor.IsAtEnd, given == bytes.Count), Is.EqualTo((isAligned, isAligned)));
        });

    // Greedy: a piece ends only where its range does, at the size limit or at a boundary.
    [FsCheck.NUnit.Property(MaxTest = 300)]
    public Property Pieces_UnderAnyLimits_AreAsLongAsTheyMayBe() => Prop.ForAll(
        PhysRangeArbitraries.ByteScripts(),
        Arb.From(PhysRangeArbitraries.Limits),
        static (script, limits) =>
        {
            using PhysRangeList list = Build(script);
            var cursor = new PhysRangeCursor(list, limits);
            ulong end = 0;
            HashSet<ulong> rangeEnds = [.. list.Ranges.ToArray().Select(range => end += range.Length.Value)];
            while (cursor.TryNext(out PhysRange piece))
            {
                cursor.StartBatch();
                bool isFull = piece.Length.Value + limits.Alignment.Value > limits.MaxSegmentSize.Value;
                bool isAtBoundary = !limits.Boundary.IsZero
                    && unchecked(piece.Start.Value + piece.Length.Value) % limits.Boundary.Value == 0; // 2^64 is a multiple too
                Assert.That(isFull || isAtBoundary || rangeEnds.Contains(cursor.Position.Value), Is.True, $"{piece}");
            }
        });

    private static PhysRangeList Build(RangeScript script)
    {
        var builder = new PhysRangeListBuilder(script.Space);
        foreach (PhysRange range in script.Ranges)
        {
            _ = builder.TryAppend(range);
        }

        return builder.Build();
    }

    private static void AssertWithin(SegmentLimits limits, PhysRange piece)
    {
        Assert.That(piece.IsEmpty, Is.False);
        Assert.That(piece.Length, Is.LessThanOrEqualTo(limits.MaxSegmentSize));
        Assert.That((piece.Start.Value | piece.Length.Value) % limits.Alignment.Value, Is.Zero);
        if (!limits.Boundary.IsZero)
        {
            ulong last = piece.Start.Value + (piece.Length.Value - 1);
            Assert.That(last / limits.Boundary.Value, Is.EqualTo(piece.Start.Value / limits.Boundary.Value));
        }
    }
}
