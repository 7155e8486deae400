using Mm.Core;
using Mm.Core.Dma;
using Mm.Core.PhysRanges;

namespace Mm.Devices.Gpus.Svm;

/// <summary>A chunk of a process's memory that a GPU maps and moves as one.</summary>
/// <remarks>
/// Owns the DMA mapping of what of it lies in RAM. Is never split: what unmaps a part of it ends it.
/// <para><b>Linux:</b> struct drm_gpusvm_range, with struct drm_gpusvm_pages (v6.19).</para>
/// <para><b>States:</b> without pages ⇄ with pages; → unmapped, wholly or in part, and then removed.</para>
/// <para><b>Invariants:</b> (1) mapped bytes are those of the range, no more; (2) unmapped, it gets no pages any more.</para>
/// <para><b>Locking:</b> the lock of its <see cref="GpuSvm"/>.</para>
/// </remarks>
public sealed class SvmRange
{
    private SvmEntry[] entries = [];
    private DmaMapping? mapping;
    private PhysRangeList? list;

    internal SvmRange(SvmBlock block, VirtRange range, bool canMigrate)
    {
        Block = block;
        Range = range;
        CanMigrate = canMigrate;
    }

    /// <summary>The addresses.</summary>
    public VirtRange Range { get; }

    /// <summary>Whether its memory may come to the GPU: it is private and anonymous.</summary>
    public bool CanMigrate { get; }

    /// <summary>Whether the GPU knows its pages now.</summary>
    public bool HasPages => entries.Length != 0;

    /// <summary>Whether a part of it is mapped no more, or all.</summary>
    public bool IsUnmapped { get; private set; }

    /// <summary>Whether a part of it is still mapped by the process.</summary>
    public bool IsPartlyUnmapped { get; private set; }

    /// <summary>The bytes in RAM that its DMA mapping covers.</summary>
    public ByteCount MappedBytes => mapping?.Length ?? ByteCount.Zero;

    internal SvmBlock Block { get; }

    /// <summary>The GPU's memory that it was brought to last, if any of it is left.</summary>
    internal SvmMemory? Memory { get; set; }

    internal ReadOnlySpan<SvmEntry> Entries => entries;

    internal bool IsMapped => mapping is not null;

    internal bool IsMappedReadOnly { get; private set; }

    /// <summary>Addresses in words.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"svm range {Range}";

    internal void SetPages(SvmEntry[] found, DmaMapping? dma, PhysRangeList? ram, bool isReadOnly)
    {
        entries = found;
        mapping = dma;
        list = ram;
        IsMappedReadOnly = isReadOnly;
    }

    internal void DropPages()
    {
        entries = [];
        mapping?.Dispose();
        list?.Dispose();
        mapping = null;
        list = null;
    }

    internal void SetUnmapped(VirtRange what)
    {
        IsPartlyUnmapped |= !what.Contains(Range);
        IsUnmapped = true;
    }
}
