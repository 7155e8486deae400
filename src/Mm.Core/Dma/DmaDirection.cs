namespace Mm.Core.Dma;

/// <summary>Which way the bytes of a mapping flow.</summary>
/// <remarks>
/// <b>Linux:</b> enum dma_data_direction (v6.12), same numbers; DMA_NONE is not here, since no mapping may have it.
/// <para><c>default</c> is <see cref="Bidirectional"/>, the one that forbids nothing.</para>
/// </remarks>
public enum DmaDirection
{
    /// <summary>The device reads and writes. <b>Linux:</b> DMA_BIDIRECTIONAL.</summary>
    Bidirectional = 0,

    /// <summary>The device reads what the CPU or a peer wrote. <b>Linux:</b> DMA_TO_DEVICE.</summary>
    ToDevice = 1,

    /// <summary>The device writes what the CPU or a peer will read. <b>Linux:</b> DMA_FROM_DEVICE.</summary>
    FromDevice = 2,
}
