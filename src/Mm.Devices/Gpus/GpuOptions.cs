using Mm.Core;
using Mm.Core.Dma;
using Mm.Hmm.Copying;

namespace Mm.Devices.Gpus;

/// <summary>What a model GPU is like.</summary>
/// <remarks><b>Linux:</b> what a driver reads out of the chip (v6.12). Immutable.</remarks>
public sealed record GpuOptions
{
    /// <summary>What ledgers and messages call it.</summary>
    public string Name { get; init; } = "gpu0";

    /// <summary>How much memory it has; a multiple of 2 MiB, more than the BAR shows.</summary>
    public ByteCount Memory { get; init; } = ByteCount.FromMiB(512);

    /// <summary>The index of the BAR that shows its memory.</summary>
    public int MemoryBar { get; init; } = 1;

    /// <summary>How much of its memory that BAR shows; all that fits where zero. <b>Linux:</b> a resizable BAR.</summary>
    public ByteCount Visible { get; init; }

    /// <summary>The index of the BAR with its doorbells.</summary>
    public int DoorbellBar { get; init; }

    /// <summary>Who makes its copy engine work.</summary>
    public CopyEngineDrive Drive { get; init; }

    /// <summary>Who translates its addresses; nobody where null.</summary>
    public IommuDomain? Domain { get; init; }
}
