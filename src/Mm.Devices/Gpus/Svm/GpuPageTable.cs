using Mm.Core;

namespace Mm.Devices.Gpus.Svm;

/// <summary>The page table by which a GPU reaches the memory of one process, page by page.</summary>
/// <remarks>
/// Owns the entries, not what they lead to. Not responsible for their truth: who invalidates takes them out first.
/// <para><b>Linux:</b> the PPGTT of a VM (xe_pt.c, v6.19), as a table of small pages.</para>
/// <para><b>Locking:</b> the lock of its <see cref="GpuSvm"/>.</para>
/// </remarks>
internal sealed class GpuPageTable
{
    private readonly Dictionary<ulong, SvmEntry> entries = []; // by page number

    /// <summary>How many pages the GPU reaches.</summary>
    internal PageCount Pages => new((ulong)entries.Count);

    /// <summary>Finds an entry.</summary>
    /// <param name="at">An address in the page.</param>
    /// <param name="entry">The entry.</param>
    /// <returns>Whether there is one.</returns>
    internal bool TryFind(VirtAddr at, out SvmEntry entry) => entries.TryGetValue(at.Value >> PageSize.Small.Shift, out entry);

    /// <summary>Puts entries in, in place of those that are there.</summary>
    /// <param name="start">The first page's address.</param>
    /// <param name="found">One entry a page.</param>
    internal void Map(VirtAddr start, ReadOnlySpan<SvmEntry> found)
    {
        ulong page = start.Value >> PageSize.Small.Shift;
        foreach (SvmEntry entry in found)
        {
            entries[page++] = entry;
        }
    }

    /// <summary>Takes entries out; there may be none.</summary>
    /// <param name="range">Whole pages.</param>
    internal void Unmap(VirtRange range)
    {
        ulong page = range.Start.Value >> PageSize.Small.Shift;
        for (ulong index = 0; index < range.Length.ToPagesRoundDown().Value; index++)
        {
            _ = entries.Remove(page + index);
        }
    }

    /// <summary>Takes all entries out.</summary>
    internal void Clear() => entries.Clear();
}
