using Mm.Core;

namespace Mm.Devices.Gpus.Svm;

/// <summary>How large a range is made where a GPU faults: the largest chunk that fits everywhere.</summary>
/// <remarks>
/// <b>Linux:</b> drm_gpusvm_range_chunk_size (v6.19), without its look at which pages are there. Immutable.
/// </remarks>
/// <param name="chunks">The lengths, largest first; powers of two.</param>
internal sealed class SvmChunks(IReadOnlyList<ByteCount> chunks)
{
    /// <summary>Chooses a range.</summary>
    /// <param name="at">The address that it must have.</param>
    /// <param name="bounds">What it must lie in, each of them.</param>
    /// <param name="isFree">Whether no other range lies there; asked of those that fit alone.</param>
    /// <param name="range">The range, or empty.</param>
    /// <returns>Whether any fits.</returns>
    internal bool TryChoose(VirtAddr at, ReadOnlySpan<VirtRange> bounds, Func<VirtRange, bool> isFree, out VirtRange range)
    {
        foreach (ByteCount chunk in chunks)
        {
            range = new VirtRange(new VirtAddr(at.Value & ~(chunk.Value - 1)), chunk);
            bool fits = true;
            foreach (VirtRange bound in bounds)
            {
                fits &= bound.Contains(range);
            }

            if (fits && isFree(range))
            {
                return true;
            }
        }

        range = default;
        return false;
    }
}
