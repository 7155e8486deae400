namespace Mm.Core.Dma;

/// <summary>What a caller asks of one mapping besides its direction.</summary>
/// <remarks>
/// <b>Linux:</b> DMA_ATTR_* (v6.12; <see cref="Mmio"/> from v6.18). Left out are those that only pick cache or
/// allocation behaviour, which this model does not have.
/// </remarks>
[Flags]
public enum DmaAttributes
{
    /// <summary>Nothing special.</summary>
    None = 0,

    /// <summary>The caller keeps caches and bounce buffers in step by itself. <b>Linux:</b> DMA_ATTR_SKIP_CPU_SYNC.</summary>
    SkipCpuSync = 1 << 5,

    /// <summary>
    /// The ranges are device registers or memory and take no peer-to-peer verdict: every range is translated as RAM
    /// is, and never bounced. <b>Linux:</b> DMA_ATTR_MMIO (v6.18), and dma_map_resource before it.
    /// </summary>
    Mmio = 1 << 10,
}
