using Mm.Core;
using Mm.Core.Dma;

namespace Mm.Devices.Nvme;

/// <summary>What a drive can do, and how its driver uses it.</summary>
/// <remarks><b>Linux:</b> struct nvme_id_ctrl's mdts and sgls, CMBSZ, and the driver's sgl_threshold (v6.12). Immutable.</remarks>
public sealed record NvmeOptions
{
    /// <summary>Who translates for it; null for nobody.</summary>
    public IommuDomain? Domain { get; init; }

    /// <summary>The BAR whose memory it offers as a controller memory buffer; null for none.</summary>
    public int? BufferBar { get; init; }

    /// <summary>How many bytes of that BAR it offers, from its start; zero for all.</summary>
    public ByteCount BufferSize { get; init; }

    /// <summary>Whether it knows scatter-gather descriptors.</summary>
    public bool HasSgl { get; init; } = true;

    /// <summary>From which average segment length on descriptors are used where the choice is free. <b>Linux:</b> sgl_threshold.</summary>
    public ByteCount SglThreshold { get; init; } = ByteCount.FromKiB(32);

    /// <summary>The most bytes of one command; whole blocks and pages. <b>Linux:</b> mdts.</summary>
    public ByteCount MaxTransfer { get; init; } = ByteCount.FromMiB(1);

    /// <summary>The most descriptors of one command.</summary>
    public int MaxDescriptors { get; init; } = 1024;

    /// <summary>How a command says where its bytes are.</summary>
    public DataPointerKind Pointers { get; init; }

    /// <summary>
    /// Whether a list of several owners is cut into one command for each, so that no decision is made for two kinds of memory;
    /// otherwise it is refused. <b>Linux:</b> a bio takes one peer's pages only (block/bio.c, v6.12 with the fix of 2026).
    /// </summary>
    public bool SplitsOwners { get; init; } = true;

    /// <summary>Whether commands wait until <see cref="NvmeController.Process"/>; otherwise the doorbell runs them.</summary>
    public bool IsStepped { get; init; }
}
