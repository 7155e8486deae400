namespace Mm.Core.Dma;

/// <summary>How far a device's address lines reach: the highest DMA address that it can put on its bus.</summary>
/// <remarks>
/// Range: 1 to 64 address bits.
/// <para><b>Linux:</b> struct device.dma_mask and DMA_BIT_MASK (v6.12), there an arbitrary mask; here always all ones.</para>
/// <para><c>default</c> is 32 bits, what a PCI function has before its driver says more. Immutable.</para>
/// </remarks>
public readonly record struct DmaMask
{
    private const int DefaultBits = 32;

    // Distance from the default, so that default(DmaMask) is legal and is Linux's own default.
    private readonly sbyte extraBits;

    private DmaMask(sbyte extraBits) => this.extraBits = extraBits;

    /// <summary>32 bits: up to 4 GiB.</summary>
    public static DmaMask Bits32 => default;

    /// <summary>64 bits: everything.</summary>
    public static DmaMask Bits64 => OfBits(64);

    /// <summary>The number of address bits, 1 to 64.</summary>
    public int Bits => DefaultBits + extraBits;

    /// <summary>The highest address in reach.</summary>
    public DmaAddr Limit => new(ulong.MaxValue >> (64 - Bits));

    /// <summary>A mask of so many address bits.</summary>
    /// <param name="bits">Address bits, 1 to 64.</param>
    /// <returns>The mask.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="bits"/> is not in [1, 65).</exception>
    public static DmaMask OfBits(int bits) =>
        bits is >= 1 and <= 64
            ? new DmaMask((sbyte)(bits - DefaultBits))
            : throw new ArgumentOutOfRangeException(nameof(bits), bits, "bits must be in [1, 65)");

    /// <summary>Whether every byte of <c>[start, start+length)</c> is in reach.</summary>
    /// <param name="start">The first address.</param>
    /// <param name="length">How many bytes; an empty run is in reach if its start is.</param>
    /// <returns>Whether it is; false when the run would pass 2^64.</returns>
    public bool Reaches(DmaAddr start, ByteCount length)
    {
        ulong last = length.IsZero ? 0 : length.Value - 1;
        return start <= Limit && last <= Limit.Value - start.Value;
    }

    /// <summary>The mask as <c>32 bits</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => Bits == 1 ? "1 bit" : $"{Bits} bits";
}
