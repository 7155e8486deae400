namespace Mm.Core.PhysRanges;

/// <summary>A buffer in an array of pages: starts at an offset in the first one, and ends in the last.</summary>
/// <remarks><b>Linux:</b> the arguments n_pages, offset and size of sg_alloc_table_from_pages_segment() (v6.12).</remarks>
/// <param name="PageTotal">How many pages.</param>
/// <param name="Offset">Where in the first page the buffer starts.</param>
/// <param name="Size">The bytes of the buffer.</param>
internal readonly record struct PageSpan(int PageTotal, ByteCount Offset, ByteCount Size)
{
    private static ulong PageBytes => PageSize.Small.Bytes.Value;

    /// <summary>Whether the buffer is all bytes of its pages.</summary>
    internal bool IsWhole => Offset.IsZero && Size.Value == (ulong)PageTotal * PageBytes;

    /// <summary>Throws unless the buffer starts in the first page and ends in the last; no pages hold no bytes.</summary>
    /// <param name="pageTotal">How many pages.</param>
    /// <param name="offset">Where in the first page the buffer starts.</param>
    /// <param name="size">The bytes of the buffer.</param>
    /// <exception cref="ArgumentOutOfRangeException">It does not.</exception>
    internal static void ThrowIfNotIn(int pageTotal, ByteCount offset, ByteCount size)
    {
        if (offset.Value >= PageBytes)
        {
            throw new ArgumentOutOfRangeException(nameof(offset), offset, $"offset must be in [0, 0x{PageBytes:x})");
        }

        ulong upper = (ulong)pageTotal * PageBytes; // an array's length times 4096 stays far below 2^64
        ulong lower = pageTotal > 0 ? upper - PageBytes : 0;
        bool endsInLast = pageTotal == 0
            ? offset.IsZero && size.IsZero
            : size.Value <= upper && offset.Value + size.Value > lower && offset.Value + size.Value <= upper && !size.IsZero;
        if (!endsInLast)
        {
            throw new ArgumentOutOfRangeException(
                nameof(size), size, $"offset + size must end in the last of {pageTotal} pages, in (0x{lower:x}, 0x{upper:x}]");
        }
    }

    /// <summary>The part of one page that the buffer takes.</summary>
    /// <param name="index">Which page, in [0, <see cref="PageTotal"/>).</param>
    /// <returns>The part's offset in the page, and its size.</returns>
    internal (ByteCount Offset, ByteCount Size) PartOf(int index)
    {
        ulong start = index == 0 ? Offset.Value : 0;
        ulong end = index == PageTotal - 1
            ? Offset.Value + Size.Value - ((ulong)index * PageBytes)
            : PageBytes;
        return (new ByteCount(start), new ByteCount(end - start));
    }
}
