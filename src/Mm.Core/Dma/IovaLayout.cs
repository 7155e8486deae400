namespace Mm.Core.Dma;

/// <summary>Lays pieces out in one I/O window and makes segments of them.</summary>
/// <remarks>
/// Pure: works on the caller's pieces alone.
/// <para><b>Linux:</b> the sizing loop of iommu_dma_map_sg, and __finalise_sg (v6.12).</para>
/// </remarks>
internal static class IovaLayout
{
    /// <summary>Gives each ordinary piece its place in the window.</summary>
    /// <param name="pieces">The pieces; their window bytes are set.</param>
    /// <param name="boundary">No segment may cross a multiple of this.</param>
    /// <param name="window">The length of the window; zero when all pieces are bus addresses.</param>
    /// <returns>Ok, or EOVERFLOW: with padding a piece passes 32 bits of length, as in a scatterlist entry.</returns>
    public static Errno TryLayOut(Span<DmaPiece> pieces, ByteCount boundary, out ByteCount window)
    {
        // The window starts on its own size rounded up to a power of two: so either no boundary falls inside it, or
        // it starts on one. Both ways the padding depends on lengths alone, before any address is known.
        ulong mask = boundary.Value - 1;
        ulong total = 0;
        int previous = -1;
        window = default;
        for (int i = 0; i < pieces.Length; i++)
        {
            ref DmaPiece piece = ref pieces[i];
            if (piece.IsBusAddress)
            {
                continue;
            }

            ulong span = piece.PageSpan;
            ulong padding = unchecked(0 - total) & mask; // the distance to the next boundary, 0 on one
            if (span > uint.MaxValue)
            {
                return Errno.EOVERFLOW;
            }

            if (padding != 0 && padding < span)
            {
                ulong padded = pieces[previous].WindowBytes + padding;
                if (padded > uint.MaxValue)
                {
                    return Errno.EOVERFLOW;
                }

                pieces[previous].WindowBytes = padded;
                total += padding;
            }

            piece.WindowBytes = span;
            total += span;
            previous = i;
        }

        window = new ByteCount(total);
        return Errno.Ok;
    }

    /// <summary>Makes the segments: neighbours in the window merge where limits allow, bus addresses never do.</summary>
    /// <param name="pieces">The pieces, laid out.</param>
    /// <param name="start">Where the window starts.</param>
    /// <param name="limits">The device's limits.</param>
    /// <param name="segments">Where to put them; empty to count only.</param>
    /// <returns>How many segments there are, which does not depend on <paramref name="start"/>.</returns>
    public static int MakeSegments(
        ReadOnlySpan<DmaPiece> pieces, DmaAddr start, DmaLimits limits, Span<DmaSegment> segments)
    {
        ulong mask = limits.Boundary.Value - 1;
        ulong at = start.Value;
        ulong length = 0;
        ulong first = 0;
        int count = 0;
        foreach (ref readonly DmaPiece piece in pieces)
        {
            if (piece.IsBusAddress)
            {
                Put(segments, count++, new DmaSegment(piece.BusAddress, new ByteCount(piece.Bytes), IsBusAddress: true));
                length = 0;
                continue;
            }

            bool joins = length != 0 && piece.PageOffset == 0 && (at & mask) != 0
                && limits.MaxSegmentSize.Value - length >= piece.Bytes;
            first = joins ? first : at + piece.PageOffset;
            length = joins ? length + piece.Bytes : piece.Bytes;
            count += joins ? 0 : 1;
            Put(segments, count - 1, new DmaSegment(new DmaAddr(first), new ByteCount(length), IsBusAddress: false));
            at += piece.WindowBytes;

            // Nothing may follow right behind a piece that ends inside its page, or before padding.
            length = (ulong)piece.PageOffset + piece.Bytes < piece.WindowBytes ? 0 : length;
        }

        return count;
    }

    private static void Put(Span<DmaSegment> segments, int index, DmaSegment segment)
    {
        if (index < segments.Length)
        {
            segments[index] = segment;
        }
    }
}
