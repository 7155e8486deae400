using Mm.Core.PhysRanges;
using static Mm.Core.Tests.PhysRanges.NaiveRanges;

namespace Mm.Core.Tests.PhysRanges;

[TestFixture]
internal sealed class PhysRangeCursorTests
{
    [Test]
    public void Default_IsAtTheEndOfNoList()
    {
        PhysRangeCursor cursor = default;
        Assert.That((cursor.TryNext(out _), cursor.Stop, cursor.IsAtEnd), Is.EqualTo((false, CursorStop.End, true)));
        Assert.That(() => default(PhysRangeCursor).Owner, Throws.InvalidOperationException);
    }

    [Test]
    public void Pieces_WithoutLimits_AreTheRanges() =>
        Assert.That(Pieces(SegmentLimits.None, Range(3, 9), Range(100, ulong.MaxValue - 200)), Is.EqualTo(
            new[] { Range(3, 9), Range(100, ulong.MaxValue - 200) }));

    [Test]
    public void Pieces_AtBothBordersOfTheAddressSpace_EndAtBoundaries() =>
        Assert.That(
            Pieces(new SegmentLimits(new ByteCount(0x1800), new ByteCount(0x1000)), Range(0, 0x1800), Range(ulong.MaxValue - 0x17ff, 0x1800)),
            Is.EqualTo(new[] { Range(0, 0x1000), Range(0x1000, 0x800), Range(ulong.MaxValue - 0x17ff, 0x800), Range(ulong.MaxValue - 0xfff, 0x1000) }));

    [Test]
    public void Pieces_OfAnAlignment_AreCutAtItsMultiples() =>
        Assert.That(
            Pieces(new SegmentLimits(new ByteCount(1000), alignment: new ByteCount(512)), Range(0x200, 0x600)),
            Is.EqualTo(new[] { Range(0x200, 0x200), Range(0x400, 0x200), Range(0x600, 0x200) }));

    [TestCase(0x201UL, 0x200UL)]
    [TestCase(0x200UL, 0x201UL)]
    public void Range_OffTheAlignment_StopsTheCursorBeforeIt(ulong start, ulong length)
    {
        using PhysRangeList list = Build(Range(0, 0x200), Range(start, length));
        var cursor = new PhysRangeCursor(list, new SegmentLimits(ByteCount.MaxValue, alignment: new ByteCount(512)));
        if (list.Count == 2)
        {
            Assert.That(cursor.TryNext(out _), Is.True);
        }

        Assert.That((cursor.TryNext(out PhysRange piece), cursor.Stop, piece), Is.EqualTo((false, CursorStop.Misaligned, default(PhysRange))));
        Assert.That(cursor.IsAtEnd, Is.False);
    }

    [Test]
    public void Batch_ThatIsFull_GoesOnAfterStartBatch()
    {
        using PhysRangeList list = Build(Range(0, 10));
        var cursor = new PhysRangeCursor(list, new SegmentLimits(new ByteCount(4), maxSegments: 2));
        Assert.That(cursor.TryNext(out _) && cursor.TryNext(out _), Is.True);
        Assert.That((cursor.TryNext(out _), cursor.Stop, cursor.BatchCount), Is.EqualTo((false, CursorStop.BatchFull, 2)));
        cursor.StartBatch();
        Assert.That((cursor.TryNext(out PhysRange last), last), Is.EqualTo((true, Range(8, 2))));
        Assert.That((cursor.TryNext(out _), cursor.Stop), Is.EqualTo((false, CursorStop.End)));
    }

    [Test]
    public void Copy_IsASecondPosition()
    {
        using PhysRangeList list = Build(Range(0, 10));
        var cursor = new PhysRangeCursor(list, new SegmentLimits(new ByteCount(4)));
        Assert.That(cursor.TryNext(out _), Is.True);
        PhysRangeCursor saved = cursor;
        Assert.That(cursor.TryNext(out PhysRange once), Is.True);
        Assert.That((saved.TryNext(out PhysRange again), again), Is.EqualTo((true, once)));
    }

    [Test]
    public void List_Disposed_EndsTheCursor()
    {
        PhysRangeList list = Build(Range(0, 10));
        var cursor = new PhysRangeCursor(list, SegmentLimits.None);
        list.Dispose();
        Assert.That(() => cursor.TryNext(out _), Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(static () => new PhysRangeCursor(null!, SegmentLimits.None), Throws.ArgumentNullException);
    }

    [TestCase(0UL, 0UL, 1, 0UL)]
    [TestCase(8UL, 3UL, 1, 0UL)]
    [TestCase(8UL, 0UL, 0, 0UL)]
    [TestCase(8UL, 0UL, 1, 6UL)]
    [TestCase(8UL, 0UL, 1, 16UL)]
    [TestCase(32UL, 8UL, 1, 16UL)]
    public void Limits_ThatContradict_Throw(ulong size, ulong boundary, int count, ulong alignment) =>
        Assert.That(
            () => new SegmentLimits(new ByteCount(size), new ByteCount(boundary), count, new ByteCount(alignment)),
            Throws.InstanceOf<ArgumentOutOfRangeException>());

    [Test]
    public void Limits_ReadBack()
    {
        var limits = new SegmentLimits(new ByteCount(100), new ByteCount(64), 7, new ByteCount(4));
        Assert.That(
            (limits.MaxSegmentSize.Value, limits.Boundary.Value, limits.MaxSegments, limits.Alignment.Value),
            Is.EqualTo((100UL, 64UL, 7, 4UL)));
        Assert.That(
            (default(SegmentLimits).MaxSegmentSize, default(SegmentLimits).MaxSegments, default(SegmentLimits).Alignment.Value),
            Is.EqualTo((ByteCount.MaxValue, int.MaxValue, 1UL)));
    }

    private static List<PhysRange> Pieces(SegmentLimits limits, params ReadOnlySpan<PhysRange> ranges)
    {
        using PhysRangeList list = Build(ranges);
        var cursor = new PhysRangeCursor(list, limits);
        var pieces = new List<PhysRange>();
        while (cursor.TryNext(out PhysRange piece))
        {
            pieces.Add(piece);
        }

        Assert.That(cursor.Stop, Is.EqualTo(CursorStop.End));
        return pieces;
    }

    private static PhysRangeList Build(params ReadOnlySpan<PhysRange> ranges)
    {
        var builder = new PhysRangeListBuilder(UniformOwnerSource.AllRam);
        Assert.That(builder.TryAppend(ranges), Is.EqualTo(Errno.Ok));
        return builder.Build();
    }
}
