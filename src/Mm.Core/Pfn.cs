namespace Mm.Core;

/// <summary>A page frame number: which 4 KiB piece of physical address space.</summary>
/// <remarks>
/// Range: 0 to 2^52-1 have an address; larger values are kept but name no memory. <c>default</c> is frame 0.
/// <para><b>Linux:</b> the unsigned long pfn of pfn_to_page() and page_to_pfn() (v6.12).</para>
/// <para>Immutable.</para>
/// </remarks>
/// <param name="Value">The frame number.</param>
public readonly record struct Pfn(ulong Value) : IComparable<Pfn>
{
    /// <summary>Frame 0.</summary>
    public static Pfn Zero => default;

    /// <summary>The last frame that has an address, 2^52-1.</summary>
    public static Pfn MaxValue => new(ulong.MaxValue >> 12);

    /// <summary>The address of the frame's first byte.</summary>
    /// <exception cref="OverflowException">The frame number is 2^52 or more.</exception>
    public PhysAddr Address => new(checked(Value * PageSize.Small.Bytes.Value));

    /// <summary>Adds.</summary>
    /// <param name="count">Frames to add.</param>
    /// <returns>The frame that far above.</returns>
    /// <exception cref="OverflowException">The sum exceeds 2^64-1.</exception>
    public Pfn AddChecked(PageCount count) => new(checked(Value + count.Value));

    /// <summary>How far this frame lies above <paramref name="origin"/>.</summary>
    /// <param name="origin">A frame at or below this one.</param>
    /// <returns>The distance in pages.</returns>
    /// <exception cref="OverflowException"><paramref name="origin"/> lies above this frame.</exception>
    public PageCount OffsetFrom(Pfn origin) => new(checked(Value - origin.Value));

    /// <summary>Whether a block of the given order may start at this frame.</summary>
    /// <param name="order">A buddy order, 0 to 51.</param>
    /// <returns>Whether the frame number is a multiple of 2^order.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="order"/> is not in [0, 52).</exception>
    public bool IsAligned(int order) => (Value & (PageCount.OfOrder(order).Value - 1)) == 0;

    /// <inheritdoc/>
    public int CompareTo(Pfn other) => Value.CompareTo(other.Value);

    /// <summary>Whether <paramref name="left"/> lies below.</summary>
    public static bool operator <(Pfn left, Pfn right) => left.Value < right.Value;

    /// <summary>Whether <paramref name="left"/> lies above.</summary>
    public static bool operator >(Pfn left, Pfn right) => left.Value > right.Value;

    /// <summary>Whether <paramref name="left"/> lies below or is equal.</summary>
    public static bool operator <=(Pfn left, Pfn right) => left.Value <= right.Value;

    /// <summary>Whether <paramref name="left"/> lies above or is equal.</summary>
    public static bool operator >=(Pfn left, Pfn right) => left.Value >= right.Value;

    /// <summary>The frame number in hexadecimal: <c>pfn 0x1000</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"pfn 0x{Value:x}";
}
