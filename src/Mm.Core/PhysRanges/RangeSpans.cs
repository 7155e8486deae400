namespace Mm.Core.PhysRanges;

/// <summary>Questions about spans of ranges that need no list.</summary>
internal static class RangeSpans
{
    /// <summary>Whether two sequences of non-empty ranges name the same bytes in the same order.</summary>
    /// <param name="left">One sequence.</param>
    /// <param name="right">The other.</param>
    /// <returns>Whether they do, however either is split.</returns>
    internal static bool AreSameBytes(ReadOnlySpan<PhysRange> left, ReadOnlySpan<PhysRange> right)
    {
        int nextLeft = 0;
        int nextRight = 0;
        PhysRange a = default;
        PhysRange b = default;
        while (TryRefill(left, ref nextLeft, ref a) & TryRefill(right, ref nextRight, ref b))
        {
            if (a.Start != b.Start)
            {
                return false;
            }

            ByteCount step = a.Length < b.Length ? a.Length : b.Length;
            a = a.Slice(step, a.Length.SubtractChecked(step));
            b = b.Slice(step, b.Length.SubtractChecked(step));
        }

        return a.IsEmpty && b.IsEmpty;
    }

    // Takes the next range when the current one is used up; false when there is no more.
    private static bool TryRefill(ReadOnlySpan<PhysRange> ranges, ref int next, ref PhysRange current)
    {
        if (current.IsEmpty && next < ranges.Length)
        {
            current = ranges[next++];
        }

        return !current.IsEmpty;
    }
}
