namespace Mm.Core;

/// <summary>A half-open range of virtual addresses, <c>[start, start+length)</c>, at byte granularity.</summary>
/// <remarks>
/// Owns nothing: it names addresses of a process, not mappings.
/// <para><b>Linux:</b> the start and end pairs of vm_area_struct and mmu_notifier_range (v6.12).</para>
/// <para><b>Invariants:</b> (1) start + length is at most 2^64, so a range may end at the very top but never wraps.</para>
/// <para><c>default</c> is the empty range at address 0. Immutable.</para>
/// </remarks>
public readonly record struct VirtRange
{
    /// <summary>Makes the range <c>[start, start+length)</c>.</summary>
    /// <param name="start">The first address.</param>
    /// <param name="length">How many bytes; zero makes an empty range.</param>
    /// <exception cref="ArgumentOutOfRangeException">The range would pass the top of the address space.</exception>
    public VirtRange(VirtAddr start, ByteCount length)
    {
        if (!TryCreate(start, length, out this))
        {
            throw new ArgumentOutOfRangeException(
                nameof(length),
                length,
                $"length must be in [0, 2^64 - start]; start is {start}, length is 0x{length.Value:x}");
        }
    }

    private VirtRange(ulong start, ulong length)
    {
        Start = new VirtAddr(start);
        Length = new ByteCount(length);
    }

    /// <summary>Every address but the very last byte's: what the end of a process invalidates.</summary>
    public static VirtRange All => new(0, ulong.MaxValue);

    /// <summary>The first address.</summary>
    public VirtAddr Start { get; }

    /// <summary>How many bytes.</summary>
    public ByteCount Length { get; }

    /// <summary>Whether the range has no bytes.</summary>
    public bool IsEmpty => Length.IsZero;

    /// <summary>Makes a range unless it would pass the top of the address space.</summary>
    /// <param name="start">The first address.</param>
    /// <param name="length">How many bytes.</param>
    /// <param name="range">The range, or the empty one when refused.</param>
    /// <returns>Whether it fits.</returns>
    public static bool TryCreate(VirtAddr start, ByteCount length, out VirtRange range)
    {
        bool fits = length.IsZero || length.Value - 1 <= ulong.MaxValue - start.Value;
        range = fits ? new VirtRange(start.Value, length.Value) : default;
        return fits;
    }

    /// <summary>Whether the address lies in the range.</summary>
    /// <param name="address">The address.</param>
    /// <returns>Whether it is inside.</returns>
    public bool Contains(VirtAddr address) =>
        unchecked(address.Value - Start.Value) < Length.Value; // wraps to a huge distance when below

    /// <summary>Whether every byte of <paramref name="other"/> lies in this range; an empty one does if its start is inside or at either end.</summary>
    /// <param name="other">The other range.</param>
    /// <returns>Whether it is covered.</returns>
    public bool Contains(VirtRange other)
    {
        ulong offset = unchecked(other.Start.Value - Start.Value); // wraps to a huge distance when below
        return other.Start >= Start && offset <= Length.Value && other.Length.Value <= Length.Value - offset;
    }

    /// <summary>Whether the two ranges share a byte; an empty range shares none.</summary>
    /// <param name="other">The other range.</param>
    /// <returns>Whether they overlap.</returns>
    public bool Overlaps(VirtRange other) =>
        !IsEmpty && !other.IsEmpty && (Contains(other.Start) || other.Contains(Start));

    /// <summary>The range as <c>[0x1000, 0x2000)</c>; the top of the address space prints as <c>0x10000000000000000</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"[{Start}, 0x{(UInt128)Start.Value + Length.Value:x})";
}
