using Mm.Conformance.DmaBuf;
using Mm.Conformance.Iommufd;
using Mm.Conformance.P2p;
using Mm.Conformance.Recordings;
using Mm.P2pDma.Routing;

namespace Mm.Conformance;

/// <summary>What a replay is held to.</summary>
/// <remarks>Immutable.</remarks>
public sealed record ConformanceOptions
{
    /// <summary>How much of a file is read before it is refused.</summary>
    public RecordingLimits Limits { get; init; } = new();

    /// <summary>The rules of peer-to-peer routing; the recordings are of Linux 6.12.</summary>
    public P2pRules P2pRules { get; init; } = P2pRules.Linux612;

    /// <summary>Makes the peer memory of a block; tests put wrong models here to see that recordings notice.</summary>
    internal Func<P2pBarLayout, IP2pMemoryModel> CreateP2pMemory { get; init; } = static layout => new PciMemoryModel(layout);

    /// <summary>Makes the I/O address spaces of a program; tests put wrong models here to see that recordings notice.</summary>
    internal Func<IIommufdModel> CreateIommufd { get; init; } = static () => new IommufdModel();

    /// <summary>Makes the process and machine of a program of dma-buf; tests put wrong ones here.</summary>
    internal Func<DmaBufProgram> CreateDmaBufProgram { get; init; } = static () => new DmaBufProgram();
}
