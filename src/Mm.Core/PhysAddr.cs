namespace Mm.Core;

/// <summary>A physical address: where the CPU's memory bus finds a byte of RAM or of a device window.</summary>
/// <remarks>
/// Range: 0 to 2^64-1, in bytes. <c>default</c> is address 0.
/// <para><b>Linux:</b> phys_addr_t (v6.12).</para>
/// <para>Immutable.</para>
/// </remarks>
/// <param name="Value">The address in bytes.</param>
public readonly record struct PhysAddr(ulong Value) : IComparable<PhysAddr>
{
    /// <summary>Address 0, the lowest.</summary>
    public static PhysAddr Zero => default;

    /// <summary>Address 2^64-1, the highest.</summary>
    public static PhysAddr MaxValue => new(ulong.MaxValue);

    /// <summary>The frame that holds this address.</summary>
    public Pfn Pfn => new(Value >> PageSize.Small.Shift);

    /// <summary>Whether the address is a multiple of the page size.</summary>
    /// <param name="size">The page size.</param>
    /// <returns>Whether it is aligned.</returns>
    public bool IsAligned(PageSize size) => (Value & size.OffsetMask) == 0;

    /// <summary>The start of the page of the given size that holds this address.</summary>
    /// <param name="size">The page size.</param>
    /// <returns>The address, at or below this one.</returns>
    public PhysAddr AlignDown(PageSize size) => new(Value & ~size.OffsetMask);

    /// <summary>The offset of this address in its page of the given size.</summary>
    /// <param name="size">The page size.</param>
    /// <returns>The offset in bytes, below the page size.</returns>
    public ByteCount OffsetIn(PageSize size) => new(Value & size.OffsetMask);

    /// <summary>The first multiple of the page size at or above this address, if there is one.</summary>
    /// <param name="size">The page size.</param>
    /// <param name="aligned">The aligned address, or 0 when refused.</param>
    /// <returns>Whether such an address exists below 2^64.</returns>
    public bool TryAlignUp(PageSize size, out PhysAddr aligned)
    {
        ulong value = unchecked(Value + size.OffsetMask) & ~size.OffsetMask; // a wrap shows as a smaller value
        aligned = value >= Value ? new PhysAddr(value) : default;
        return value >= Value;
    }

    /// <summary>Adds, refusing to pass the top of the address space.</summary>
    /// <param name="count">Bytes to add.</param>
    /// <param name="sum">The address that far above, or 0 when refused.</param>
    /// <returns>Whether the sum is at most 2^64-1.</returns>
    public bool TryAdd(ByteCount count, out PhysAddr sum)
    {
        ulong value = unchecked(Value + count.Value); // a wrap shows as a smaller value
        sum = value >= Value ? new PhysAddr(value) : default;
        return value >= Value;
    }

    /// <summary>Adds.</summary>
    /// <param name="count">Bytes to add.</param>
    /// <returns>The address that far above.</returns>
    /// <exception cref="OverflowException">The sum exceeds 2^64-1.</exception>
    public PhysAddr AddChecked(ByteCount count) => new(checked(Value + count.Value));

    /// <summary>Adds modulo 2^64, as the hardware does.</summary>
    /// <param name="count">Bytes to add.</param>
    /// <returns>The address that far above, wrapped.</returns>
    public PhysAddr AddWrapping(ByteCount count) => new(unchecked(Value + count.Value));

    /// <summary>How far this address lies above <paramref name="origin"/>.</summary>
    /// <param name="origin">An address at or below this one.</param>
    /// <returns>The distance in bytes.</returns>
    /// <exception cref="OverflowException"><paramref name="origin"/> lies above this address.</exception>
    public ByteCount OffsetFrom(PhysAddr origin) => new(checked(Value - origin.Value));

    /// <inheritdoc/>
    public int CompareTo(PhysAddr other) => Value.CompareTo(other.Value);

    /// <summary>Whether <paramref name="left"/> lies below.</summary>
    public static bool operator <(PhysAddr left, PhysAddr right) => left.Value < right.Value;

    /// <summary>Whether <paramref name="left"/> lies above.</summary>
    public static bool operator >(PhysAddr left, PhysAddr right) => left.Value > right.Value;

    /// <summary>Whether <paramref name="left"/> lies below or is equal.</summary>
    public static bool operator <=(PhysAddr left, PhysAddr right) => left.Value <= right.Value;

    /// <summary>Whether <paramref name="left"/> lies above or is equal.</summary>
    public static bool operator >=(PhysAddr left, PhysAddr right) => left.Value >= right.Value;

    /// <summary>The address in hexadecimal: <c>0x1000</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"0x{Value:x}";
}
