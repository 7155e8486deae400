namespace Mm.DmaBuf.Buffers;

/// <summary>What an exporter's buffers can do, said once when one is exported.</summary>
/// <remarks>
/// <b>Linux:</b> which operations of struct dma_buf_ops are there, and its cache_sgt_mapping (v6.12).
/// <para>Immutable.</para>
/// </remarks>
public sealed record BufferTraits
{
    /// <summary>Whether the memory may move while importers are attached, and stays only while it is pinned. <b>Linux:</b> pin and unpin.</summary>
    public bool Moves { get; init; }

    /// <summary>Whether an attachment's first mapping is kept, in its direction, until it is detached. <b>Linux:</b> cache_sgt_mapping.</summary>
    public bool KeepsMappings { get; init; }

    /// <summary>Whether pages of it can be mapped into an address space. <b>Linux:</b> mmap.</summary>
    public bool HasCpuMap { get; init; }

    /// <summary>Whether a process's area has all its entries from the start, and no fault brings one: memory that never moves.
    /// <b>Linux:</b> remap_pfn_range in the exporter's mmap, where others have a fault handler.</summary>
    public bool MapsAtOnce { get; init; }

    /// <summary>Whether the kernel can have all of it in view. <b>Linux:</b> vmap.</summary>
    public bool HasKernelView { get; init; }
}
