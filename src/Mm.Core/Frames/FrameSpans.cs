namespace Mm.Core.Frames;

/// <summary>Which frames have metadata: the spans, sorted by frame.</summary>
/// <remarks>
/// <b>Linux:</b> pfn_valid and the section table (v6.12).
/// <para><b>Invariants:</b> (1) spans are sorted and do not overlap.</para>
/// <para>Immutable: adding and removing make a new one. Safe from any thread.</para>
/// </remarks>
internal sealed class FrameSpans
{
    private readonly FrameSpan[] spans;

    internal FrameSpans(IEnumerable<FrameSpan> spans) => this.spans = [.. spans.OrderBy(span => span.Start)];

    /// <summary>All spans, by frame.</summary>
    internal IReadOnlyList<FrameSpan> All => spans;

    /// <summary>The span of a frame.</summary>
    /// <param name="frame">The frame's number.</param>
    /// <returns>The span; null for a frame without metadata.</returns>
    internal FrameSpan? Find(ulong frame)
    {
        int low = 0;
        int high = spans.Length;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (spans[middle].Start <= frame)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return low > 0 && frame < spans[low - 1].End ? spans[low - 1] : null;
    }

    /// <summary>Whether any span shares a frame with a range.</summary>
    /// <param name="range">The range.</param>
    /// <returns>The first such span; null when there is none.</returns>
    internal FrameSpan? FindOverlap(PfnRange range) => Array.Find(spans, span => span.Range.Overlaps(range));

    /// <summary>The same with one span more.</summary>
    /// <param name="span">The span; overlaps none.</param>
    /// <returns>The new list.</returns>
    internal FrameSpans With(FrameSpan span) => new([.. spans, span]);

    /// <summary>The same without one span.</summary>
    /// <param name="span">The span.</param>
    /// <returns>The new list.</returns>
    internal FrameSpans Without(FrameSpan span) => new(spans.Where(other => !ReferenceEquals(other, span)));
}
