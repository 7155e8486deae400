namespace Mm.Core;

/// <summary>A half-open range of physical addresses, <c>[start, start+length)</c>, at byte granularity, in 16 bytes.</summary>
/// <remarks>
/// Owns nothing: it names addresses, not the memory behind them.
/// <para><b>Linux:</b> struct phys_vec {paddr, len} (v6.19); in v6.12 the same pair is spread over struct range
/// (inclusive ends), bio_vec and scatterlist.</para>
/// <para><b>Invariants:</b> (1) start + length is at most 2^64, so a range may end at the very top but never wraps.</para>
/// <para><c>default</c> is the empty range at address 0. Immutable.</para>
/// </remarks>
public readonly record struct PhysRange
{
    /// <summary>Makes the range <c>[start, start+length)</c>.</summary>
    /// <param name="start">The first address.</param>
    /// <param name="length">How many bytes; zero makes an empty range.</param>
    /// <exception cref="ArgumentOutOfRangeException">The range would pass the top of the address space.</exception>
    public PhysRange(PhysAddr start, ByteCount length)
    {
        if (!Fits(start, length))
        {
            throw new ArgumentOutOfRangeException(
                nameof(length),
                length,
                $"length must be in [0, 2^64 - start]; start is {start}, length is 0x{length.Value:x}");
        }

        Start = start;
        Length = length;
    }

    // The two words alone; for callers that have shown invariant 1 already (splitting, merging).
    private PhysRange(ulong start, ulong length)
    {
        Start = new PhysAddr(start);
        Length = new ByteCount(length);
    }

    /// <summary>The first address.</summary>
    public PhysAddr Start { get; }

    /// <summary>How many bytes.</summary>
    public ByteCount Length { get; }

    /// <summary>Whether the range has no bytes.</summary>
    public bool IsEmpty => Length.IsZero;

    /// <summary>Makes a range from its first address and the address after its last byte.</summary>
    /// <param name="start">The first address.</param>
    /// <param name="end">The address after the last byte; at or above <paramref name="start"/>.</param>
    /// <returns>The range.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="end"/> lies below <paramref name="start"/>.</exception>
    public static PhysRange FromBounds(PhysAddr start, PhysAddr end) =>
        end >= start
            ? new PhysRange(start.Value, end.Value - start.Value)
            : throw new ArgumentOutOfRangeException(nameof(end), end, $"end must be in [{start}, 2^64)");

    /// <summary>Makes a range unless it would pass the top of the address space.</summary>
    /// <param name="start">The first address.</param>
    /// <param name="length">How many bytes.</param>
    /// <param name="range">The range, or the empty one when refused.</param>
    /// <returns>Whether it fits.</returns>
    public static bool TryCreate(PhysAddr start, ByteCount length, out PhysRange range)
    {
        bool fits = Fits(start, length);
        range = fits ? new PhysRange(start.Value, length.Value) : default;
        return fits;
    }

    /// <summary>The range of whole frames that it covers, if it starts and ends on 4 KiB borders.</summary>
    /// <param name="frames">The frames, or the empty range when refused.</param>
    /// <returns>Whether both ends are aligned.</returns>
    public bool TryGetFrames(out PfnRange frames)
    {
        bool aligned = ((Start.Value | Length.Value) & PageSize.Small.OffsetMask) == 0;
        frames = aligned ? new PfnRange(Start.Pfn, Length.ToPagesRoundDown()) : default;
        return aligned;
    }

    /// <summary>Whether the address lies in the range.</summary>
    /// <param name="address">The address.</param>
    /// <returns>Whether it is inside.</returns>
    public bool Contains(PhysAddr address) =>
        unchecked(address.Value - Start.Value) < Length.Value; // wraps to a huge distance when below

    /// <summary>Whether every byte of <paramref name="other"/> lies in this range; an empty one does if its start is inside or at either end.</summary>
    /// <param name="other">The other range.</param>
    /// <returns>Whether it is covered.</returns>
    public bool Contains(PhysRange other)
    {
        ulong offset = unchecked(other.Start.Value - Start.Value); // wraps to a huge distance when below
        return other.Start >= Start && offset <= Length.Value && other.Length.Value <= Length.Value - offset;
    }

    /// <summary>Whether the two ranges share a byte; an empty range shares none.</summary>
    /// <param name="other">The other range.</param>
    /// <returns>Whether they overlap.</returns>
    public bool Overlaps(PhysRange other) =>
        !IsEmpty && !other.IsEmpty && (Contains(other.Start) || other.Contains(Start));

    /// <summary>The bytes that both ranges have; empty when they share none.</summary>
    /// <param name="other">The other range.</param>
    /// <returns>The common part.</returns>
    public PhysRange Intersect(PhysRange other)
    {
        if (!Overlaps(other))
        {
            return default;
        }

        PhysAddr start = Start > other.Start ? Start : other.Start;
        ulong mine = Length.Value - (start.Value - Start.Value);
        ulong theirs = other.Length.Value - (start.Value - other.Start.Value);
        return new PhysRange(start.Value, Math.Min(mine, theirs));
    }

    /// <summary>Whether <paramref name="next"/> starts right where this range ends, so that the two make one.</summary>
    /// <param name="next">The range that may follow.</param>
    /// <returns>Whether they touch in this order; false when this range ends at 2^64.</returns>
    public bool IsFollowedBy(PhysRange next) =>
        TryGetEnd(out PhysAddr end) && end == next.Start;

    /// <summary>The address after the last byte, if there is one below 2^64.</summary>
    /// <param name="end">The address, or 0 when the range reaches the top.</param>
    /// <returns>Whether the end is an address.</returns>
    public bool TryGetEnd(out PhysAddr end) => Start.TryAdd(Length, out end);

    /// <summary>A part of the range.</summary>
    /// <param name="offset">Where the part starts, in bytes from the start; at most the length.</param>
    /// <param name="length">How many bytes; at most what is left.</param>
    /// <returns>The part.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The part does not lie in the range.</exception>
    public PhysRange Slice(ByteCount offset, ByteCount length) =>
        offset <= Length && length.Value <= Length.Value - offset.Value
            ? new PhysRange(unchecked(Start.Value + offset.Value), length.Value) // wraps only for the empty part at the top
            : throw new ArgumentOutOfRangeException(
                nameof(length), length, $"part [0x{offset.Value:x}, +0x{length.Value:x}) must lie in {this}");

    /// <summary>The range as <c>[0x1000, 0x2000)</c>; the top of the address space prints as <c>0x10000000000000000</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"[{Start}, 0x{(UInt128)Start.Value + Length.Value:x})";

    private static bool Fits(PhysAddr start, ByteCount length) =>
        length.IsZero || length.Value - 1 <= ulong.MaxValue - start.Value;
}
