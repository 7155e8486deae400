using Mm.Core.Dma;

namespace Mm.Core.Tests.Dma;

public sealed class IovaLayoutTests
{
    private const ulong Base = 0x8000_0000;

    [Test]
    public void MakeSegments_WholePages_MergeUpToTheSegmentSize() =>
        Assert.That(
            Segments(new DmaLimits(new ByteCount(0x2000), ByteCount.FromGiB(4)), Ram(0x1000, 0x1000), Ram(0x9000, 0x1000), Ram(0x5000, 0x1000)),
            Is.EqualTo(new[] { Segment(Base, 0x2000), Segment(Base + 0x2000, 0x1000) }));

    [Test]
    public void MakeSegments_FirstStartsInsideItsPage_NextStillMerges() =>
        Assert.That(
            Segments(default, Ram(0x1800, 0x800), Ram(0x9000, 0x1000)),
            Is.EqualTo(new[] { Segment(Base + 0x800, 0x1800) }));

    [Test]
    public void MakeSegments_PieceEndsInsideItsPage_NextStartsAnew() =>
        Assert.That(
            Segments(default, Ram(0x1000, 0x800), Ram(0x9000, 0x1000)),
            Is.EqualTo(new[] { Segment(Base, 0x800), Segment(Base + 0x1000, 0x1000) }));

    [Test]
    public void MakeSegments_PieceStartsInsideItsPage_StartsAnew() =>
        Assert.That(
            Segments(default, Ram(0x1000, 0x1000), Ram(0x9200, 0x200)),
            Is.EqualTo(new[] { Segment(Base, 0x1000), Segment(Base + 0x1200, 0x200) }));

    [Test]
    public void MakeSegments_BusAddressBetween_IsNeverMergedAndTakesNoWindow() =>
        Assert.That(
            Segments(default, Ram(0x1000, 0x1000), Bus(0x7000, 0x1000), Bus(0x8000, 0x1000), Ram(0x2000, 0x1000)),
            Is.EqualTo(new[]
            {
                Segment(Base, 0x1000),
                new DmaSegment(new DmaAddr(0x7000), new ByteCount(0x1000), true),
                new DmaSegment(new DmaAddr(0x8000), new ByteCount(0x1000), true),
                Segment(Base + 0x1000, 0x1000),
            }));

    [Test]
    public void TryLayOut_PieceWouldCrossTheBoundary_PadsThePreviousOne()
    {
        DmaPiece[] pieces = [Ram(0x1000, 0x3000), Ram(0x9000, 0x2000)];
        Assert.That(IovaLayout.TryLayOut(pieces, new ByteCount(0x4000), out ByteCount window), Is.EqualTo(Errno.Ok));
        Assert.That((pieces[0].WindowBytes, pieces[1].WindowBytes), Is.EqualTo((0x4000UL, 0x2000UL)));
        Assert.That(window.Value, Is.EqualTo(0x6000));
    }

    [Test]
    public void TryLayOut_PieceEndsOnTheBoundary_IsNotPadded()
    {
        DmaPiece[] pieces = [Ram(0x1000, 0x2000), Ram(0x9000, 0x2000)];
        Assert.That(IovaLayout.TryLayOut(pieces, new ByteCount(0x4000), out ByteCount window), Is.EqualTo(Errno.Ok));
        Assert.That(window.Value, Is.EqualTo(0x4000));
    }

    [Test]
    public void TryLayOut_PaddedLengthPasses32Bits_IsEOVERFLOW()
    {
        DmaPiece[] pieces = [Ram(0, 0xffff_f000), Ram(0x2_0000_0000, 0x2000)];
        Assert.That(IovaLayout.TryLayOut(pieces, ByteCount.FromGiB(4), out _), Is.EqualTo(Errno.EOVERFLOW));
    }

    [Test]
    public void TryLayOut_RoundedLengthPasses32Bits_IsEOVERFLOW()
    {
        DmaPiece[] pieces = [Ram(0x800, 0xffff_f000)];
        Assert.That(IovaLayout.TryLayOut(pieces, ByteCount.FromGiB(8), out _), Is.EqualTo(Errno.EOVERFLOW));
    }

    [Test]
    public void TryLayOut_BusAddressesOnly_NeedsNoWindow()
    {
        DmaPiece[] pieces = [Bus(0x1000, 0x1000), Bus(0x9000, 0x200)];
        Assert.That(IovaLayout.TryLayOut(pieces, ByteCount.FromGiB(4), out ByteCount window), Is.EqualTo(Errno.Ok));
        Assert.That(window.IsZero, Is.True);
    }

    private static DmaSegment[] Segments(DmaLimits limits, params DmaPiece[] pieces)
    {
        IovaLayout.TryLayOut(pieces, limits.Boundary, out _).ThrowIfError();
        var segments = new DmaSegment[IovaLayout.MakeSegments(pieces, DmaAddr.Zero, limits, [])];
        _ = IovaLayout.MakeSegments(pieces, new DmaAddr(Base), limits, segments);
        return segments;
    }

    private static DmaSegment Segment(ulong start, ulong length) => new(new DmaAddr(start), new ByteCount(length), false);

    private static DmaPiece Ram(ulong start, uint bytes) => new() { Start = new PhysAddr(start), Bytes = bytes };

    private static DmaPiece Bus(ulong start, uint bytes) =>
        new() { Start = new PhysAddr(start), Bytes = bytes, IsBusAddress = true, BusAddress = new DmaAddr(start) };
}
