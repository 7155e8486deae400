using Mm.Core;

namespace Mm.Conformance.Recordings;

/// <summary>How much of a stranger's recording is read before it is refused.</summary>
/// <remarks>Immutable.</remarks>
public sealed record RecordingLimits
{
    /// <summary>The most bytes of a file, after decompression.</summary>
    public ByteCount MaxFileSize { get; init; } = ByteCount.FromGiB(1);

    /// <summary>The most characters of a line.</summary>
    public int MaxLineLength { get; init; } = 1 << 20;

    /// <summary>The most devices of a machine.</summary>
    public int MaxDevices { get; init; } = 65_536;

    /// <summary>The most files of a run.</summary>
    public int MaxFiles { get; init; } = 100_000;

    /// <summary>How many differences of a file are kept with their line; the rest are counted.</summary>
    public int KeptDifferences { get; init; } = 10;
}
