namespace Mm.Core.PhysRanges;

/// <summary>The lowest and the highest of some frame numbers, compared as signed integers, as vectors compare.</summary>
/// <remarks>Every frame that has an address is below 2^52: a negative or larger bound tells of one that has none.</remarks>
/// <param name="Lowest">The lowest.</param>
/// <param name="Highest">The highest.</param>
internal readonly record struct FrameBounds(long Lowest, long Highest)
{
    /// <summary>Whether every frame has an address.</summary>
    internal bool HaveAddresses => Lowest >= 0 && (ulong)Highest <= Pfn.MaxValue.Value;

    /// <summary>The lowest frame's number, where all have addresses.</summary>
    internal Pfn First => new((ulong)Lowest);

    /// <summary>The highest frame's number, where all have addresses.</summary>
    internal Pfn Last => new((ulong)Highest);

    /// <summary>The bounds of these frames and one more.</summary>
    internal FrameBounds Widen(ulong frame)
    {
        long signed = unchecked((long)frame); // the word's bits, as vectors compare them
        return new FrameBounds(Math.Min(Lowest, signed), Math.Max(Highest, signed));
    }

    /// <summary>The bounds of one frame.</summary>
    internal static FrameBounds Of(ulong frame) => new FrameBounds(long.MaxValue, long.MinValue).Widen(frame);
}
