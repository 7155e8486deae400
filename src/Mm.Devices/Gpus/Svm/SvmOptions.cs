using Mm.Core;

namespace Mm.Devices.Gpus.Svm;

/// <summary>How a GPU shares the memory of a process.</summary>
/// <remarks><b>Linux:</b> the arguments of drm_gpusvm_init (v6.19). Immutable.</remarks>
public sealed record SvmOptions
{
    /// <summary>The addresses that the GPU mirrors.</summary>
    public VirtRange Window { get; init; } = new(VirtAddr.Zero, new ByteCount(1UL << 47));

    /// <summary>How large the blocks are that are watched as one; a power of two.</summary>
    public ByteCount BlockLength { get; init; } = ByteCount.FromMiB(512);

    /// <summary>How large ranges may be: powers of two, each smaller than the one before, down to a page.</summary>
    public IReadOnlyList<ByteCount> Chunks { get; init; } = [ByteCount.FromMiB(2), ByteCount.FromKiB(64), PageSize.Small.Bytes];

    /// <summary>How long a fault tries again while others change the memory, in nanoseconds of the machine's clock.</summary>
    public ulong RetryNs { get; init; } = 1_000_000_000;

    /// <summary>Whether it can be had.</summary>
    internal bool IsLegal
    {
        get
        {
            bool isWhole = IsPower(BlockLength) && Chunks.Count > 0 && Chunks[^1] == PageSize.Small.Bytes && Chunks[0] <= BlockLength;
            for (int index = 0; index < Chunks.Count; index++)
            {
                isWhole &= IsPower(Chunks[index]) && (index == 0 || Chunks[index] < Chunks[index - 1]);
            }

            return isWhole;
        }
    }

    private static bool IsPower(ByteCount length) => System.Numerics.BitOperations.IsPow2(length.Value);
}
