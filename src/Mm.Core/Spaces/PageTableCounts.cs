using Mm.Core.Checks;

namespace Mm.Core.Spaces;

/// <summary>How many pages of each kind of entry there are; a leaf of 2 MiB counts 512.</summary>
/// <remarks>
/// <b>Linux:</b> the sums behind mm_struct::rss_stat (v6.12), by kind of entry instead of kind of page.
/// <para><b>Invariants:</b> (1) no count is negative at rest.</para>
/// <para><b>Locking:</b> atomic each; together exact only at rest.</para>
/// </remarks>
internal sealed class PageTableCounts
{
    /// <summary>How many kinds there are.</summary>
    internal const int Kinds = 8;

    private readonly long[] pages = new long[Kinds]; // atomic each

    /// <summary>The pages of a kind; none and tables have no count.</summary>
    /// <param name="kind">The kind.</param>
    internal PageCount this[PteKind kind]
    {
        get
        {
            long count = Volatile.Read(ref pages[(int)kind]);
            Check.That(count >= 0 || kind is PteKind.None, "invariant 1: a negative count of entries");
            return kind is PteKind.None or PteKind.Table ? PageCount.Zero : new PageCount((ulong)count);
        }
    }

    /// <summary>Notes that one entry became another.</summary>
    /// <param name="before">The entry before.</param>
    /// <param name="after">The entry after.</param>
    /// <param name="count">How many pages either is worth.</param>
    internal void Note(Pte before, Pte after, long count)
    {
        if (before.Kind != after.Kind)
        {
            _ = Interlocked.Add(ref pages[(int)before.Kind], -count);
            _ = Interlocked.Add(ref pages[(int)after.Kind], count);
        }
    }

    /// <summary>Notes many changes that the caller has summed.</summary>
    /// <param name="changes">By kind.</param>
    internal void Note(ReadOnlySpan<long> changes)
    {
        for (int kind = 0; kind < Kinds; kind++)
        {
            if (changes[kind] != 0)
            {
                _ = Interlocked.Add(ref pages[kind], changes[kind]);
            }
        }
    }
}
