namespace Mm.Core.Spaces;

/// <summary>A piece of an address range that one descent of the tables has answered: neighbouring entries, part of a large leaf, or a hole.</summary>
/// <remarks>
/// Borrowed from the tables: entries may change under it unless the caller keeps writers out, each read is atomic.
/// <para>Immutable, apart from that.</para>
/// </remarks>
internal readonly ref struct PteRun
{
    private readonly ReadOnlySpan<ulong> words;

    internal PteRun(ulong start, ulong pages, Pte large, ReadOnlySpan<ulong> words)
    {
        Start = new VirtAddr(start);
        Pages = new PageCount(pages);
        Large = large;
        this.words = words;
    }

    /// <summary>The first address.</summary>
    public VirtAddr Start { get; }

    /// <summary>How many pages; at most 512 unless it is a hole.</summary>
    public PageCount Pages { get; }

    /// <summary>The leaf of 2 MiB that the run lies in, or none.</summary>
    public Pte Large { get; }

    /// <summary>No table reaches down here: every page is none.</summary>
    public bool IsHole => words.IsEmpty && Large.IsNone;

    /// <summary>The entries as words; empty for a leaf and for a hole.</summary>
    public ReadOnlySpan<ulong> Words => words;

    /// <summary>The entry of one page, small also where it is part of a leaf.</summary>
    /// <param name="index">Which page, below <see cref="Pages"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="index"/> is not below <see cref="Pages"/>.</exception>
    public Pte this[int index]
    {
        get
        {
            if (index < 0 || (ulong)index >= Pages.Value)
            {
                throw new ArgumentOutOfRangeException(nameof(index), index, $"index must be in [0, {Pages.Value})");
            }

            return !words.IsEmpty ? new Pte(Volatile.Read(in words[index]))
                : Large.IsNone ? default
                : Large.SplitPart(FirstPart + index);
        }
    }

    /// <summary>Which of the leaf's 512 pages the run begins with.</summary>
    internal int FirstPart => (int)((Start.Value & PageSize.Large.OffsetMask) >> PageSize.Small.Shift);
}
