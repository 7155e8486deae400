namespace Mm.Core;

/// <summary>A number of pages of 4 KiB, the unit in which frames are counted.</summary>
/// <remarks>
/// Range: 0 to 2^64-1, of which at most 2^52 pages have an address. <c>default</c> is no pages.
/// Never stands for bytes: that is <see cref="ByteCount"/>.
/// <para>Immutable.</para>
/// </remarks>
/// <param name="Value">How many pages of 4 KiB.</param>
public readonly record struct PageCount(ulong Value) : IComparable<PageCount>
{
    /// <summary>No pages.</summary>
    public static PageCount Zero => default;

    /// <summary>One page of 4 KiB.</summary>
    public static PageCount One => new(1);

    /// <summary>Whether the count is zero.</summary>
    public bool IsZero => Value == 0;

    /// <summary>The pages of a block of the given order: 2^order.</summary>
    /// <param name="order">A buddy order, 0 to 51.</param>
    /// <returns>The count.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="order"/> is not in [0, 52).</exception>
    public static PageCount OfOrder(int order) =>
        order is >= 0 and < 52
            ? new PageCount(1UL << order)
            : throw new ArgumentOutOfRangeException(nameof(order), order, "order must be in [0, 52)");

    /// <summary>The bytes of this many pages.</summary>
    /// <returns>The byte count.</returns>
    /// <exception cref="OverflowException">The bytes exceed 2^64-1: the count is 2^52 or more.</exception>
    public ByteCount ToBytes() => new(checked(Value * PageSize.Small.Bytes.Value));

    /// <summary>Adds.</summary>
    /// <param name="other">What to add.</param>
    /// <returns>The sum.</returns>
    /// <exception cref="OverflowException">The sum exceeds 2^64-1.</exception>
    public PageCount AddChecked(PageCount other) => new(checked(Value + other.Value));

    /// <summary>Subtracts.</summary>
    /// <param name="other">What to take away; at most this count.</param>
    /// <returns>The difference.</returns>
    /// <exception cref="OverflowException"><paramref name="other"/> is larger.</exception>
    public PageCount SubtractChecked(PageCount other) => new(checked(Value - other.Value));

    /// <inheritdoc/>
    public int CompareTo(PageCount other) => Value.CompareTo(other.Value);

    /// <summary>Whether <paramref name="left"/> is smaller.</summary>
    public static bool operator <(PageCount left, PageCount right) => left.Value < right.Value;

    /// <summary>Whether <paramref name="left"/> is larger.</summary>
    public static bool operator >(PageCount left, PageCount right) => left.Value > right.Value;

    /// <summary>Whether <paramref name="left"/> is smaller or equal.</summary>
    public static bool operator <=(PageCount left, PageCount right) => left.Value <= right.Value;

    /// <summary>Whether <paramref name="left"/> is larger or equal.</summary>
    public static bool operator >=(PageCount left, PageCount right) => left.Value >= right.Value;

    /// <summary>The count and its unit: <c>512 pages</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => Value == 1 ? "1 page" : $"{Value} pages";
}
