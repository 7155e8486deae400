namespace Mm.Core;

/// <summary>A half-open range of frames, <c>[start, start+count)</c>.</summary>
/// <remarks>
/// Owns nothing: it names frames, not references to them.
/// <para><b>Invariants:</b> (1) start + count is at most 2^64.</para>
/// <para><c>default</c> is the empty range at frame 0. Immutable.</para>
/// </remarks>
public readonly record struct PfnRange
{
    /// <summary>Makes the range <c>[start, start+count)</c>.</summary>
    /// <param name="start">The first frame.</param>
    /// <param name="count">How many frames; zero makes an empty range.</param>
    /// <exception cref="ArgumentOutOfRangeException">The range would pass 2^64 frames.</exception>
    public PfnRange(Pfn start, PageCount count)
    {
        if (!count.IsZero && count.Value - 1 > ulong.MaxValue - start.Value)
        {
            throw new ArgumentOutOfRangeException(
                nameof(count), count, $"count must be in [0, 2^64 - start]; start is {start}, count is {count}");
        }

        Start = start;
        Count = count;
    }

    /// <summary>The first frame.</summary>
    public Pfn Start { get; }

    /// <summary>How many frames.</summary>
    public PageCount Count { get; }

    /// <summary>Whether the range has no frames.</summary>
    public bool IsEmpty => Count.IsZero;

    /// <summary>The bytes of these frames.</summary>
    /// <returns>The range of addresses.</returns>
    /// <exception cref="OverflowException">The frames lie above 2^52.</exception>
    public PhysRange ToPhysRange() => new(Start.Address, Count.ToBytes());

    /// <summary>Whether the frame lies in the range.</summary>
    /// <param name="frame">The frame.</param>
    /// <returns>Whether it is inside.</returns>
    public bool Contains(Pfn frame) =>
        unchecked(frame.Value - Start.Value) < Count.Value; // wraps to a huge distance when below

    /// <summary>Whether every frame of <paramref name="other"/> lies in this range.</summary>
    /// <param name="other">The other range.</param>
    /// <returns>Whether it is covered.</returns>
    public bool Contains(PfnRange other)
    {
        ulong offset = unchecked(other.Start.Value - Start.Value); // wraps to a huge distance when below
        return offset <= Count.Value && other.Count.Value <= Count.Value - offset;
    }

    /// <summary>Whether the two ranges share a frame; an empty range shares none.</summary>
    /// <param name="other">The other range.</param>
    /// <returns>Whether they overlap.</returns>
    public bool Overlaps(PfnRange other) =>
        !IsEmpty && !other.IsEmpty && (Contains(other.Start) || other.Contains(Start));

    /// <summary>The range as <c>pfn [0x100, 0x200)</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"pfn [0x{Start.Value:x}, 0x{(UInt128)Start.Value + Count.Value:x})";
}
