namespace Mm.Core;

/// <summary>A DMA address: what a device puts on its bus to reach a byte. It may be a physical address, an I/O virtual address or a peer's bus address.</summary>
/// <remarks>
/// Range: 0 to 2^64-1, in bytes. <c>default</c> is address 0; no mapping is ever told by a magic address.
/// <para><b>Linux:</b> dma_addr_t (v6.12).</para>
/// <para>Immutable.</para>
/// </remarks>
/// <param name="Value">The address in bytes.</param>
public readonly record struct DmaAddr(ulong Value) : IComparable<DmaAddr>
{
    /// <summary>Address 0, the lowest.</summary>
    public static DmaAddr Zero => default;

    /// <summary>Address 2^64-1, the highest.</summary>
    public static DmaAddr MaxValue => new(ulong.MaxValue);

    /// <summary>Whether the address is a multiple of the page size.</summary>
    /// <param name="size">The page size.</param>
    /// <returns>Whether it is aligned.</returns>
    public bool IsAligned(PageSize size) => (Value & size.OffsetMask) == 0;

    /// <summary>The start of the page of the given size that holds this address.</summary>
    /// <param name="size">The page size.</param>
    /// <returns>The address, at or below this one.</returns>
    public DmaAddr AlignDown(PageSize size) => new(Value & ~size.OffsetMask);

    /// <summary>The offset of this address in its page of the given size.</summary>
    /// <param name="size">The page size.</param>
    /// <returns>The offset in bytes, below the page size.</returns>
    public ByteCount OffsetIn(PageSize size) => new(Value & size.OffsetMask);

    /// <summary>The first multiple of the page size at or above this address, if there is one.</summary>
    /// <param name="size">The page size.</param>
    /// <param name="aligned">The aligned address, or 0 when refused.</param>
    /// <returns>Whether such an address exists below 2^64.</returns>
    public bool TryAlignUp(PageSize size, out DmaAddr aligned)
    {
        ulong value = unchecked(Value + size.OffsetMask) & ~size.OffsetMask; // a wrap shows as a smaller value
        aligned = value >= Value ? new DmaAddr(value) : default;
        return value >= Value;
    }

    /// <summary>Adds, refusing to pass the top of the address space.</summary>
    /// <param name="count">Bytes to add.</param>
    /// <param name="sum">The address that far above, or 0 when refused.</param>
    /// <returns>Whether the sum is at most 2^64-1.</returns>
    public bool TryAdd(ByteCount count, out DmaAddr sum)
    {
        ulong value = unchecked(Value + count.Value); // a wrap shows as a smaller value
        sum = value >= Value ? new DmaAddr(value) : default;
        return value >= Value;
    }

    /// <summary>Adds.</summary>
    /// <param name="count">Bytes to add.</param>
    /// <returns>The address that far above.</returns>
    /// <exception cref="OverflowException">The sum exceeds 2^64-1.</exception>
    public DmaAddr AddChecked(ByteCount count) => new(checked(Value + count.Value));

    /// <summary>Adds modulo 2^64, as the hardware does.</summary>
    /// <param name="count">Bytes to add.</param>
    /// <returns>The address that far above, wrapped.</returns>
    public DmaAddr AddWrapping(ByteCount count) => new(unchecked(Value + count.Value));

    /// <summary>How far this address lies above <paramref name="origin"/>.</summary>
    /// <param name="origin">An address at or below this one.</param>
    /// <returns>The distance in bytes.</returns>
    /// <exception cref="OverflowException"><paramref name="origin"/> lies above this address.</exception>
    public ByteCount OffsetFrom(DmaAddr origin) => new(checked(Value - origin.Value));

    /// <inheritdoc/>
    public int CompareTo(DmaAddr other) => Value.CompareTo(other.Value);

    /// <summary>Whether <paramref name="left"/> lies below.</summary>
    public static bool operator <(DmaAddr left, DmaAddr right) => left.Value < right.Value;

    /// <summary>Whether <paramref name="left"/> lies above.</summary>
    public static bool operator >(DmaAddr left, DmaAddr right) => left.Value > right.Value;

    /// <summary>Whether <paramref name="left"/> lies below or is equal.</summary>
    public static bool operator <=(DmaAddr left, DmaAddr right) => left.Value <= right.Value;

    /// <summary>Whether <paramref name="left"/> lies above or is equal.</summary>
    public static bool operator >=(DmaAddr left, DmaAddr right) => left.Value >= right.Value;

    /// <summary>The address in hexadecimal: <c>0x1000</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"0x{Value:x}";
}
