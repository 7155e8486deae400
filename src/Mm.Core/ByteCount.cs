namespace Mm.Core;

/// <summary>A number of bytes: the length of a range, an offset, an alignment.</summary>
/// <remarks>
/// Range: 0 to 2^64-1. <c>default</c> is no bytes.
/// Never stands for a number of pages: that is <see cref="PageCount"/>.
/// <para>Immutable.</para>
/// </remarks>
/// <param name="Value">How many bytes.</param>
public readonly record struct ByteCount(ulong Value) : IComparable<ByteCount>
{
    /// <summary>No bytes.</summary>
    public static ByteCount Zero => default;

    /// <summary>The largest count, 2^64-1.</summary>
    public static ByteCount MaxValue => new(ulong.MaxValue);

    /// <summary>Whether the count is zero.</summary>
    public bool IsZero => Value == 0;

    /// <summary><paramref name="kib"/> times 1024 bytes.</summary>
    /// <param name="kib">Kibibytes.</param>
    /// <returns>The count.</returns>
    /// <exception cref="OverflowException">The product exceeds 2^64-1.</exception>
    public static ByteCount FromKiB(ulong kib) => new(kib << 10 >> 10 == kib ? kib << 10 : throw Overflow(kib, "KiB"));

    /// <summary><paramref name="mib"/> times 2^20 bytes.</summary>
    /// <param name="mib">Mebibytes.</param>
    /// <returns>The count.</returns>
    /// <exception cref="OverflowException">The product exceeds 2^64-1.</exception>
    public static ByteCount FromMiB(ulong mib) => new(mib << 20 >> 20 == mib ? mib << 20 : throw Overflow(mib, "MiB"));

    /// <summary><paramref name="gib"/> times 2^30 bytes.</summary>
    /// <param name="gib">Gibibytes.</param>
    /// <returns>The count.</returns>
    /// <exception cref="OverflowException">The product exceeds 2^64-1.</exception>
    public static ByteCount FromGiB(ulong gib) => new(gib << 30 >> 30 == gib ? gib << 30 : throw Overflow(gib, "GiB"));

    /// <summary>Adds, refusing to pass 2^64-1.</summary>
    /// <param name="other">What to add.</param>
    /// <param name="sum">The sum, or zero when refused.</param>
    /// <returns>Whether the sum fits.</returns>
    public bool TryAdd(ByteCount other, out ByteCount sum)
    {
        ulong value = unchecked(Value + other.Value); // wraps on purpose: the next line detects it
        sum = value >= Value ? new ByteCount(value) : default;
        return value >= Value;
    }

    /// <summary>Adds.</summary>
    /// <param name="other">What to add.</param>
    /// <returns>The sum.</returns>
    /// <exception cref="OverflowException">The sum exceeds 2^64-1.</exception>
    public ByteCount AddChecked(ByteCount other) => new(checked(Value + other.Value));

    /// <summary>Subtracts.</summary>
    /// <param name="other">What to take away; at most this count.</param>
    /// <returns>The difference.</returns>
    /// <exception cref="OverflowException"><paramref name="other"/> is larger.</exception>
    public ByteCount SubtractChecked(ByteCount other) => new(checked(Value - other.Value));

    /// <summary>How many whole pages of 4 KiB hold this many bytes, the last one perhaps in part.</summary>
    /// <returns>The page count, rounded up.</returns>
    public PageCount ToPagesRoundUp() => new((Value >> PageSize.Small.Shift) + ((Value & PageSize.Small.OffsetMask) != 0 ? 1UL : 0UL));

    /// <summary>How many whole pages of 4 KiB fit in this many bytes.</summary>
    /// <returns>The page count, rounded down.</returns>
    public PageCount ToPagesRoundDown() => new(Value >> PageSize.Small.Shift);

    /// <inheritdoc/>
    public int CompareTo(ByteCount other) => Value.CompareTo(other.Value);

    /// <summary>Whether <paramref name="left"/> is smaller.</summary>
    public static bool operator <(ByteCount left, ByteCount right) => left.Value < right.Value;

    /// <summary>Whether <paramref name="left"/> is larger.</summary>
    public static bool operator >(ByteCount left, ByteCount right) => left.Value > right.Value;

    /// <summary>Whether <paramref name="left"/> is smaller or equal.</summary>
    public static bool operator <=(ByteCount left, ByteCount right) => left.Value <= right.Value;

    /// <summary>Whether <paramref name="left"/> is larger or equal.</summary>
    public static bool operator >=(ByteCount left, ByteCount right) => left.Value >= right.Value;

    /// <summary>The count with the largest binary unit that divides it: <c>2 MiB</c>, <c>4097 B</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => Value switch
    {
        0 => "0 B",
        _ when (Value & ((1UL << 40) - 1)) == 0 => $"{Value >> 40} TiB",
        _ when (Value & ((1UL << 30) - 1)) == 0 => $"{Value >> 30} GiB",
        _ when (Value & ((1UL << 20) - 1)) == 0 => $"{Value >> 20} MiB",
        _ when (Value & ((1UL << 10) - 1)) == 0 => $"{Value >> 10} KiB",
        _ => $"{Value} B",
    };

    private static OverflowException Overflow(ulong value, string unit) =>
        new OverflowException($"byte count {value} {unit} exceeds 2^64-1 bytes");
}
