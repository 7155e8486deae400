namespace Mm.Core.Dma;

/// <summary>One run of DMA addresses of a mapping: what a device is programmed with.</summary>
/// <remarks>
/// Owns nothing: it is good as long as its <see cref="DmaMapping"/> is.
/// <para><b>Linux:</b> the DMA half of a struct scatterlist entry: dma_address, dma_length and SG_DMA_BUS_ADDRESS (v6.12).</para>
/// <para><c>default</c> is an empty run at address 0. Immutable.</para>
/// </remarks>
/// <param name="Address">The first DMA address.</param>
/// <param name="Length">How many bytes.</param>
/// <param name="IsBusAddress">Whether it is a peer's bus address, which no IOMMU translates.</param>
public readonly record struct DmaSegment(DmaAddr Address, ByteCount Length, bool IsBusAddress)
{
    /// <summary>Whether the run has the byte at this address.</summary>
    /// <param name="address">A DMA address.</param>
    /// <returns>Whether it does.</returns>
    public bool Contains(DmaAddr address) =>
        unchecked(address.Value - Address.Value) < Length.Value; // wraps to a huge distance when below

    /// <summary>The run as <c>[0x1000, 0x2000)</c>, with <c>bus</c> behind it where it is a bus address.</summary>
    /// <returns>The text.</returns>
    public override string ToString() =>
        $"[{Address}, 0x{(UInt128)Address.Value + Length.Value:x}){(IsBusAddress ? " bus" : "")}";
}
